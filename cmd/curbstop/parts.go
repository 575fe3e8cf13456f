package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/curbstop/curbstop/api"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/cmd/curbstop/service"
	"github.com/curbstop/curbstop/policy"
)

// closeTimeout is how long a process waits for requests under way when it is
// told to stop.
const closeTimeout = 20 * time.Second

// serve opens a service, starts what is asked, and lives until it is told to
// stop.
func serve(ctx context.Context, start func(s *service.Service) error) error {
	c, err := configuration()
	if err != nil {
		return err
	}
	s, err := service.Open(ctx, c, slog.Default())
	if err != nil {
		return err
	}
	err = start(s)
	if err == nil {
		<-ctx.Done()
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	return errors.Join(err, s.Close(closing))
}

func configuration() (service.Config, error) {
	c, err := service.FromEnvironment()
	c.Version = buildVersion()
	return c, err
}

func apiCommand() *cobra.Command {
	return &cobra.Command{
		Use: "api", Short: "serve the HTTP API on an existing PostgreSQL and Temporal", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serve(cmd.Context(), func(s *service.Service) error {
				if err := s.StartAPI(cmd.Context()); err != nil {
					return err
				}
				slog.Info("The API listens.", "address", s.Address)
				return nil
			})
		},
	}
}

func workerCommand() *cobra.Command {
	return &cobra.Command{
		Use: "worker", Short: "work on cases, on an existing PostgreSQL and Temporal", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serve(cmd.Context(), func(s *service.Service) error {
				if err := s.StartWorker(); err != nil {
					return err
				}
				slog.Info("The worker has started.")
				return nil
			})
		},
	}
}

func migrateCommand() *cobra.Command {
	return &cobra.Command{
		Use: "migrate", Short: "bring schema, calendar, namespace and search attributes up to date", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := configuration()
			if err != nil {
				return err
			}
			return service.Migrate(cmd.Context(), c, slog.Default())
		},
	}
}

func healthCommand() *cobra.Command {
	all := false
	health := &cobra.Command{
		Use: "health", Short: "ask the API whether it is ready, and which parts answer; for container health checks", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := configuration()
			if err != nil {
				return err
			}
			host, port, err := net.SplitHostPort(c.Listen)
			if err != nil {
				return fmt.Errorf("CURBSTOP_LISTEN: %w", err)
			}
			if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
				host = "127.0.0.1"
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), 5*time.Second)
			defer cancel()
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
			if err != nil {
				return err
			}
			answer, err := http.DefaultClient.Do(request)
			if err != nil {
				return err
			}
			defer answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				return fmt.Errorf("not ready: %s", answer.Status)
			}
			var ready struct {
				Status string
				Parts  map[string]string
			}
			if err := json.NewDecoder(answer.Body).Decode(&ready); err != nil {
				return fmt.Errorf("an answer that can't be read: %w", err)
			}
			for _, part := range slices.Sorted(maps.Keys(ready.Parts)) {
				fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", part, ready.Parts[part])
			}
			if all && ready.Status != "ok" {
				return fmt.Errorf("not all parts answer: %s", ready.Status)
			}
			return nil
		},
	}
	health.Flags().BoolVar(&all, "all", false, "fail also while Temporal or the workers are away and decisions wait")
	return health
}

func staffCommand() *cobra.Command {
	var m casework.Staff
	var roles, districts []string
	var department string
	put := &cobra.Command{
		Use: "put ID", Short: "write a member of staff; the password is read from standard input, empty keeps the old one", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m.ID, m.Department, m.Active = args[0], casework.Department(department), true
			for _, r := range roles {
				m.Roles = append(m.Roles, casework.Role(r))
			}
			for _, d := range districts {
				m.Districts = append(m.Districts, casework.District(d))
			}
			password, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), 1<<10))
			if err != nil {
				return err
			}
			return withService(cmd.Context(), func(ctx context.Context, s *service.Service) error {
				return putStaff(ctx, s, m, strings.TrimSpace(string(password)))
			})
		},
	}
	put.Flags().StringVar(&m.Name, "name", "", "name as colleagues see it")
	put.Flags().StringVar(&m.Email, "email", "", "where messages reach them; none: by mail not at all")
	put.Flags().StringVar(&department, "department", "", "department code")
	put.Flags().StringSliceVar(&roles, "role", nil, "role code; may be repeated")
	put.Flags().StringSliceVar(&districts, "district", []string{string(casework.AllDistricts)}, "district code; may be repeated; * is the whole city")
	staff := &cobra.Command{Use: "staff", Short: "the table of staff"}
	staff.AddCommand(put, leaveCommand())
	return staff
}

