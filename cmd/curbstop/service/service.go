package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/log"

	"github.com/curbstop/curbstop/activities"
	"github.com/curbstop/curbstop/api"
	"github.com/curbstop/curbstop/archive"
	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
	"github.com/curbstop/curbstop/drafts"
	"github.com/curbstop/curbstop/notify"
	"github.com/curbstop/curbstop/platforms/inbox"
	"github.com/curbstop/curbstop/policy"
	"github.com/curbstop/curbstop/seal"
	"github.com/curbstop/curbstop/store"
	"github.com/curbstop/curbstop/worker"
)

// Service is a running part of curbstop, with what the parts share. Open it,
// start the API, the worker or both, and close it.
type Service struct {
	Config   Config
	Policy   policy.Policy // in force when it was opened
	Policies *policy.Shelf
	Ring     *seal.Ring
	Store    *store.Store
	Archive  *archive.Archive
	Temporal client.Client
	// Namespace is that of Temporal in which the cases are.
	Namespace string
	Desk      *api.TemporalDesk
	Address   string // where the API listens, host:port; set by StartAPI

	log   *slog.Logger
	inbox *inbox.Inbox
	stops []func(context.Context) error // in the order of starting
}

// Open connects to PostgreSQL, Temporal and the documents. The schema and the
// namespace must be there: see [Migrate].
func Open(ctx context.Context, c Config, logger *slog.Logger) (_ *Service, err error) {
	s := &Service{Config: c, log: logger}
	defer func() {
		if err != nil {
			_ = s.Close(context.WithoutCancel(ctx))
		}
	}()
	configured, err := c.policy()
	if err != nil {
		return nil, err
	}
	if s.Ring, err = c.ring(); err != nil {
		return nil, err
	}
	if c.DatabaseURL == "" {
		return nil, errNoDatabase
	}
	if s.Store, err = store.Open(ctx, c.DatabaseURL, store.Options{Ring: s.Ring, MaxConns: 40}); err != nil {
		return nil, err
	}
	s.stops = append(s.stops, func(context.Context) error { return s.Store.Close() })
	s.Policies = policy.NewShelf(s.Store)
	if s.Policy, err = s.Policies.Current(ctx); err != nil {
		return nil, err
	}
	if c.PolicyFile != "" && configured.Version != s.Policy.Version {
		logger.Warn("The configured policy file is not the version in force; publish it by curbstop migrate or curbstop policy publish.",
			"file", c.PolicyFile, "version", configured.Version, "in_force", s.Policy.Version)
	}
	if c.BlobURL == "" {
		return nil, errors.New("CURBSTOP_BLOB_URL is not set: where documents are kept, such as file:///var/lib/curbstop/documents")
	}
	if s.Archive, err = archive.Open(ctx, c.BlobURL, s.Ring); err != nil {
		return nil, err
	}
	s.stops = append(s.stops, func(context.Context) error { return s.Archive.Close() })
	options, err := c.temporal(logger)
	if err != nil {
		return nil, err
	}
	s.Namespace = options.Namespace
	options.DataConverter, options.FailureConverter = contract.Converter(s.Ring), contract.Failures(s.Ring)
	if s.Temporal, err = client.DialContext(ctx, options); err != nil {
		return nil, fmt.Errorf("connect to Temporal: %w", err)
	}
	s.stops = append(s.stops, func(context.Context) error { s.Temporal.Close(); return nil })
	s.Desk = &api.TemporalDesk{Client: s.Temporal, Store: s.Store, Terms: s.Policies.TermsFor, Now: time.Now}
	return s, nil
}

var errNoDatabase = errors.New("CURBSTOP_DATABASE_URL is not set: postgres://user:password@host:5432/curbstop")

// temporal gives the options of a client: the embedded server's address, or
// what the SDK reads from its own environment (address, namespace, TLS, key).
func (c Config) temporal(logger *slog.Logger) (client.Options, error) {
	options := client.Options{HostPort: c.TemporalAddress}
	if c.TemporalAddress == "" {
		var err error
		if options, err = envconfig.LoadDefaultClientOptions(); err != nil {
			return client.Options{}, fmt.Errorf("the configuration of Temporal: %w", err)
		}
	}
	if options.Namespace == "" || options.Namespace == client.DefaultNamespace {
		options.Namespace = contract.Namespace
	}
	options.Logger = log.NewStructuredLogger(logger.With("part", "temporal"))
	// Payloads are sealed, and sealed bytes do not shrink: to compress them costs
	// both sides and saves nothing.
	options.ConnectionOptions.GrpcCompression = &client.GrpcCompressionNone{}
	return options, nil
}

// StartWorker begins to work on cases, and to send the messages that they have
// for people.
func (s *Service) StartWorker() error {
	outlets, err := s.Config.Outlets(s.log)
	if err != nil {
		return err
	}
	received, err := s.receiver()
	if err != nil {
		return err
	}
	billing := &activities.Billing{Cases: s.Store, Book: s.Store, Now: time.Now}
	switch system, err := s.Config.billing(); {
	case err != nil:
		return err
	case system == nil:
		s.log.Info("No billing system is connected (CURBSTOP_BILLING_URL); people enter what it would say.")
	default:
		billing.System = system
	}
	w := worker.New(s.Temporal, worker.Activities{
		Records:   &activities.Records{Recorder: s.Store},
		Deadlines: &activities.Deadlines{Calendars: s.Store},
		Documents: &activities.Documents{Cases: s.Store, Archive: s.Archive, Write: drafts.Write},
		Calendar:  &activities.Calendar{Records: s.Store, Signaller: s.Temporal, Terms: s.Policies.Terms},
		HandOvers: &activities.HandOvers{Book: s.Store, Cases: s.Desk, Now: time.Now},
		Passes:    &activities.Passes{Book: s.Store, Cases: s.Desk, Serves: s.serves},

		Billing:      billing,
		Certificates: &activities.Certificates{Receipts: s.Store, Archive: s.Archive},
		Attachments:  &activities.Attachments{Messages: received, Archive: s.Archive},
	}, worker.Options{BuildID: s.Config.BuildID, Versioned: s.Config.BuildID != "", CasesInMemory: s.Config.CasesInMemory})
	if err := w.Start(); err != nil {
		return fmt.Errorf("start the worker: %w", err)
	}
	s.stops = append(s.stops, func(context.Context) error { w.Stop(); return nil }, s.deliver(outlets), s.takeUp(received, true))
	return nil
}

