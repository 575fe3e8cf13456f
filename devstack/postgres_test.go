package devstack

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestDataSurvivesRestartAtTheSameAddress(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	first := startPostgres(t, dir)
	execute(t, first, "create table kept (id int); insert into kept values (1)")
	address := first.PostgresURL(productDatabase)
	closeStack(t, first)

	second := startPostgres(t, dir)
	if got := second.PostgresURL(productDatabase); got != address {
		t.Errorf("the address changed with the restart: %s, was %s", got, address)
	}
	if got := countKept(t, second); got != 1 {
		t.Errorf("got %d rows after the restart, want 1", got)
	}
}

func TestSecondStartNamesTheHolder(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	startPostgres(t, dir)
	_, err := Start(t.Context(), postgresOptions(dir))
	if err == nil {
		t.Fatal("a second start on the same data folder succeeded")
	}
	if want := fmt.Sprintf("is in use by process %d", os.Getpid()); !strings.Contains(err.Error(), want) {
		t.Errorf("got error %q, want it to contain %q", err, want)
	}
}

func TestKilledPostgresIsReportedAndRecovers(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	first := startPostgres(t, dir)
	execute(t, first, "create table kept (id int); insert into kept values (1)")
	if err := first.postgres.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-first.Done():
		if err == nil || !strings.Contains(err.Error(), "PostgreSQL ended by itself") {
			t.Errorf("got %v on Done, want the death of PostgreSQL", err)
		}
	case <-t.Context().Done():
		t.Fatal("Done did not report the death of PostgreSQL")
	}
	closeStack(t, first)

	second := startPostgres(t, dir)
	if got := countKept(t, second); got != 1 {
		t.Errorf("got %d rows after the crash, want 1", got)
	}
}

// A process that is killed gives its lock free and may leave PostgreSQL running. The test gives the lock free by hand
// and so brings about the same state, with the leftover as a child of this process.
func TestLeftoverPostgresIsStopped(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	first := startPostgres(t, dir)
	execute(t, first, "create table kept (id int); insert into kept values (1)")
	if err := syscall.Flock(int(first.folder.lock.Fd()), syscall.LOCK_UN); err != nil {
		t.Fatal(err)
	}

	second := startPostgres(t, dir)
	select {
	case <-first.postgres.exited:
	default:
		t.Error("the leftover PostgreSQL still runs")
	}
	if got := countKept(t, second); got != 1 {
		t.Errorf("got %d rows after the takeover, want 1", got)
	}
}

// TestMain lets the test binary play the program that is killed: see TestKilledProgramLeavesNothingInTheWay.
func TestMain(m *testing.M) {
	dir := os.Getenv(heldDirVariable)
	if dir == "" {
		os.Exit(m.Run())
	}
	s, err := Start(context.Background(), postgresOptions(dir))
	if err != nil {
		fmt.Fprintln(os.Stdout, err)
		os.Exit(1)
	}
	fmt.Fprintln(os.Stdout, s.PostgresURL(productDatabase))
	select {}
}

const heldDirVariable = "DEVSTACK_TEST_HELD_DIR"

func TestKilledProgramLeavesNothingInTheWay(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	program := exec.CommandContext(t.Context(), os.Args[0])
	program.Env = append(os.Environ(), heldDirVariable+"="+dir)
	output, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	address := strings.TrimSpace(line)
	executeAt(t, address, "create table kept (id int); insert into kept values (1)")
	if err := program.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = program.Wait() // It ends with the signal, which is what the test wants.

	s := startPostgres(t, dir)
	if got := s.PostgresURL(productDatabase); got != address {
		t.Errorf("the address changed: %s, was %s", got, address)
	}
	if got := countKept(t, s); got != 1 {
		t.Errorf("got %d rows after the crash, want 1", got)
	}
}

