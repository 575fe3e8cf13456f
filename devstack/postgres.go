package devstack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	clusterFolder       = "postgres"
	socketFolder        = "run"
	postgresRecord      = "postgres.process"
	maintenanceDatabase = "postgres"

	// maxSocketPath is what a socket's path may measure on every system; macOS has the narrowest limit, 104 bytes.
	maxSocketPath = 100
	// crashPatience is how long the backends of a killed server may take to notice and to let go of its memory.
	crashPatience = 15 * time.Second
)

// postgresStop asks for a fast shutdown: sessions are ended, everything is written. Force is an immediate shutdown,
// after which the next start replays the log and loses nothing that was committed.
var postgresStop = stopSignals{ask: syscall.SIGINT, force: syscall.SIGQUIT}

// cluster is a PostgreSQL cluster on disk, with the programs and the user to run it.
type cluster struct {
	folder   *folder
	dir      string
	programs programs
	account  *account
}

// account is the user as whom PostgreSQL runs when root starts it, because PostgreSQL refuses to run as root.
type account struct {
	name     string
	uid, gid int
}

// openCluster returns the cluster of the data folder, and creates it when there is none.
func openCluster(ctx context.Context, f *folder, password string, o Options) (*cluster, error) {
	c := &cluster{folder: f, dir: f.file(clusterFolder)}
	var err error
	if c.account, err = serverAccount(c.dir); err != nil {
		return nil, err
	}
	if c.account != nil {
		if blocked := firstImpassable(f.path, c.account); blocked != "" {
			return nil, fmt.Errorf("PostgreSQL would run as user %s, who cannot pass through %s to the data folder %s: "+
				"choose a data folder elsewhere, such as /var/lib/curbstop, or start as an ordinary user", c.account.name, blocked, f.path)
		}
	}
	major, err := clusterVersion(c.dir)
	if err != nil {
		return nil, err
	}
	if c.programs, err = findPrograms(ctx, major); err != nil {
		return nil, err
	}
	if err := c.own(f.file(socketFolder)); err != nil {
		return nil, err
	}
	if major == "" {
		o.Progress(fmt.Sprintf("creating a PostgreSQL %s cluster in %s", c.programs.version, f.path))
		if err := c.create(ctx, password, o); err != nil {
			return nil, fmt.Errorf("create the PostgreSQL cluster: %w", err)
		}
	}
	return c, nil
}

// serverAccount returns nil when this process is not root. For root it returns the owner of an existing cluster, and
// otherwise the first of the users that systems keep for such a purpose.
func serverAccount(clusterDir string) (*account, error) {
	owner := -1
	if info, err := os.Stat(clusterDir); err == nil {
		owner, _ = owners(info)
	}
	if uid := os.Geteuid(); uid != 0 {
		if owner >= 0 && owner != uid {
			return nil, fmt.Errorf("the PostgreSQL cluster %s belongs to user id %d and this is user id %d: "+
				"start as the user who created it, or choose another data folder", clusterDir, owner, uid)
		}
		return nil, nil
	}
	var found *user.User
	var err error
	if owner > 0 {
		found, err = user.LookupId(strconv.Itoa(owner))
	} else {
		for _, name := range []string{"postgres", "_postgres", "nobody"} {
			if found, err = user.Lookup(name); err == nil {
				break
			}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run as root, and no other user was found for it: create a user named postgres (%w)", err)
	}
	uid, err := strconv.Atoi(found.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(found.Gid)
	if err != nil {
		return nil, err
	}
	return &account{name: found.Username, uid: uid, gid: gid}, nil
}

// firstImpassable returns the topmost folder on the way to path, path included, that the account may not pass through,
// and "" when there is none. It judges by the mode bits, so an access list that says more is not seen.
func firstImpassable(path string, a *account) string {
	if parent := filepath.Dir(path); parent != path {
		if blocked := firstImpassable(parent, a); blocked != "" {
			return blocked
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		return path
	}
	search := fs.FileMode(0o001)
	switch uid, gid := owners(info); {
	case uid == a.uid:
		search = 0o100
	case gid == a.gid:
		search = 0o010
	}
	if info.Mode()&search == 0 {
		return path
	}
	return ""
}

// owners returns the user and the group of a file, and -1 for both when the system does not say.
func owners(info fs.FileInfo) (uid, gid int) {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid), int(stat.Gid)
	}
	return -1, -1
}

// clusterVersion returns the major version that the cluster was created with, and "" when there is no cluster.
func clusterVersion(dir string) (string, error) {
	content, err := os.ReadFile(filepath.Join(dir, "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(content)), err
}

// own creates a private folder that belongs to the user who runs PostgreSQL.
func (c *cluster) own(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if c.account == nil {
		return nil
	}
	return os.Chown(dir, c.account.uid, c.account.gid)
}

// command returns a command that runs a program of PostgreSQL as the user who owns the cluster.
func (c *cluster) command(name string, args ...string) *exec.Cmd {
	// Without a context, because the server outlives that of its start.
	cmd := exec.Command(filepath.Join(c.programs.dir, name), args...)
	cmd.Dir = c.folder.path
	if c.account != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(c.account.uid), Gid: uint32(c.account.gid)}}
	}
	return cmd
}

