package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/contract"
	"github.com/curbstop/curbstop/seal"
	"github.com/curbstop/curbstop/store"
)

// Migrate brings the database's schema, the calendar's seed, and Temporal's
// namespace, search attributes and schedules up to date. It may be run again at any time,
// and beside running processes of the version before.
func Migrate(ctx context.Context, c Config, logger *slog.Logger) error {
	if c.DatabaseURL == "" {
		return errNoDatabase
	}
	p, err := c.policy()
	if err != nil {
		return err
	}
	applied, err := store.Migrate(ctx, c.DatabaseURL)
	if err != nil {
		return err
	}
	if err := seedCalendar(ctx, c.DatabaseURL); err != nil {
		return err
	}
	options, err := c.temporal(logger)
	if err != nil {
		return err
	}
	if err := register(ctx, options, p.Retention()); err != nil {
		return err
	}
	if err := retry(ctx, func() error { return watchCalendar(ctx, options) }); err != nil {
		return err
	}
	logger.Info("Schema, calendar, namespace, search attributes and schedules are up to date.", "migrations", applied, "namespace", options.Namespace)
	return nil
}

// seedCalendar fills the table of notices where it is empty. It touches nothing
// that is sealed, so a key of the moment serves and the migration needs no secret.
func seedCalendar(ctx context.Context, url string) error {
	ring, err := seal.ParseRing(seal.NewKey("migration"))
	if err != nil {
		return err
	}
	s, err := store.Open(ctx, url, store.Options{Ring: ring, MaxConns: 2})
	if err != nil {
		return err
	}
	defer s.Close()
	return s.SeedNotices(ctx, calendar.Seed())
}

// register makes the namespace and adds the search attributes that are missing,
// through the same API on the embedded server and on a foreign cluster.
func register(ctx context.Context, options client.Options, retention time.Duration) error {
	namespaces, err := client.NewNamespaceClient(options)
	if err != nil {
		return fmt.Errorf("connect to Temporal: %w", err)
	}
	defer namespaces.Close()
	err = namespaces.Register(ctx, &workflowservice.RegisterNamespaceRequest{
		Namespace: options.Namespace, WorkflowExecutionRetentionPeriod: durationpb.New(retention),
		Description: "用水用气报装 water and gas connections",
	})
	var exists *serviceerror.NamespaceAlreadyExists
	var denied *serviceerror.PermissionDenied
	// Temporal Cloud makes namespaces in its own console and refuses here.
	if err != nil && !errors.As(err, &exists) && !errors.As(err, &denied) {
		return fmt.Errorf("register the namespace %s: %w", options.Namespace, err)
	}
	return retry(ctx, func() error { return addSearchAttributes(ctx, options) })
}

// searchable asks for every attribute at once: the server's caches refuse a
// query, and the start of a workflow, by an attribute that they have yet to learn.
func searchable(ctx context.Context, c client.Client, namespace string) error {
	var terms []string
	for _, key := range contract.SearchAttributeKeys() {
		terms = append(terms, key.GetName()+" IS NULL")
	}
	_, err := c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Namespace: namespace, Query: strings.Join(terms, " AND ")})
	if err != nil {
		return fmt.Errorf("wait for the search attributes: %w", err)
	}
	return nil
}

func addSearchAttributes(ctx context.Context, options client.Options) error {
	c, err := client.DialContext(ctx, options)
	if err != nil {
		return fmt.Errorf("connect to Temporal: %w", err)
	}
	defer c.Close()
	known, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: options.Namespace})
	if err != nil {
		return fmt.Errorf("list search attributes: %w", err)
	}
	missing := map[string]enumspb.IndexedValueType{}
	for _, key := range contract.SearchAttributeKeys() {
		if _, ok := known.GetCustomAttributes()[key.GetName()]; !ok {
			missing[key.GetName()] = key.GetValueType()
		}
	}
	if len(missing) == 0 {
		return searchable(ctx, c, options.Namespace)
	}
	if _, err = c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace: options.Namespace, SearchAttributes: missing,
	}); err != nil {
		return fmt.Errorf("add search attributes: %w", err)
	}
	return searchable(ctx, c, options.Namespace)
}

// retry waits for what the server's caches have yet to learn: a namespace that
// was just registered is unknown to them for some seconds.
func retry(ctx context.Context, do func() error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := do()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(500 * time.Millisecond):
		}
	}
}
