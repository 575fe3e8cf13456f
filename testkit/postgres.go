// Package testkit gives tests what they need around them.
package testkit

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/curbstop/curbstop/devstack"
	"github.com/curbstop/curbstop/store"
)

// DatabaseURLVariable names the environment variable with the URL of an
// existing cluster, whose role may create databases. Without it, each test
// process starts a cluster of its own.
const DatabaseURLVariable = "CURBSTOP_TEST_DATABASE_URL"

// stopTimeout bounds what happens after the tests, when their contexts are done.
const stopTimeout = time.Minute

// Main runs the tests of a package that calls [Database], then stops the
// cluster that was started for them:
//
//	func TestMain(m *testing.M) { testkit.Main(m) }
//
// A process that is killed leaves none behind either on Linux, where the
// cluster is told when its parent dies.
func Main(m *testing.M) {
	databases.inMain = true
	code := m.Run()
	if err := databases.close(); err != nil {
		fmt.Fprintln(os.Stderr, "testkit:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// Database gives the URL of a new database with the current schema, which is
// dropped when the test ends. It is a copy of one that was migrated once for
// the process, so it costs some tens of milliseconds.
func Database(t testing.TB) string {
	t.Helper()
	if !databases.inMain {
		t.Fatal("testkit.Database needs: func TestMain(m *testing.M) { testkit.Main(m) }")
	}
	databases.once.Do(databases.open)
	if databases.err != nil {
		t.Fatalf("no PostgreSQL for the tests: %v", databases.err)
	}
	name := "test_" + strings.ToLower(rand.Text())
	if err := databases.create(t.Context(), name, databases.template); err != nil {
		t.Fatalf("create a test database: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		if err := databases.drop(ctx, name); err != nil {
			t.Errorf("drop a test database: %v", err)
		}
	})
	return databases.urlOf(name)
}

// cluster is the PostgreSQL cluster of this test process.
type cluster struct {
	inMain   bool
	once     sync.Once
	err      error
	url      *url.URL // of a database that is always there
	template string   // the migrated database that is copied
	stack    *devstack.Stack
	copying  sync.Mutex // PostgreSQL refuses to copy a database while another session works on it
}

var databases cluster

func (c *cluster) open() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	c.err = c.start(ctx)
}

func (c *cluster) start(ctx context.Context) (err error) {
	address := os.Getenv(DatabaseURLVariable)
	if address == "" {
		if c.stack, err = devstack.Start(ctx, devstack.Options{Ephemeral: true, PostgresOnly: true}); err != nil {
			return err
		}
		address = c.stack.PostgresURL("postgres")
	}
	if c.url, err = url.Parse(address); err != nil {
		return errors.New(DatabaseURLVariable + " is not a URL") // the error would show the password
	}
	template := "template_" + strings.ToLower(rand.Text())
	if err := c.create(ctx, template, "template1"); err != nil {
		return err
	}
	c.template = template
	_, err = store.Migrate(ctx, c.urlOf(template))
	return err
}

func (c *cluster) urlOf(database string) string {
	u := *c.url
	u.Path = "/" + database
	return u.String()
}

func (c *cluster) create(ctx context.Context, name, template string) error {
	c.copying.Lock()
	defer c.copying.Unlock()
	return c.execute(ctx, "CREATE DATABASE "+name+" TEMPLATE "+template)
}

func (c *cluster) drop(ctx context.Context, name string) error {
	return c.execute(ctx, "DROP DATABASE "+name+" WITH (FORCE)")
}

func (c *cluster) execute(ctx context.Context, statement string) error {
	connection, err := pgx.Connect(ctx, c.url.String())
	if err != nil {
		return err
	}
	defer connection.Close(ctx)
	_, err = connection.Exec(ctx, statement)
	return err
}

// close removes what was made: the template from somebody else's cluster, or
// the whole of our own.
func (c *cluster) close() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	switch {
	case c.stack != nil:
		err = c.stack.Close(ctx)
	case c.template != "":
		err = c.drop(ctx, c.template)
	}
	return err
}
