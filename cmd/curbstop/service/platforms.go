package service

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms"
	"github.com/curbstop/curbstop/platforms/adapters"
	"github.com/curbstop/curbstop/platforms/inbox"
	"github.com/curbstop/curbstop/platforms/progress"
	"github.com/curbstop/curbstop/platforms/property"
	"github.com/curbstop/curbstop/platforms/senders"
)

// makers make the adapters that the senders' file may name; fees is nil where
// no billing system is connected.
func makers(fees property.Balances) senders.Adapters {
	all := senders.Adapters{}
	for _, name := range adapters.Names() {
		all[name] = func(s senders.Setup) (platforms.Adapter, error) {
			return adapters.New(name, adapters.Setup{Mapping: s.Mapping, Channel: s.Channel, Database: s.Exchange.URL, Token: s.Secrets["token"], Balances: fees})
		}
	}
	return all
}

// receiver makes the inbox of platforms' messages, once for this process.
func (s *Service) receiver() (*inbox.Inbox, error) {
	if s.inbox != nil {
		return s.inbox, nil
	}
	all, err := s.Config.Senders()
	if err != nil {
		return nil, err
	}
	s.inbox = inbox.New(inbox.Options{
		Senders: all, Book: s.Store, Desk: s.Desk, Serves: s.serves, Now: time.Now, Logger: s.log,
	})
	return s.inbox, nil
}

// Unplayed names the senders of the demo's file that ask for what this
// installation does not serve: the project platform brings leads for both
// utilities.
func (s *Service) Unplayed() (senders []string) {
	if !slices.Contains(s.Policy.Utilities, casework.Gas) {
		senders = append(senders, "gonggai")
	}
	return senders
}

// takeUp takes up what platforms sent; with poll it also asks their exchange
// tables, and tells them how their cases come on. It gives the function that
// stops it once what is under way has ended.
func (s *Service) takeUp(in *inbox.Inbox, poll bool) func(context.Context) error {
	stops := []func(context.Context) error{s.beside("messages of platforms were still being taken up", func(ctx context.Context) { in.Run(ctx, poll) })}
	if poll {
		reporter := progress.New(progress.Options{Senders: in.Senders, Book: s.Store, Settle: s.Config.ReportSettle, FirstRetry: s.Config.ReportRetry, Logger: s.log})
		stops = append(stops, s.beside("platforms were still being told", reporter.Run))
	}
	return func(ctx context.Context) error {
		for _, stop := range stops {
			if err := stop(ctx); err != nil {
				return err
			}
		}
		return nil
	}
}

// beside runs something beside the service until it is stopped.
func (s *Service) beside(still string, run func(context.Context)) func(context.Context) error {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		run(ctx)
	}()
	return func(closing context.Context) error {
		cancel()
		select {
		case <-ended:
			return nil
		case <-closing.Done():
			return fmt.Errorf("%s: %w", still, closing.Err())
		}
	}
}
