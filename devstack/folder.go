package devstack

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// folder is a data folder that this process holds locked.
type folder struct {
	path string
	lock *os.File
}

// folderMode is the mode of a data folder: private, except that PostgreSQL, which runs as another user when root starts
// it, must be able to pass through.
func folderMode() fs.FileMode {
	if os.Geteuid() == 0 {
		return 0o711
	}
	return 0o700
}

// openFolder creates the folder when it is missing and locks it.
func openFolder(path string) (*folder, error) {
	if err := os.MkdirAll(path, folderMode()); err != nil {
		return nil, fmt.Errorf("create the data folder: %w", err)
	}
	lock, err := tryLock(filepath.Join(path, "lock"))
	if held := (*heldError)(nil); errors.As(err, &held) {
		return nil, fmt.Errorf("data folder %s is in use by process %s: stop that process or choose another data folder", path, held.holder)
	}
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	return &folder{path: path, lock: lock}, nil
}

func (f *folder) file(name string) string { return filepath.Join(f.path, name) }

// close gives the folder free. The lock file stays, because removing it would let two later processes hold a lock on
// two different files of the same name.
func (f *folder) close() error { return f.lock.Close() }

// secret returns the content of a file that only the owner can read, and fills it with a random value at first.
func (f *folder) secret(name string) (string, error) {
	path := f.file(name)
	content, err := os.ReadFile(path)
	if err == nil && len(content) > 0 {
		return strings.TrimSpace(string(content)), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if _, err := os.Stat(f.file(clusterFolder)); err == nil {
		return "", fmt.Errorf("%s is missing, and the PostgreSQL cluster beside it needs it: restore it from a backup", path)
	}
	secret := rand.Text()
	return secret, writeFile(path, []byte(secret+"\n"))
}

// heldError says that another process holds a lock.
type heldError struct{ path, holder string }

func (e *heldError) Error() string { return e.path + " is locked by process " + e.holder }

// lockPatience is how long a lock that is held is tried for.
const lockPatience = 400 * time.Millisecond

// tryLock takes the lock of a file, and writes the id of this process into it for those who come later. The system
// gives the lock free when the process ends, however it ends.
func tryLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	// A lock that was just given up may still be held for a moment by a child between its fork and its exec.
	for end := time.Now().Add(lockPatience); ; time.Sleep(lockPatience / 20) {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) || time.Now().After(end) {
			break
		}
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		defer f.Close()
		holder, _ := os.ReadFile(path)
		return nil, &heldError{path: path, holder: strings.TrimSpace(string(holder))}
	}
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		f.Close()
		return nil, &fs.PathError{Op: "lock", Path: path, Err: err}
	}
	return f, nil
}

// awaitLock takes the lock of a file as soon as nobody else holds it; waiting is called once when somebody does.
func awaitLock(ctx context.Context, path string, waiting func(holder string)) (*os.File, error) {
	var lock *os.File
	var failed error
	told := false
	err := poll(ctx, func() bool {
		f, err := tryLock(path)
		held := (*heldError)(nil)
		if !errors.As(err, &held) {
			lock, failed = f, err
			return true
		}
		if !told {
			waiting(held.holder)
			told = true
		}
		return false
	})
	return lock, errors.Join(err, failed)
}

// ports are the loopback ports of the stack.
type ports struct {
	Postgres int `json:"postgres"`
	Frontend int `json:"frontend"`
	UI       int `json:"ui"`
	History  int `json:"history"`
	Matching int `json:"matching"`
	Worker   int `json:"worker"`
}

// choosePorts returns the ports to use and remembers them in file. A port that is fixed must be free. For the others
// the remembered one is taken when it is free, so that addresses in people's bookmarks and scripts stay good.
func choosePorts(ctx context.Context, file string, fixed ports) (ports, error) {
	var chosen ports
	var config net.ListenConfig
	if content, err := os.ReadFile(file); err == nil {
		_ = json.Unmarshal(content, &chosen) // What cannot be read is chosen anew.
	}
	// Every listener stays open until all are chosen, so that no port is given out twice.
	for _, p := range []struct{ port, fixed *int }{
		{&chosen.Postgres, &fixed.Postgres},
		{&chosen.Frontend, &fixed.Frontend},
		{&chosen.UI, &fixed.UI},
		{&chosen.History, &fixed.History},
		{&chosen.Matching, &fixed.Matching},
		{&chosen.Worker, &fixed.Worker},
	} {
		wanted := *p.port
		if *p.fixed != 0 {
			wanted = *p.fixed
		}
		listener, err := config.Listen(ctx, "tcp", address(wanted))
		if err != nil && *p.fixed == 0 {
			listener, err = config.Listen(ctx, "tcp", address(0))
		}
		if err != nil {
			return ports{}, fmt.Errorf("port %d is not free: %w", wanted, err)
		}
		defer listener.Close()
		bound, ok := listener.Addr().(*net.TCPAddr)
		if !ok {
			return ports{}, fmt.Errorf("a TCP listener reports the address %s", listener.Addr())
		}
		*p.port = bound.Port
	}
	content, err := json.Marshal(chosen)
	if err != nil {
		return ports{}, err
	}
	return chosen, writeFile(file, append(content, '\n'))
}

// address returns the loopback address with the given port.
func address(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }

// writeFile replaces a file with one that only the owner can read, all at once: a crash leaves the old or the new one.
func writeFile(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // Fails after the rename, as it should.
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
