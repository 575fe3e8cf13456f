// Package e2e goes in through the front door: a real PostgreSQL, a real
// Temporal server, the API over HTTP, started once and shared by every test.
package e2e_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/api"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/cmd/curbstop/service"
	"github.com/curbstop/curbstop/demo"
	"github.com/curbstop/curbstop/devstack"
	"github.com/curbstop/curbstop/platforms/sim"
	"github.com/curbstop/curbstop/policy"
)

// place is the installation under test.
var place *installation

type installation struct {
	stack  *devstack.Stack
	config service.Config
	*service.Service
	tokens map[casework.Role]string
	// The stand-in for the platforms is told here, and its exchange tables are there.
	world, exchange string
}

func TestMain(m *testing.M) {
	code, err := func() (int, error) {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
		defer cancel()
		var err error
		if place, err = install(ctx); err != nil {
			return 1, errors.Join(err, place.close())
		}
		return m.Run(), place.close()
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

// install starts everything under the demo's policy, whose days last seconds.
func install(ctx context.Context) (*installation, error) {
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})))
	p := &installation{tokens: map[casework.Role]string{}}
	var err error
	if p.stack, err = devstack.Start(ctx, devstack.Options{Ephemeral: true, Logger: slog.Default()}); err != nil {
		return p, err
	}
	if err := p.meetPlatforms(ctx); err != nil {
		return p, err
	}
	rules := policy.Demo()
	p.config = service.Config{
		DatabaseURL: p.stack.PostgresURL("curbstop"), TemporalAddress: p.stack.TemporalAddress, Listen: "127.0.0.1:0",
		BlobURL: "file://" + filepath.Join(p.stack.DataDir, "documents"), Policy: &rules, PublicPerMinute: 1_000_000,
		BillingURL: sim.BillingURL(p.world), BillingToken: "e2e-billing", // there while the stand-in is
		SendersFile: filepath.Join(p.stack.DataDir, "senders.yaml"), ReportSettle: 100 * time.Millisecond, ReportRetry: 200 * time.Millisecond,
		IdentityURL: "http://" + p.world + "/identity/swap", IdentityServiceID: "TEST-SERVICE-ID",
	}
	if _, err := p.config.LocalKeys(p.stack.DataDir); err != nil {
		return p, err
	}
	if err := service.Migrate(ctx, p.config, slog.Default()); err != nil {
		return p, err
	}
	if err := p.open(ctx); err != nil {
		return p, err
	}
	for _, m := range demo.Staff() {
		if err := p.Store.PutStaff(ctx, m, ""); err != nil {
			return p, err
		}
		if p.tokens[m.Roles[0]] != "" {
			continue
		}
		if p.tokens[m.Roles[0]], err = p.issue(m.ID); err != nil {
			return p, err
		}
	}
	return p, nil
}

// issue gives a token for a member of staff.
func (p *installation) issue(staff string) (string, error) {
	key, err := base64.StdEncoding.DecodeString(p.config.JWTKey)
	if err != nil {
		return "", err
	}
	return api.IssueToken(key, staff, time.Hour, time.Now())
}

// open starts the processes; after a close it starts them again on the same data.
func (p *installation) open(ctx context.Context) error {
	var err error
	if p.Service, err = service.Open(ctx, p.config, slog.Default()); err != nil {
		return err
	}
	if err := p.StartWorker(); err != nil {
		return err
	}
	if err := p.StartAPI(ctx); err != nil {
		return err
	}
	p.config.Listen = p.Address
	return nil
}

func (p *installation) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var errs []error
	if p.Service != nil {
		errs = append(errs, p.Service.Close(ctx))
	}
	if p.stack != nil {
		errs = append(errs, p.stack.Close(ctx))
	}
	return errors.Join(errs...)
}

// as gives a client for somebody with a role; without one, a customer's.
func as(r casework.Role) demo.Client {
	return demo.Client{Base: "http://" + place.Address, Token: place.tokens[r], HTTP: &http.Client{Timeout: time.Minute}}
}

// opened is a case that a test opened for itself.
type opened struct {
	Number string `json:"number"`
	Code   string `json:"code"`
	Status string `json:"status"`
}

// openCase sends a request under a number of the test's own.
func openCase(t *testing.T, external string) opened {
	t.Helper()
	var o opened
	require.NoError(t, as(casework.ServiceHall).Post(t.Context(), "/v1/connection-requests", "open-"+external, request(external), &o))
	return o
}

func request(external string) map[string]any {
	return map[string]any{
		"utility": "water", "channel": "service_hall", "external_number": external,
		"applicant": map[string]any{"name": "芜湖瑞安医疗器械有限公司", "credit_code": "91340223RDUELXGQ0Y"},
		"contact":   map[string]any{"name": "秦刚丽", "phone": "13900007716"},
		"site":      map[string]any{"district": "340223", "address": "芜湖市南陵县涌珠泉路287号"},
	}
}

// play works a case of a test straight to its end.
func play(t *testing.T, o opened) {
	t.Helper()
	p := &demo.Play{Base: "http://" + place.Address, Tokens: place.tokens, Hurry: true, Say: t.Logf}
	require.NoError(t, p.Straight(t.Context(), o.Number, o.Code))
}

// refused checks that the API refuses with a status and code, in both languages.
func refused(t *testing.T, err error, status int, code string) {
	t.Helper()
	var p *demo.Problem
	require.ErrorAs(t, err, &p)
	require.Equal(t, fmt.Sprint(status, " ", code), fmt.Sprint(p.Status, " ", p.Code), p.Error())
	require.True(t, strings.ContainsFunc(p.Detail, func(r rune) bool { return r > 0x4e00 && r < 0x9fff }), p.Detail)
}
