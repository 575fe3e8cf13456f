package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/cmd/curbstop/service"
	"github.com/curbstop/curbstop/demo"
	"github.com/curbstop/curbstop/platforms/sim"
)

// outside plays the platforms beside the demo.
type outside struct {
	options sim.Options
	world   *sim.World
	played  chan error
}

// requests are how many the platforms of the demo send, over all of them, and
// rate how many a second.
const (
	requests = 20
	rate     = 2
)

// meet agrees with the platforms on secrets and tables before anything is
// started that reads them. Who has senders of one's own, or another PostgreSQL,
// plays them by `curbstop platform-sim`.
func (o *outside) meet(ctx context.Context, e *embedded, c *service.Config, dataDir string, say func(string)) error {
	if c.SendersFile != "" || e.stack == nil {
		say("使用自己的来件方或数据库，不扮演平台 senders or a database of your own: the platforms are not played")
		return nil
	}
	o.options = sim.Options{Requests: requests, Rate: rate, Shares: sim.DemoShares(), Listen: freeAddress(ctx), Getenv: os.Getenv, Exchange: e.stack.PostgresURL("exchange")}
	o.options.Senders = sim.DemoSenders(o.options.Listen)
	secrets, err := sim.Secrets(o.options.Senders)
	if err != nil {
		return err
	}
	secrets["CURBSTOP_EXCHANGE_URL"] = o.options.Exchange
	// Both sides run in this process and read the same environment.
	for name, value := range secrets {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	if err := createDatabase(ctx, e.stack.PostgresURL("curbstop"), "exchange"); err != nil {
		return fmt.Errorf("the exchange database: %w", err)
	}
	if err := sim.MakeTables(ctx, o.options.Exchange); err != nil {
		return err
	}
	o.playBilling(c)
	c.SendersFile = filepath.Join(dataDir, "demo-senders.yaml")
	c.IdentityURL, c.IdentityServiceID = "http://"+o.options.Listen+"/identity/swap", "CURBSTOP-DEMO"
	// What people wait days for takes seconds here.
	c.ReportSettle, c.ReportRetry = time.Second, 2*time.Second
	return os.WriteFile(c.SendersFile, o.options.Senders, 0o600)
}

// freeAddress is where the stand-in listens: its usual address, or a free one.
func freeAddress(ctx context.Context) string {
	var config net.ListenConfig
	for _, address := range []string{"127.0.0.1:8790", "127.0.0.1:0"} {
		if l, err := config.Listen(ctx, "tcp", address); err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	return "127.0.0.1:8790" // whoever listens there says so
}

func createDatabase(ctx context.Context, url, name string) error {
	db, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close(ctx) }()
	var there bool
	if err := db.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&there); err != nil || there {
		return err
	}
	_, err = db.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
	return err
}

// begin has the platforms send, beside the play.
func (o *outside) begin(ctx context.Context, e *embedded, say func(string)) error {
	if o.options.Listen == "" {
		return nil
	}
	o.options.Target, o.options.Without = "http://"+e.Address, e.Unplayed()
	for _, u := range e.Policy.Utilities {
		o.options.Serves = append(o.options.Serves, string(u))
	}
	var err error
	if o.world, err = sim.Open(ctx, o.options); err != nil {
		return err
	}
	say(fmt.Sprintf("各平台开始发送 the platforms begin to send；账本 ledger http://%s/ledger", o.world.Address()))
	o.played = make(chan error, 1)
	go func() { o.played <- o.world.Play(ctx) }()
	return nil
}

// summary says what came in through which platform, and what is kept or stuck.
func (o *outside) summary(ctx context.Context, play *demo.Play, out io.Writer) error {
	if o.world == nil {
		return nil
	}
	if err := errors.Join(<-o.played, o.world.Await(ctx, time.Minute)); err != nil {
		return err
	}
	fmt.Fprintln(out, "\n平台来件与回告 what platforms sent, and what they were told")
	o.world.Print(out)
	office := demo.Client{Base: play.Base, Token: play.Tokens[casework.TaskforceOffice], HTTP: &http.Client{Timeout: time.Minute}}
	kept, err := demo.All[casework.InboxMessage](ctx, office, "/v1/inbox?state=kept")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "来件待人工处理 messages kept for mending  %d\n", len(kept))
	for _, m := range kept {
		fmt.Fprintf(out, "  %s  %s  %s\n", m.ID, m.Sender, why(m.Fault))
	}
	stuck, err := demo.All[casework.ProgressReport](ctx, office, "/v1/progress-reports?state=stuck")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "回告受阻 reports stuck  %d\n", len(stuck))
	return nil
}

// why is the first thing that is wrong with a message, with how many more.
func why(f *casework.Fault) string {
	if f == nil {
		return ""
	}
	if len(f.Fields) == 0 {
		return f.ZH
	}
	said := f.Fields[0].Field + " " + f.Fields[0].ZH
	if more := len(f.Fields) - 1; more > 0 {
		said += fmt.Sprintf("（另有 %d 处）", more)
	}
	return strings.ReplaceAll(said, "\n", " ")
}

func (o *outside) close() error {
	if o.world == nil {
		return nil
	}
	return o.world.Close()
}