func leaveCommand() *cobra.Command {
	h := casework.StaffHandOver{Leaving: true, By: "command line"}
	leave := &cobra.Command{
		Use: "leave ID", Short: "switch off who leaves and hand over all their open tasks", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h.Person = args[0]
			return withService(cmd.Context(), func(ctx context.Context, s *service.Service) error {
				got, left, err := leave(ctx, s, h)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "已停用并移交 switched off and handed over: %s，%d 案 cases，接手 to %s %d 项 tasks，退回部门 to departments %d 项 tasks，尚有 left %d\n",
					got.Person, got.Handed.Cases, cmp.Or(got.To, "—"), got.Handed.ToPerson, got.Handed.ToDepartment, left)
				return err
			})
		},
	}
	leave.Flags().StringVar(&h.To, "to", "", "staff number of who takes over; the departments where none is named or it does not suit")
	leave.Flags().StringVar(&h.Reason, "reason", "", "why; stands in the history of each case")
	return leave
}

// leave hands over what a person holds, whose account it switches off, and
// tells how many open tasks are left. What takes longer goes on in the worker.
func leave(ctx context.Context, s *service.Service, h casework.StaffHandOver) (got casework.StaffHandOver, left int, err error) {
	person, err := s.Store.Staff(ctx, h.Person)
	if err != nil {
		return got, 0, err
	}
	var to *casework.Staff
	if h.To != "" {
		colleague, err := s.Store.Staff(ctx, h.To)
		if err != nil {
			return got, 0, err
		}
		to = &colleague
	}
	if err := h.Validate(person, to); err != nil {
		return got, 0, errors.New(policy.Describe(err))
	}
	h.At = time.Now()
	h.ID = h.Person + "-" + strings.ToLower(rand.Text()[:12])
	if err := s.Store.Audit(ctx, casework.AuditEntry{At: h.At, Actor: h.By, What: "work_handed_over", Target: h.Person}); err != nil {
		return got, 0, err
	}
	if got, _, err = s.Store.BeginHandOver(ctx, h); err != nil {
		return got, 0, err
	}
	if err := s.Desk.StartHandOver(ctx, got, closeTimeout); err != nil {
		return got, 0, err
	}
	if got, err = s.Store.StaffHandOver(ctx, h.ID); err != nil {
		return got, 0, err
	}
	left, err = s.Store.OpenTasksOf(ctx, h.Person)
	return got, left, err
}

func withService(ctx context.Context, do func(context.Context, *service.Service) error) error {
	c, err := configuration()
	if err != nil {
		return err
	}
	s, err := service.Open(ctx, c, slog.Default())
	if err != nil {
		return err
	}
	return errors.Join(do(ctx, s), s.Close(ctx))
}

// putStaff judges and writes a member of staff.
func putStaff(ctx context.Context, s *service.Service, m casework.Staff, password string) error {
	if err := m.Validate(); err != nil {
		return errors.New(policy.Describe(err))
	}
	hash := ""
	if password != "" {
		if err := api.CheckPassword(password); err != nil {
			return errors.New(policy.Describe(err))
		}
		hash = api.HashPassword(password)
	}
	entry := casework.AuditEntry{At: time.Now(), Actor: "command line", What: "staff_changed", Target: m.ID}
	if err := s.Store.Audit(ctx, entry); err != nil {
		return err
	}
	return s.Store.PutStaff(ctx, m, hash)
}

func tokenCommand() *cobra.Command {
	var lifetime time.Duration
	c := &cobra.Command{
		Use: "token ID", Short: "print a token of the built-in issuer for a member of staff", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := configuration()
			if err != nil {
				return err
			}
			token, err := issue(c, args[0], lifetime)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), token)
			return err
		},
	}
	c.Flags().DurationVar(&lifetime, "lifetime", time.Hour, "how long it is valid")
	return c
}

// issue makes a token with the installation's own key.
func issue(c service.Config, staffID string, lifetime time.Duration) (string, error) {
	key, err := base64.StdEncoding.DecodeString(c.JWTKey)
	if err != nil || len(key) == 0 {
		return "", errors.New("CURBSTOP_JWT_KEY is not set")
	}
	return api.IssueToken(key, staffID, lifetime, time.Now())
}
