package devstack

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// progressInterval is how often a long build says that it is still going on.
const progressInterval = 10 * time.Second

// FindTemporald returns the path of the temporald program: the one that stands beside this program, or else one built
// from the source tree that the working directory is in. Building it the first time takes minutes, see BuildTemporald.
func FindTemporald(ctx context.Context, progress func(string)) (string, error) {
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), "temporald")
		if info, err := os.Stat(beside); err == nil && info.Mode().IsRegular() {
			return beside, nil
		}
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		source := filepath.Join(dir, "devstack", "temporald")
		if _, err := os.Stat(filepath.Join(source, "go.mod")); err == nil {
			return BuildTemporald(ctx, source, progress)
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("temporald was not found: put it beside this program, or start inside curbstop's source tree, where it can be built")
		}
		dir = parent
	}
}

// BuildTemporald builds the temporald program from its module in sourceDir and returns its path in the user's cache
// folder, which may be deleted at any time. The path depends on the sources, the pinned versions and the version of Go:
// what was built once is returned at once, and a change is built anew. The first build compiles the whole Temporal
// server, which takes several minutes; progress, which may be nil, then receives a line now and then.
//
// Several processes may call it at the same time: one builds, the others wait for it.
func BuildTemporald(ctx context.Context, sourceDir string, progress func(string)) (string, error) {
	if progress == nil {
		progress = func(string) {}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache folder for temporald: %w", err)
	}
	key, err := buildKey(ctx, sourceDir)
	if err != nil {
		return "", fmt.Errorf("build temporald: %w", err)
	}
	dir := filepath.Join(cache, "curbstop", "temporald", key)
	program := filepath.Join(dir, "temporald")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", err
	}
	lock, err := awaitLock(ctx, filepath.Join(dir, "lock"), func(holder string) {
		progress("waiting for process " + holder + ", which is building temporald")
	})
	if err != nil {
		return "", fmt.Errorf("wait for another build of temporald: %w", err)
	}
	defer lock.Close()
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	unfinished := program + ".new"
	if err := compile(ctx, sourceDir, unfinished, progress); err != nil {
		return "", fmt.Errorf("build temporald: %w", err)
	}
	return program, os.Rename(unfinished, program)
}

// buildKey returns a name that changes with everything the program is made of.
func buildKey(ctx context.Context, sourceDir string) (string, error) {
	files, err := filepath.Glob(filepath.Join(sourceDir, "*.go"))
	if err != nil {
		return "", err
	}
	files = append(files, filepath.Join(sourceDir, "go.mod"), filepath.Join(sourceDir, "go.sum"))
	slices.Sort(files)
	hash := sha256.New()
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(hash, "%s %d\n%s", filepath.Base(file), len(content), content)
	}
	cmd := exec.CommandContext(ctx, "go", "env", "GOVERSION", "GOOS", "GOARCH")
	cmd.Dir = sourceDir
	goVersion, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("ask Go for its version (is Go installed?): %w", err)
	}
	hash.Write(goVersion)
	return hex.EncodeToString(hash.Sum(nil))[:16], nil
}

func compile(ctx context.Context, sourceDir, program string, progress func(string)) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-v", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", program, ".")
	cmd.Dir = sourceDir
	// Without cgo the build needs no C compiler, and a workspace file above must not change what go.mod pins.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	// An interrupt lets Go remove its temporary folder.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	output := &buildOutput{}
	cmd.Stdout, cmd.Stderr = output, output

	progress("building the Temporal server (the first time takes several minutes)")
	began := time.Now()
	finished := make(chan struct{})
	var reporter sync.WaitGroup
	reporter.Go(func() {
		ticker := time.NewTicker(progressInterval)
		defer ticker.Stop()
		for {
			select {
			case <-finished:
				return
			case <-ticker.C:
				progress(fmt.Sprintf("building the Temporal server: %s, %d packages compiled",
					time.Since(began).Round(time.Second), output.lines()))
			}
		}
	})
	err := cmd.Run()
	close(finished)
	reporter.Wait()
	if err != nil {
		return errors.Join(context.Cause(ctx), fmt.Errorf("%w: %s", err, output.tail()))
	}
	progress("built the Temporal server in " + time.Since(began).Round(time.Second).String())
	return nil
}

// buildOutput keeps what `go build -v` prints: a line for each package, then the errors.
type buildOutput struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buildOutput) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buildOutput) lines() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Count(b.text.Bytes(), []byte("\n"))
}

// tail returns the last lines, which say what went wrong.
func (b *buildOutput) tail() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(b.text.String()), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}