// create makes the cluster beside its place and moves it there when it is complete, so that a start that was cut off
// leaves no half of a cluster behind.
func (c *cluster) create(ctx context.Context, password string, o Options) error {
	unfinished := c.dir + ".new"
	if err := os.RemoveAll(unfinished); err != nil {
		return err
	}
	if err := c.own(unfinished); err != nil {
		return err
	}
	passwordFile, err := c.passwordFile(password)
	if err != nil {
		return err
	}
	defer os.Remove(passwordFile)

	args := []string{
		"-D", unfinished, "-U", role, "--pwfile", passwordFile, "--auth", "scram-sha-256",
		"-E", "UTF8", "--data-checksums", "--no-instructions",
	}
	args = append(args, localeArguments()...)
	if o.Ephemeral {
		args = append(args, "--no-sync")
	}
	cmd := c.command("initdb", args...)
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := runContext(ctx, cmd); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, strings.TrimSpace(output.String()))
	}
	if err := appendFile(filepath.Join(unfinished, "postgresql.conf"), tuning(o)); err != nil {
		return err
	}
	return os.Rename(unfinished, c.dir)
}

// passwordFile writes the password where initdb, which may run as another user, can read it.
func (c *cluster) passwordFile(password string) (string, error) {
	path := filepath.Join(c.folder.file(socketFolder), "initial-password")
	if err := writeFile(path, []byte(password+"\n")); err != nil {
		return "", err
	}
	if c.account == nil {
		return path, nil
	}
	return path, os.Chown(path, c.account.uid, c.account.gid)
}

// localeArguments gives text the order of its code points and every letter its class, the same on every machine.
func localeArguments() []string {
	if runtime.GOOS == "darwin" {
		// Older versions of macOS have no locale C.UTF-8; this pair means the same.
		return []string{"--locale=C", "--lc-ctype=en_US.UTF-8"}
	}
	return []string{"--locale=C.UTF-8"}
}

// tuning returns what a new cluster's postgresql.conf says beyond PostgreSQL's defaults.
func tuning(o Options) string {
	durable := "# An action that was acknowledged to a person must survive a power cut.\nsynchronous_commit = on\n"
	if o.Ephemeral {
		durable = "# This cluster was created for tests and does not survive a crash of the machine.\n" +
			"fsync = off\nfull_page_writes = off\n"
	}
	return "\n# Written by curbstop when it created the cluster. It does not write here again: change what you need.\n" +
		"# The port and the addresses are given on the command line and cannot be changed here.\n" +
		"shared_buffers = " + o.SharedBuffers + "\n" +
		"max_wal_size = 4GB\n" +
		"random_page_cost = 1.1\n" +
		"max_connections = 300\n" +
		durable
}

// start runs the server and returns when it accepts connections at url. The process is returned with the error when it
// runs without becoming ready, so that the caller can stop it.
func (c *cluster) start(ctx context.Context, port int, url string) (*process, error) {
	deadline := time.Now().Add(crashPatience)
	for {
		p, err := startProcess("PostgreSQL", c.serverCommand(port), c.folder.file("postgres.log"), c.folder.file(postgresRecord), postgresStop)
		if err != nil {
			return nil, err
		}
		err = awaitPostgres(ctx, p, url)
		// After a kill -9 the backends of the old server need a moment to notice, and until then PostgreSQL rightly
		// refuses to start a second server on the same files.
		if err == nil || !strings.Contains(err.Error(), "still in use") || time.Now().After(deadline) {
			return p, err
		}
		select {
		case <-ctx.Done():
			return p, err
		case <-time.After(pollInterval):
		}
	}
}

func (c *cluster) serverCommand(port int) *exec.Cmd {
	socket := c.folder.file(socketFolder)
	if len(filepath.Join(socket, ".s.PGSQL.65535")) > maxSocketPath {
		socket = "" // Nothing here connects through it: it is there for an operator's psql.
	}
	return c.command("postgres",
		"-D", c.dir,
		"-c", "listen_addresses="+loopback,
		"-c", "port="+strconv.Itoa(port),
		"-c", "unix_socket_directories="+socket,
	)
}

// awaitPostgres returns when a connection with the password succeeds, or with an error when the server ends or ctx does.
func awaitPostgres(ctx context.Context, p *process, url string) error {
	var last error
	err := poll(ctx, func() bool {
		select {
		case <-p.exited:
			return true
		default:
		}
		attempt, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		var connection *pgx.Conn
		if connection, last = pgx.Connect(attempt, url); last != nil {
			return false
		}
		_ = connection.Close(attempt)
		return true
	})
	select {
	case <-p.exited:
		return p.deathError()
	default:
	}
	if err != nil {
		return fmt.Errorf("PostgreSQL does not become ready: %w", errors.Join(err, last))
	}
	return nil
}

// createProductDatabase creates the product's database unless it exists.
func createProductDatabase(ctx context.Context, maintenanceURL string) (err error) {
	connection, err := pgx.Connect(ctx, maintenanceURL)
	if err != nil {
		return fmt.Errorf("create database %s: %w", productDatabase, err)
	}
	defer func() { err = errors.Join(err, connection.Close(context.WithoutCancel(ctx))) }()
	var exists bool
	if err := connection.QueryRow(ctx, "select exists (select from pg_database where datname = $1)", productDatabase).Scan(&exists); err != nil {
		return fmt.Errorf("look for database %s: %w", productDatabase, err)
	}
	if exists {
		return nil
	}
	// The data folder is locked, so nobody else creates it in the meantime.
	if _, err := connection.Exec(ctx, "create database "+productDatabase); err != nil {
		return fmt.Errorf("create database %s: %w", productDatabase, err)
	}
	return nil
}

// runContext runs a command to its end, and kills it when ctx ends first.
func runContext(ctx context.Context, cmd *exec.Cmd) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	if err := cmd.Wait(); err != nil {
		return errors.Join(context.Cause(ctx), err)
	}
	return nil
}

func appendFile(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
