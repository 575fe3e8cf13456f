// Package devstack runs what curbstop needs around it on a bare machine: a private PostgreSQL cluster, and a Temporal
// server with its web UI on that cluster. It needs PostgreSQL's server programs and nothing else: no containers, no
// services of the machine, no other user's database.
//
// Everything lives in one data folder:
//
//	lock                 held by the process that runs the stack
//	password             of the PostgreSQL role, made at the first start
//	ports.json           the ports of the last start, taken again while they are free
//	postgres/            the PostgreSQL cluster; its postgresql.conf is the operator's to edit
//	postgres.log         what PostgreSQL said
//	postgres.process     which process is our PostgreSQL, to recognise one that outlived a crash
//	run/                 PostgreSQL's socket
//	temporald.log, temporald.process
//
// All listeners are on the loopback interface. The Temporal server asks for no credentials, so everyone with an account
// on the machine can reach it; PostgreSQL asks for the password.
//
// The package works on Linux and macOS.
package devstack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	// role is the only PostgreSQL role of the cluster, and its superuser.
	role = "curbstop"
	// productDatabase is the database that Start creates for the product.
	productDatabase = "curbstop"
	// loopback is the only address on which the stack listens.
	loopback = "127.0.0.1"
	// abandonTimeout bounds how long a start that failed takes to stop what it had started.
	abandonTimeout = 30 * time.Second
)

// Options says what to run and where. The zero value runs everything in DefaultDataDir on free ports.
type Options struct {
	// DataDir is the data folder, created when it is missing. Empty means DefaultDataDir, or with Ephemeral a new
	// temporary folder. When root runs the stack, PostgreSQL runs as another user, who must be able to pass through
	// every folder above DataDir.
	DataDir string

	// Ephemeral is for tests: it gives up durability for speed (no fsync, small buffers, 4 history shards), and
	// Close removes the folder when DataDir was left empty. A crash of the machine loses such a cluster; a crash of
	// a process does not.
	Ephemeral bool

	// PostgresOnly leaves the Temporal server and its UI out.
	PostgresOnly bool

	// PostgresPort, TemporalPort and UIPort fix a port; Start then fails when it is taken. At 0, the port of the
	// last start on this data folder is used when it is still free, and otherwise a free one.
	PostgresPort, TemporalPort, UIPort int

	// SharedBuffers is PostgreSQL's shared_buffers, by default 1GB, or 128MB with Ephemeral. It is written into
	// postgresql.conf when the cluster is created and has no effect afterwards.
	SharedBuffers string

	// TemporaldPath is the temporald program. Empty means to find or build it, see FindTemporald.
	TemporaldPath string

	// Shards is the number of history shards, by default 512, or 4 with Ephemeral. The first start on a data folder
	// fixes it for good; later values are ignored by the server.
	Shards int

	// CodecEndpoint is the URL at which the web UI has encrypted payloads decoded. Empty means that it shows them
	// as they are stored.
	CodecEndpoint string

	// DynamicConfigFile is a file with Temporal's dynamic configuration. Empty means what suits
	// one small machine; see smallServer in temporald.
	DynamicConfigFile string

	// Logger receives what an operator should know: a leftover process that was stopped, a child that died.
	// Nil means slog.Default.
	Logger *slog.Logger

	// Progress receives one line for each step that a person may have to wait for. Nil means to say nothing.
	Progress func(string)
}

// Stack is a running stack. Its fields are set by Start and only read afterwards.
type Stack struct {
	// DataDir is the data folder that is in use.
	DataDir string
	// TemporalAddress is the host and port of the Temporal frontend; empty with PostgresOnly.
	TemporalAddress string
	// UIAddress is the host and port of the web UI, served over plain HTTP; empty with PostgresOnly.
	UIAddress string

	folder    *folder
	ports     ports
	password  string
	removeDir bool
	postgres  *process
	temporald *process
	done      chan error
	closing   chan struct{}
	closeOnce sync.Once
	closeErr  error
	watchers  sync.WaitGroup
}

