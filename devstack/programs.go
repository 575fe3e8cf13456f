package devstack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// programs is an installation of PostgreSQL's server programs.
type programs struct {
	dir     string // The folder with initdb and postgres in it.
	version string // Such as 15.14.
}

// installations are the places where packages put PostgreSQL without putting it on the PATH: Debian's, that of
// PostgreSQL's own packages for Red Hat, and Homebrew's on both kinds of Mac.
var installations = []string{
	"/usr/lib/postgresql/*/bin",
	"/usr/pgsql-*/bin",
	"/opt/homebrew/opt/postgresql*/bin",
	"/usr/local/opt/postgresql*/bin",
}

// findPrograms returns the PostgreSQL to run: for an existing cluster the one of its major version, for a new one
// (major "") that on the PATH, else the newest of the usual places.
func findPrograms(ctx context.Context, major string) (programs, error) {
	var others []string
	for _, found := range candidates(ctx) {
		if major == "" || found.major() == major {
			return found, nil
		}
		others = append(others, found.version)
	}
	if len(others) > 0 {
		return programs{}, fmt.Errorf("the cluster was created by PostgreSQL %s, and only %s is installed: "+
			"install PostgreSQL %s, or move the data with pg_upgrade", major, strings.Join(others, ", "), major)
	}
	return programs{}, errors.New("PostgreSQL's server programs (initdb, postgres) were not found: " +
		"install them with `apt-get install postgresql` (Debian, Ubuntu), `dnf install postgresql-server` (Fedora) or `brew install postgresql@17` (macOS)")
}

// candidates returns every usable installation: that on the PATH first, then the others from the newest to the oldest.
func candidates(ctx context.Context) []programs {
	var found []programs
	if path, err := exec.LookPath("postgres"); err == nil {
		// The PATH may hold a link to one program only, while initdb stands beside the program itself.
		if path, err = filepath.EvalSymlinks(path); err == nil {
			found = appendUsable(ctx, found, filepath.Dir(path))
		}
	}
	onPath := len(found)
	for _, pattern := range installations {
		dirs, _ := filepath.Glob(pattern) // The patterns are constants and well-formed.
		for _, dir := range dirs {
			found = appendUsable(ctx, found, dir)
		}
	}
	slices.SortStableFunc(found[onPath:], func(a, b programs) int {
		return slices.Compare(numbers(b.version), numbers(a.version))
	})
	return found
}

func appendUsable(ctx context.Context, found []programs, dir string) []programs {
	if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
		return found
	}
	out, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").Output()
	// The output is such as: postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)
	fields := strings.Fields(string(out))
	if err != nil || len(fields) < 3 {
		return found
	}
	return append(found, programs{dir: dir, version: fields[2]})
}

// major returns the part of the version that decides which clusters the programs can run.
func (p programs) major() string {
	major, _, _ := strings.Cut(p.version, ".")
	return major
}

// numbers returns the parts of a version as numbers, so that 9 comes before 10. A part that is no number counts as 0.
func numbers(version string) []int {
	var parts []int
	for part := range strings.SplitSeq(version, ".") {
		n, _ := strconv.Atoi(part)
		parts = append(parts, n)
	}
	return parts
}
