package devstack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const (
	// pollInterval is how often a condition is looked at that nothing announces.
	pollInterval = 20 * time.Millisecond
	// maxLogSize is the size above which a log is set aside as the previous one when its process starts.
	maxLogSize = 32 << 20
	// leftoverPatience is how long a leftover process may take to stop by itself before it is made to.
	leftoverPatience = 30 * time.Second
)

// stopSignals says how a program is asked to stop, and how it is made to when it does not.
type stopSignals struct{ ask, force syscall.Signal }

// process is a child process of the stack.
type process struct {
	name    string
	logFile string
	record  string
	cmd     *exec.Cmd
	exited  chan struct{}
	err     error // The result of Wait; read it only after exited is closed.
}

// record is what is written down about a process so that a later start can recognise it. The process id alone would
// not do, because ids are used again; together with the moment of the start it names one process for ever.
type record struct {
	PID     int    `json:"pid"`
	Started string `json:"started"`
}

// startProcess runs cmd in a process group of its own, with its output appended to logFile, and writes recordFile.
//
// The group of its own keeps a terminal's Ctrl-C away from the child: the stack decides when the database stops, after
// those who write to it. Where the system allows it, the child is asked to stop when this process dies.
func startProcess(name string, cmd *exec.Cmd, logFile, recordFile string, signals stopSignals) (*process, error) {
	if info, err := os.Stat(logFile); err == nil && info.Size() > maxLogSize {
		if err := os.Rename(logFile, logFile+".1"); err != nil {
			return nil, fmt.Errorf("set aside the log of %s: %w", name, err)
		}
	}
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", name, err)
	}
	defer log.Close()
	// A file, not a pipe: a child that outlives this process can still write.
	cmd.Stdout, cmd.Stderr = log, log
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	signalOnParentDeath(cmd.SysProcAttr, signals.ask)

	p := &process{name: name, logFile: logFile, record: recordFile, cmd: cmd, exited: make(chan struct{})}
	started := make(chan error)
	go func() {
		// Linux sends the parent-death signal when the thread that forked ends, not when the process does. Holding
		// this thread until the child has ended makes the two the same.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		started <- nil
		p.err = cmd.Wait()
		close(p.exited)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	if err := p.writeRecord(); err != nil {
		// A process that no later start could recognise must not stay.
		_ = cmd.Process.Signal(signals.force)
		<-p.exited
		return nil, fmt.Errorf("record the process of %s: %w", name, err)
	}
	return p, nil
}

func (p *process) writeRecord() error {
	started, err := processStart(p.cmd.Process.Pid)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // It has ended already, and whoever waits for it to be ready will say so.
	}
	if err != nil {
		return err
	}
	content, err := json.Marshal(record{PID: p.cmd.Process.Pid, Started: started})
	if err != nil {
		return err
	}
	return writeFile(p.record, content)
}

// stop asks the process to stop, waits for it, and makes it stop when ctx ends first. It may be called on nil.
func (p *process) stop(ctx context.Context, signals stopSignals) error {
	if p == nil {
		return nil
	}
	if err := p.cmd.Process.Signal(signals.ask); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", p.name, err)
	}
	select {
	case <-p.exited:
	case <-ctx.Done():
		_ = p.cmd.Process.Signal(signals.force)
		<-p.exited
	}
	return removeIfThere(p.record)
}

// deathError says how the process ended, with the last lines of its log. Call it after exited is closed.
func (p *process) deathError() error {
	how := "exit status 0"
	if p.err != nil {
		how = p.err.Error()
	}
	return fmt.Errorf("%s ended by itself (%s); %s ends with: %s", p.name, how, p.logFile, strings.Join(lastLines(p.logFile, 5), " | "))
}

// stopLeftover stops the process that recordFile names, when a process that was killed left it running, and removes the
// record. A record of a process that is gone, or whose id now belongs to another process, is only removed.
func stopLeftover(ctx context.Context, recordFile string, signals stopSignals, logger *slog.Logger) error {
	content, err := os.ReadFile(recordFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var left record
	if err := json.Unmarshal(content, &left); err != nil || left.PID <= 1 {
		return removeIfThere(recordFile) // A crash of the machine cut the record off; its process is gone with it.
	}
	if left.runs() {
		logger.Warn("stopping a process that an earlier run left behind", "record", filepath.Base(recordFile), "pid", left.PID)
		_ = syscall.Kill(left.PID, signals.ask)
		patient, cancel := context.WithTimeout(ctx, leftoverPatience)
		defer cancel()
		if poll(patient, func() bool { return !left.runs() }) != nil {
			_ = syscall.Kill(left.PID, signals.force)
			if err := poll(ctx, func() bool { return !left.runs() }); err != nil {
				return fmt.Errorf("process %d of an earlier run does not stop: %w", left.PID, err)
			}
		}
	}
	return removeIfThere(recordFile)
}

// runs says whether the recorded process, and no other with the same id, is still running.
func (r record) runs() bool {
	started, err := processStart(r.PID)
	return err == nil && started == r.Started
}

// poll looks at condition until it holds or ctx ends.
func poll(ctx context.Context, condition func() bool) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for !condition() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
	return nil
}

// lastLines returns at most n lines from the end of a file, and nothing when it cannot be read.
func lastLines(file string, n int) []string {
	f, err := os.Open(file)
	if err != nil {
		return nil
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil {
		_, _ = f.Seek(max(0, info.Size()-4096), io.SeekStart)
	}
	content, _ := io.ReadAll(f)
	lines := strings.Split(string(bytes.TrimSpace(content)), "\n")
	return lines[max(0, len(lines)-n):]
}