// DefaultDataDir returns where the stack keeps its data unless told otherwise: /var/lib/curbstop for root, so that
// PostgreSQL's own user can reach it, $XDG_DATA_HOME/curbstop or ~/.local/share/curbstop for everyone else.
func DefaultDataDir() (string, error) {
	if os.Geteuid() == 0 {
		return "/var/lib/curbstop", nil
	}
	if data := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(data) {
		return filepath.Join(data, "curbstop"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the home folder for the data: %w", err)
	}
	return filepath.Join(home, ".local", "share", "curbstop"), nil
}

// Start runs the stack and returns when PostgreSQL accepts connections, the database curbstop exists, and the Temporal
// frontend reports that it serves. A new Temporal store has no namespace: registering one is the caller's task.
//
// ctx bounds the start only; a stack that is up runs until Close. When Start fails, everything it had started has been
// stopped again. A data folder serves one process at a time: a second Start fails and names the process that holds it.
// Whatever a killed process left running on the data folder is recognised and stopped first.
func Start(ctx context.Context, o Options) (*Stack, error) {
	o, removeDir, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Stack{
		DataDir:   o.DataDir,
		removeDir: removeDir,
		done:      make(chan error, 2),
		closing:   make(chan struct{}),
	}
	if err := s.start(ctx, o); err != nil {
		abandon, cancel := context.WithTimeout(context.WithoutCancel(ctx), abandonTimeout)
		defer cancel()
		return nil, errors.Join(err, s.Close(abandon))
	}
	return s, nil
}

// withDefaults fills in what was left empty. The second result says that the data folder is temporary.
func (o Options) withDefaults() (Options, bool, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	if o.Shards == 0 {
		o.Shards = 512
		if o.Ephemeral {
			o.Shards = 4
		}
	}
	if o.SharedBuffers == "" {
		o.SharedBuffers = "1GB"
		if o.Ephemeral {
			o.SharedBuffers = "128MB"
		}
	}
	if o.DataDir == "" && o.Ephemeral {
		dir, err := os.MkdirTemp("", "curbstop-")
		if err != nil {
			return o, false, fmt.Errorf("make a temporary data folder: %w", err)
		}
		o.DataDir = dir
		return o, true, os.Chmod(dir, folderMode())
	}
	if o.DataDir == "" {
		dir, err := DefaultDataDir()
		if err != nil {
			return o, false, err
		}
		o.DataDir = dir
	}
	dir, err := filepath.Abs(o.DataDir)
	if err != nil {
		return o, false, fmt.Errorf("data folder %s: %w", o.DataDir, err)
	}
	o.DataDir = dir
	return o, false, nil
}

func (s *Stack) start(ctx context.Context, o Options) error {
	// Building temporald may take minutes, which should not pass with a database running and the folder locked.
	temporaldPath := o.TemporaldPath
	if temporaldPath == "" && !o.PostgresOnly {
		path, err := FindTemporald(ctx, o.Progress)
		if err != nil {
			return err
		}
		temporaldPath = path
	}

	var err error
	if s.folder, err = openFolder(o.DataDir); err != nil {
		return err
	}
	// The Temporal server goes first, because it can only fail and complain once its database is gone.
	if err := stopLeftover(ctx, s.folder.file(temporaldRecord), temporaldStop, o.Logger); err != nil {
		return err
	}
	if err := stopLeftover(ctx, s.folder.file(postgresRecord), postgresStop, o.Logger); err != nil {
		return err
	}
	if s.ports, err = choosePorts(ctx, s.folder.file("ports.json"), ports{
		Postgres: o.PostgresPort, Frontend: o.TemporalPort, UI: o.UIPort,
	}); err != nil {
		return err
	}
	if s.password, err = s.folder.secret("password"); err != nil {
		return err
	}

	cluster, err := openCluster(ctx, s.folder, s.password, o)
	if err != nil {
		return err
	}
	o.Progress(fmt.Sprintf("starting PostgreSQL %s on %s", cluster.programs.version, address(s.ports.Postgres)))
	if s.postgres, err = cluster.start(ctx, s.ports.Postgres, s.PostgresURL(maintenanceDatabase)); err != nil {
		return err
	}
	s.watch(s.postgres, o.Logger)
	if err := createProductDatabase(ctx, s.PostgresURL(maintenanceDatabase)); err != nil {
		return err
	}
	if o.PostgresOnly {
		return nil
	}

	o.Progress(fmt.Sprintf("starting the Temporal server on %s", address(s.ports.Frontend)))
	if s.temporald, err = startTemporald(s.folder, temporaldPath, s.ports, s.password, o); err != nil {
		return err
	}
	s.watch(s.temporald, o.Logger)
	if err := awaitTemporald(ctx, s.temporald, s.ports); err != nil {
		return err
	}
	s.TemporalAddress, s.UIAddress = address(s.ports.Frontend), address(s.ports.UI)
	return nil
}

// PostgresURL returns the URL of a database of the cluster, with the password in it: pass it on through the environment
// or a file, and keep it out of logs. The product's database is named curbstop.
func (s *Stack) PostgresURL(database string) string {
	u := url.URL{
		Scheme: "postgres",
		User:   url.UserPassword(role, s.password),
		Host:   address(s.ports.Postgres),
		Path:   database,
		// The connection stays on the loopback interface, and the cluster has no certificate.
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Done tells when a part of the stack has died by itself: the channel yields an error with the last lines of its log.
// The other part keeps running; the caller is expected to Close the stack and to end. Close closes the channel.
func (s *Stack) Done() <-chan error { return s.done }

// Close stops the Temporal server, then PostgreSQL, and gives the data folder free. When ctx ends before they have
// stopped they are made to stop, which loses nothing that was acknowledged: the next start recovers. Only the first
// call does something; the others return its result.
func (s *Stack) Close(ctx context.Context) error {
	s.closeOnce.Do(func() {
		close(s.closing)
		s.closeErr = errors.Join(
			s.temporald.stop(ctx, temporaldStop),
			s.postgres.stop(ctx, postgresStop),
		)
		s.watchers.Wait()
		close(s.done)
		if s.folder != nil {
			s.closeErr = errors.Join(s.closeErr, s.folder.close())
		}
		if s.removeDir {
			s.closeErr = errors.Join(s.closeErr, os.RemoveAll(s.DataDir))
		}
	})
	return s.closeErr
}

// watch reports on Done when the process ends before Close asks it to.
func (s *Stack) watch(p *process, logger *slog.Logger) {
	s.watchers.Go(func() {
		select {
		case <-s.closing:
		case <-p.exited:
			// A signal to stop may reach the process and Close in either order; only an end nobody asked for counts.
			select {
			case <-s.closing:
				return
			default:
			}
			err := p.deathError()
			logger.Error("a part of the stack died", "part", p.name, "error", err)
			s.done <- err
		}
	})
}
