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
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
	"github.com/curbstop/curbstop/policy"
	"github.com/curbstop/curbstop/seal"
	"github.com/curbstop/curbstop/store"
)

// Migrate brings the database's schema, the calendar's seed, the policy, and
// Temporal's namespace, search attributes and schedules up to date. It may be run again at any time,
// and beside running processes of the version before.
func Migrate(ctx context.Context, c Config, logger *slog.Logger) error {
	if c.DatabaseURL == "" {
		return errNoDatabase
	}
	if _, err := c.policy(); err != nil {
		return err
	}
	applied, err := store.Migrate(ctx, c.DatabaseURL)
	if err != nil {
		return err
	}
	p, err := c.seed(ctx)
	if err != nil {
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
	logger.Info("Schema, calendar, policy, namespace, search attributes and schedules are up to date.", "migrations", applied, "policy", p.Version, "namespace", options.Namespace)
	return nil
}

// OpenUnsealed opens the records for what is not sealed: notices, policies, the
// audit trail. A key of the moment serves, so it needs no secret.
func OpenUnsealed(ctx context.Context, c Config) (*store.Store, error) {
	if c.DatabaseURL == "" {
		return nil, errNoDatabase
	}
	ring, err := seal.ParseRing(seal.NewKey("unsealed"))
	if err != nil {
		return nil, err
	}
	return store.Open(ctx, c.DatabaseURL, store.Options{Ring: ring, MaxConns: 2})
}

// seed fills the table of notices where it is empty, publishes the policy, and
// gives the one in force.
func (c Config) seed(ctx context.Context) (policy.Policy, error) {
	s, err := OpenUnsealed(ctx, c)
	if err != nil {
		return policy.Policy{}, err
	}
	defer s.Close()
	if err := s.SeedNotices(ctx, calendar.Seed()); err != nil {
		return policy.Policy{}, err
	}
	if err := c.publish(ctx, s); err != nil {
		return policy.Policy{}, err
	}
	return policy.NewShelf(s).Current(ctx)
}

// publish publishes the configured policy if its version is not known yet. The
// built-in one steps back where people have published theirs: an upgrade of
// the program is no decision about limits.
func (c Config) publish(ctx context.Context, s *store.Store) error {
	p, err := c.policy()
	if err != nil {
		return err
	}
	if c.Policy == nil && c.PolicyFile == "" {
		current, err := s.CurrentPolicy(ctx)
		switch {
		case err != nil && casework.AsFault(err).Kind != casework.NotFound:
			return err
		case err == nil && current.PublishedBy != casework.System().ID:
			return nil
		}
	}
	_, err = s.PublishPolicy(ctx, casework.PublishedPolicy{Version: p.Version, Name: p.Name, Text: p.Text(), PublishedBy: casework.System().ID})
	if err != nil && c.PolicyFile != "" {
		return fmt.Errorf("%s (CURBSTOP_POLICY): %w", c.PolicyFile, err)
	}
	return err
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