func TestProcessWithAUsedAgainIDIsLeftAlone(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), postgresRecord)
	// The id is that of this process, which would not survive being mistaken for a leftover.
	if err := writeFile(file, fmt.Appendf(nil, `{"pid": %d, "started": "another time"}`, os.Getpid())); err != nil {
		t.Fatal(err)
	}
	o, _, err := postgresOptions(t.TempDir()).withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	if err := stopLeftover(t.Context(), file, stopSignals{ask: syscall.SIGKILL, force: syscall.SIGKILL}, o.Logger); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the record is still there: %v", err)
	}
}

func TestInterruptedCreationLeavesNothingInTheWay(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	half := filepath.Join(dir, clusterFolder+".new")
	if err := os.MkdirAll(half, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(half, "PG_VERSION"), []byte("1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	startPostgres(t, dir)
}

func TestEphemeralFolderIsRemoved(t *testing.T) {
	t.Parallel()
	s := startPostgres(t, "")
	closeStack(t, s)
	if _, err := os.Stat(s.DataDir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the temporary data folder is still there: %v", err)
	}
	if _, open := <-s.Done(); open {
		t.Error("Done yielded an error after an orderly Close")
	}
}

func TestTakenFixedPortIsRefused(t *testing.T) {
	t.Parallel()
	s := startPostgres(t, "")
	o := postgresOptions("")
	o.PostgresPort = s.ports.Postgres
	_, err := Start(t.Context(), o)
	if want := fmt.Sprintf("port %d is not free", s.ports.Postgres); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got error %v, want %q", err, want)
	}
}

func TestImpassableFolderIsNamed(t *testing.T) {
	t.Parallel()
	closed := filepath.Join(dataDir(t), "closed")
	below := filepath.Join(closed, "data")
	if err := os.MkdirAll(below, 0o711); err != nil {
		t.Fatal(err)
	}
	stranger := &account{name: "stranger", uid: 1 << 30, gid: 1 << 30}
	if got := firstImpassable(below, stranger); got != "" {
		t.Errorf("got %q as impassable, want nothing", got)
	}
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	if got := firstImpassable(below, stranger); got != closed {
		t.Errorf("got %q as impassable, want %q", got, closed)
	}
}

func TestMissingMajorVersionIsSaid(t *testing.T) {
	t.Parallel()
	_, err := findPrograms(t.Context(), "1")
	if err == nil || !strings.Contains(err.Error(), "PostgreSQL 1") {
		t.Errorf("got error %v, want it to name the version that is missing", err)
	}
}

func TestVersionsAreComparedAsNumbers(t *testing.T) {
	t.Parallel()
	got := fmt.Sprint(numbers("15.14"), numbers("9.6"), numbers("18beta1"))
	if want := "[15 14] [9 6] [0]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// dataDir returns a temporary folder that PostgreSQL's user can reach when the tests run as root: the folder above it,
// which the testing package makes, is closed to others.
func dataDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), folderMode()); err != nil {
		t.Fatal(err)
	}
	return dir
}

func postgresOptions(dir string) Options {
	return Options{DataDir: dir, Ephemeral: true, PostgresOnly: true}
}

func startPostgres(t *testing.T, dir string) *Stack {
	t.Helper()
	s, err := Start(t.Context(), postgresOptions(dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeStack(t, s) })
	return s
}

func closeStack(t *testing.T, s *Stack) {
	t.Helper()
	// The test's own context is done when its cleanup runs.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Errorf("close the stack: %v", err)
	}
}

func execute(t *testing.T, s *Stack, statements string) {
	t.Helper()
	executeAt(t, s.PostgresURL(productDatabase), statements)
}

func executeAt(t *testing.T, url, statements string) {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close(context.WithoutCancel(t.Context()))
	if _, err := connection.PgConn().Exec(t.Context(), statements).ReadAll(); err != nil {
		t.Fatal(err)
	}
}

// countKept returns the number of rows of the table kept.
func countKept(t *testing.T, s *Stack) int {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), s.PostgresURL(productDatabase))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close(context.WithoutCancel(t.Context()))
	var n int
	if err := connection.QueryRow(t.Context(), "select count(*) from kept").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