// hours are the business hours of the policy in force.
func (s *Service) hours(ctx context.Context) (calendar.Hours, error) {
	p, err := s.Policies.Current(ctx)
	return p.Hours, err
}

// serves tells by the policy in force whether a utility is served.
func (s *Service) serves(ctx context.Context, u casework.Utility) (bool, error) {
	p, err := s.Policies.Current(ctx)
	return p.Serves(u), err
}

// deliver sends messages, and gives the function that stops it once what is
// under way has ended.
func (s *Service) deliver(outlets *notify.Outlets) func(context.Context) error {
	d := notify.NewDeliverer(notify.Options{
		Outlets: outlets, Outbox: s.Store, Calendars: s.Store, Directory: s.Store, Logger: s.log,
		Hours: s.hours,
	})
	return s.beside("messages were still being sent", d.Run)
}

// StartAPI begins to answer requests, and to start the cases that a process
// accepted and could not start before it ended.
func (s *Service) StartAPI(ctx context.Context) error {
	key, err := s.Config.jwtKey()
	if err != nil {
		return err
	}
	billing, err := s.Config.billing()
	if err != nil {
		return err
	}
	received, err := s.receiver()
	if err != nil {
		return err
	}
	options := api.Options{
		Store: s.Store, Desk: s.Desk, Archive: s.Archive, Ring: s.Ring,
		Auth:  api.AuthOptions{JWTKey: key, OIDCIssuer: s.Config.OIDCIssuer, OIDCAudience: s.Config.OIDCAudience},
		Codec: contract.Codec(s.Ring), Hotline: s.Config.Hotline, Logger: s.log, Printout: drafts.Printout, Paper: drafts.Write,
		Hours:     s.hours,
		Platforms: received,
		PublicURL: s.Config.PublicURL, TemporalUIURL: s.Config.TemporalUIURL, Version: s.Config.Version,
		TrustedProxies: s.Config.TrustedProxies, Limits: api.Limits{PublicPerMinute: s.Config.PublicPerMinute},
	}
	if billing != nil {
		options.Billing = billing
	}
	switch identity, err := s.Config.identity(); {
	case err != nil:
		return err
	case identity != nil:
		options.Identity = identity
	}
	a, err := api.New(options)
	if err != nil {
		return err
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", s.Config.Listen)
	if err != nil {
		return fmt.Errorf("the API can't listen on %s (CURBSTOP_LISTEN): %w", s.Config.Listen, err)
	}
	s.Address = listener.Addr().String()
	server := &http.Server{
		Handler: a.Handler(), ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
		ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
	}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("The API ended.", "error", err)
		}
	}()
	s.stops = append(s.stops, server.Shutdown, s.catchUp(), s.takeUp(received, false))
	return nil
}

// keysFor is how long it is remembered what came with an Idempotency-Key.
const keysFor = 7 * 24 * time.Hour

// catchUp looks once a minute for accepted requests, absences and hand-overs
// whose workflow was never started, and gives the function that stops looking.
func (s *Service) catchUp() func(context.Context) error {
	return s.beside("what was accepted was still being started", func(ctx context.Context) {
		tick := time.NewTicker(time.Minute)
		defer tick.Stop()
		for {
			switch n, err := s.Desk.CatchUp(ctx); {
			case ctx.Err() != nil:
				return
			case err != nil:
				s.log.Warn("Accepted requests wait to be started.", "error", err)
			case n > 0:
				s.log.Info("Cases were started that an earlier process had accepted.", "cases", n)
			}
			if _, err := s.Desk.CatchUpApplications(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("Leads wait to be told of their applications.", "error", err)
			}
			if err := s.Store.ForgetKeys(ctx, time.Now().Add(-keysFor)); err != nil && ctx.Err() == nil {
				s.log.Warn("Old idempotency keys stay for now.", "error", err)
			}
			if _, err := s.Desk.CatchUpCalendar(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("Cases wait to be told of a calendar.", "error", err)
			}
			if n, err := s.Desk.CatchUpBilling(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("Payments and invoices wait to be started.", "error", err)
			} else if n > 0 {
				s.log.Info("Payments and invoices were started that an earlier process had written down.", "count", n)
			}
			if n, err := s.Desk.CatchUpHandOvers(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("Absences and hand-overs wait to be started.", "error", err)
			} else if n > 0 {
				s.log.Info("Absences and hand-overs were started that an earlier process had written down.", "count", n)
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
}

// Close stops what was started, the last first, and disconnects. The context
// bounds how long requests under way are waited for.
func (s *Service) Close(ctx context.Context) error {
	var errs []error
	for _, stop := range slices.Backward(s.stops) {
		errs = append(errs, stop(ctx))
	}
	s.stops = nil
	return errors.Join(errs...)
}
