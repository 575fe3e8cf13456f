// Command temporald runs a Temporal server and its web UI in one process on a PostgreSQL.
//
// It is the production server on the production store: the frontend, history, matching and worker services that a
// large installation spreads over many machines, here in one process that listens on the loopback interface only.
// At every start it creates its two databases when they are missing and brings their schema to the version of the
// server that is built in, so an upgrade is a restart with a newer binary.
//
// The password of PostgreSQL is read from the environment variable TEMPORALD_POSTGRES_PASSWORD and from nowhere
// else, because a command line is visible to every user of the machine.
//
// The program lives in a Go module of its own, so that the server's dependencies stay out of the product's binary.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	uiserver "github.com/temporalio/ui-server/v2/server"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	uioptions "github.com/temporalio/ui-server/v2/server/server_options"
	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
	"go.temporal.io/server/temporal"
)

// passwordVariable names the environment variable that carries the password of PostgreSQL.
const passwordVariable = "TEMPORALD_POSTGRES_PASSWORD"

// loopback is the only address on which temporald listens. The server has no authentication of its own here, so a
// wider address would hand every case to whoever reaches the port.
const loopback = "127.0.0.1"

// settings is what the command line and the environment decide.
type settings struct {
	postgresHost      string
	postgresPort      int
	postgresUser      string
	postgresPassword  string
	frontendPort      int
	historyPort       int
	matchingPort      int
	workerPort        int
	uiPort            int
	shards            int
	codecEndpoint     string
	dynamicConfigFile string
	logLevel          string
}

func main() { os.Exit(exitCode(os.Args[1:])) }

// exitCode runs the program and returns 0 after a stop that was asked for, 2 for a command line that cannot be
// understood and 1 for everything else.
func exitCode(args []string) int {
	s, err := parseSettings(args)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "temporald:", err)
		return 2
	}
	logger := log.NewZapLogger(log.BuildZapLogger(log.Config{Level: s.logLevel, Format: "json"}))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends a stop that hangs, because the first one gives back the default handling.
	context.AfterFunc(ctx, stop)
	if err := run(ctx, s, logger); err != nil {
		logger.Error("temporald ended with an error", tag.Error(err))
		return 1
	}
	return 0
}

// parseSettings reads the flags and the password. Ports that are left at 0 are replaced by free ones, except those of
// the frontend and the UI, which people and programs must be able to find.
func parseSettings(args []string) (settings, error) {
	s := settings{postgresPassword: os.Getenv(passwordVariable)}
	flags := flag.NewFlagSet("temporald", flag.ContinueOnError)
	flags.StringVar(&s.postgresHost, "postgres-host", loopback, "host of PostgreSQL")
	flags.IntVar(&s.postgresPort, "postgres-port", 5432, "port of PostgreSQL")
	flags.StringVar(&s.postgresUser, "postgres-user", "temporal", "user of PostgreSQL, who may create databases; the password comes from "+passwordVariable)
	flags.IntVar(&s.frontendPort, "frontend-port", 7233, "gRPC port for clients and workers")
	flags.IntVar(&s.uiPort, "ui-port", 8233, "HTTP port of the web UI")
	flags.IntVar(&s.historyPort, "history-port", 0, "gRPC port of the history service (0: a free one)")
	flags.IntVar(&s.matchingPort, "matching-port", 0, "gRPC port of the matching service (0: a free one)")
	flags.IntVar(&s.workerPort, "worker-port", 0, "gRPC port of the system worker (0: a free one)")
	flags.IntVar(&s.shards, "shards", 512, "number of history shards; the first start on a database fixes it for good")
	flags.StringVar(&s.codecEndpoint, "codec-endpoint", "", "URL at which the web UI has payloads decoded")
	flags.StringVar(&s.dynamicConfigFile, "dynamic-config", "", "file with dynamic configuration, read again when it changes")
	flags.StringVar(&s.logLevel, "log-level", "warn", "least level to log: debug, info, warn, error")
	if err := flags.Parse(args); err != nil {
		return settings{}, err
	}
	if flags.NArg() > 0 {
		return settings{}, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if s.shards < 1 || s.shards > 16384 {
		return settings{}, fmt.Errorf("-shards %d: want 1 to 16384", s.shards)
	}
	return s, s.fillPorts()
}

// fillPorts chooses a free port for each internal service that has none. All listeners are open at the same time
// before any is closed, so that no port is chosen twice.
func (s *settings) fillPorts() error {
	for _, port := range []*int{&s.historyPort, &s.matchingPort, &s.workerPort} {
		if *port != 0 {
			continue
		}
		listener, err := net.Listen("tcp", net.JoinHostPort(loopback, "0"))
		if err != nil {
			return fmt.Errorf("find a free port: %w", err)
		}
		defer listener.Close()
		bound, ok := listener.Addr().(*net.TCPAddr)
		if !ok {
			return fmt.Errorf("a TCP listener reports the address %s", listener.Addr())
		}
		*port = bound.Port
	}
	return nil
}

// run prepares the databases, starts the server and the UI, and returns when ctx is done and both have stopped.
func run(ctx context.Context, s settings, logger log.Logger) error {
	if err := prepareDatabases(ctx, s, logger); err != nil {
		return err
	}
	options := []temporal.ServerOption{
		temporal.WithConfig(serverConfig(s)),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithStaticHosts(staticHosts(s)),
		temporal.WithLogger(logger),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
	}
	if s.dynamicConfigFile == "" {
		options = append(options, temporal.WithDynamicConfigClient(smallServer()))
	}
	server, err := temporal.NewServer(options...)
	if err != nil {
		return fmt.Errorf("configure the server: %w", err)
	}
	if err := server.Start(); err != nil {
		return fmt.Errorf("start the server: %w", err)
	}
	ui := newUI(s)
	uiEnded := make(chan error, 1)
	// The UI ends the process itself when it cannot listen, so what arrives here is only a stop.
	go func() { uiEnded <- ui.Start() }()

	<-ctx.Done()
	ui.Stop()
	return errors.Join(<-uiEnded, server.Stop())
}

// newUI returns the web UI. It fetches nothing from outside: its assets are built in, and news stays off.
func newUI(s settings) *uiserver.Server {
	return uiserver.NewServer(uioptions.WithConfigProvider(&uiconfig.Config{
		Host:                loopback,
		Port:                s.uiPort,
		TemporalGRPCAddress: address(s.frontendPort),
		EnableUI:            true,
		HideLogs:            true,
		DisableNewsFetch:    true,
		// The loopback interface is served without TLS, where a browser would drop a secure cookie.
		CORS:  uiconfig.CORS{CookieInsecure: true},
		Codec: uiconfig.Codec{Endpoint: s.codecEndpoint, PassAccessToken: s.codecEndpoint != ""},
	}))
}

// address returns the loopback address with the given port.
func address(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }
