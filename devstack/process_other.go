//go:build unix && !linux

package devstack

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// signalOnParentDeath does nothing: this system has no such signal. A child that outlives a killed parent is stopped
// by the next start.
func signalOnParentDeath(*syscall.SysProcAttr, syscall.Signal) {}

// processStart returns when the process started, in a form that is only good for comparing. A process that has ended
// but was not yet waited for counts as gone: fs.ErrNotExist.
func processStart(pid int) (string, error) {
	cmd := exec.Command("ps", "-o", "stat=,lstart=", "-p", strconv.Itoa(pid))
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return "", fs.ErrNotExist // ps answers so when there is no such process.
	}
	if err != nil {
		return "", err
	}
	state, started, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	if state == "" || strings.HasPrefix(state, "Z") {
		return "", fs.ErrNotExist
	}
	return strings.Join(strings.Fields(started), " "), nil
}
