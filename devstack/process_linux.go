package devstack

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"syscall"
)

// signalOnParentDeath has the kernel send the signal to the child when this process dies, however it dies.
func signalOnParentDeath(attr *syscall.SysProcAttr, signal syscall.Signal) { attr.Pdeathsig = signal }

// processStart returns when the process started, in a form that is only good for comparing: the boot of the machine and
// the clock ticks since then. A process that has ended but was not yet waited for counts as gone: fs.ErrNotExist.
func processStart(pid int) (string, error) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", err
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", err
	}
	// The second field is the program's name in brackets and may hold anything, so the fields are counted from the
	// last bracket: the state is the first after it, the start the twentieth.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return "", fmt.Errorf("process %d: cannot read its state", pid)
	}
	if state := fields[0][0]; state == 'Z' || state == 'X' {
		return "", fs.ErrNotExist
	}
	return string(bytes.TrimSpace(boot)) + "/" + string(fields[19]), nil
}
