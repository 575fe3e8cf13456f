// Package service wires the rooms of curbstop into processes: the API, the
// worker, the migration. The command line and the end-to-end tests start the
// same service.
package service

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/curbstop/curbstop/billing/rest"
	"github.com/curbstop/curbstop/notify"
	"github.com/curbstop/curbstop/platforms/portal"
	"github.com/curbstop/curbstop/platforms/property"
	"github.com/curbstop/curbstop/platforms/senders"
	"github.com/curbstop/curbstop/policy"
	"github.com/curbstop/curbstop/seal"
	"github.com/curbstop/curbstop/worker"
)

// Config is read from the environment; docs/runbook.md explains each variable.
// A variable that is set but empty counts as not set.
type Config struct {
	DatabaseURL   string `env:"CURBSTOP_DATABASE_URL"`
	Listen        string `env:"CURBSTOP_LISTEN"`
	BlobURL       string `env:"CURBSTOP_BLOB_URL"`
	JWTKey        string `env:"CURBSTOP_JWT_KEY"`
	OIDCIssuer    string `env:"CURBSTOP_OIDC_ISSUER"`
	OIDCAudience  string `env:"CURBSTOP_OIDC_AUDIENCE"`
	SealKeys      string `env:"CURBSTOP_SEAL_KEYS"`
	PolicyFile    string `env:"CURBSTOP_POLICY"`
	OutletsFile   string `env:"CURBSTOP_OUTLETS"`
	SendersFile   string `env:"CURBSTOP_SENDERS"`
	TemporalUIURL string `env:"CURBSTOP_TEMPORAL_UI_URL"`
	PublicURL     string `env:"CURBSTOP_PUBLIC_URL"`
	Hotline       string `env:"CURBSTOP_HOTLINE"`
	BillingURL    string `env:"CURBSTOP_BILLING_URL"` // empty: no billing system
	BillingToken  string `env:"CURBSTOP_BILLING_TOKEN"`
	// IdentityURL is where the tokens of service codes (办事码) are exchanged; empty:
	// none can be read.
	IdentityURL       string   `env:"CURBSTOP_IDENTITY_URL"`
	IdentityServiceID string   `env:"CURBSTOP_IDENTITY_SERVICE_ID"`
	IdentityRoleCode  string   `env:"CURBSTOP_IDENTITY_ROLE_CODE"`
	TrustedProxies    []string `env:"CURBSTOP_TRUSTED_PROXIES"`
	// PublicPerMinute bounds the calls of customers without a login, per
	// address; zero takes the API's default.
	PublicPerMinute int    `env:"CURBSTOP_PUBLIC_PER_MINUTE"`
	BuildID         string `env:"CURBSTOP_BUILD_ID"` // set: workers are versioned under it
	// CasesInMemory is how many cases a worker keeps in memory; zero takes the
	// worker's default.
	CasesInMemory int `env:"CURBSTOP_CASES_IN_MEMORY"`

	// TemporalAddress is set by the embedded stack; empty leaves everything
	// about Temporal to the SDK's own environment (TEMPORAL_ADDRESS and so on).
	TemporalAddress string `env:"-"`
	// Policy, when set, is what a start publishes in place of a file.
	Policy *policy.Policy `env:"-"`
	// ReportSettle is how long a milestone waits before its platform is told,
	// and ReportRetry when it is told again at first. The demo and the tests, whose
	// days last seconds, set them; zero takes the reporter's own.
	ReportSettle, ReportRetry time.Duration `env:"-"`
	// Version is the binary's, as `curbstop --version` says it.
	Version string `env:"-"`
}

// DefaultListen is where the API listens where nothing else is said.
const DefaultListen = "127.0.0.1:8080"

// FromEnvironment reads the configuration and says what is wrong with it.
func FromEnvironment() (Config, error) {
	var c Config
	if err := env.Parse(&c); err != nil {
		return Config{}, fmt.Errorf("configuration: %w", named(err))
	}
	if c.CasesInMemory < 0 {
		return Config{}, fmt.Errorf("configuration: CURBSTOP_CASES_IN_MEMORY is %d; it must be at least 1, or empty for %d", c.CasesInMemory, worker.DefaultCasesInMemory)
	}
	if c.Listen == "" {
		c.Listen = DefaultListen
	}
	return c, nil
}

// named gives what could not be read under the names of the variables, where the
// parser knows only those of the fields. Of these, numbers alone can be unreadable.
func named(err error) error {
	var all []error
	if aggregate, ok := errors.AsType[env.AggregateError](err); ok {
		for _, e := range aggregate.Errors {
			if p, ok := errors.AsType[env.ParseError](e); ok {
				field, _ := reflect.TypeFor[Config]().FieldByName(p.Name)
				e = fmt.Errorf("%s must be a whole number: %w", field.Tag.Get("env"), p.Err)
			}
			all = append(all, e)
		}
	}
	return cmp.Or(errors.Join(all...), err)
}

// policy reads the policy that a start publishes: the configured file, or the
// built-in one.
func (c Config) policy() (policy.Policy, error) {
	switch {
	case c.Policy != nil:
		return *c.Policy, nil
	case c.PolicyFile == "":
		return policy.Default(), nil
	}
	text, err := os.ReadFile(c.PolicyFile)
	if err != nil {
		return policy.Policy{}, fmt.Errorf("the policy file: %w", err)
	}
	p, err := policy.Parse(text)
	if err != nil {
		return policy.Policy{}, fmt.Errorf("%s: %s", c.PolicyFile, policy.Describe(err))
	}
	return p, nil
}

// Outlets reads the file of outlets through which messages go out; without one,
// all of them go into the log.
func (c Config) Outlets(logger *slog.Logger) (*notify.Outlets, error) {
	if c.OutletsFile == "" {
		return notify.Default(logger), nil
	}
	text, err := os.ReadFile(c.OutletsFile)
	if err != nil {
		return nil, fmt.Errorf("the file of outlets (CURBSTOP_OUTLETS): %w", err)
	}
	outlets, err := notify.Parse(text, os.Getenv, logger)
	if err != nil {
		return nil, fmt.Errorf("%s: %s", c.OutletsFile, policy.Describe(err))
	}
	return outlets, nil
}

// billing gives the client of the billing system; nil where there is none.
func (c Config) billing() (*rest.Client, error) {
	if c.BillingURL == "" {
		return nil, nil //nolint:nilnil // an installation without a billing system
	}
	client, err := rest.New(c.BillingURL, c.BillingToken)
	if err != nil {
		return nil, fmt.Errorf("CURBSTOP_BILLING_URL: %w", err)
	}
	return client, nil
}

// identity tells whose service code was scanned; nil where that is not connected.
func (c Config) identity() (*portal.Wanshitong, error) {
	if c.IdentityURL == "" {
		return nil, nil //nolint:nilnil // an installation without service codes
	}
	exchange, err := portal.NewWanshitong(c.IdentityURL, c.IdentityServiceID, c.IdentityRoleCode)
	if err != nil {
		return nil, fmt.Errorf("CURBSTOP_IDENTITY_URL, CURBSTOP_IDENTITY_SERVICE_ID: %w", err)
	}
	return exchange, nil
}

// Senders reads the file of those who send us messages and are told of the
// progress; without one, the demo's.
func (c Config) Senders() (*senders.Senders, error) {
	var fees property.Balances
	switch system, err := c.billing(); {
	case err != nil:
		return nil, err
	case system != nil:
		fees = balances{system}
	}
	if c.SendersFile == "" {
		return readSenders(senders.Demo, "", fees)
	}
	text, err := os.ReadFile(c.SendersFile)
	if err != nil {
		return nil, fmt.Errorf("the senders' file (CURBSTOP_SENDERS): %w", err)
	}
	all, err := readSenders(text, filepath.Dir(c.SendersFile), fees)
	if err != nil {
		return nil, fmt.Errorf("%s: %s", c.SendersFile, policy.Describe(err))
	}
	return all, nil
}

// readSenders finds the files of mappings beside the one that names them.
func readSenders(text []byte, folder string, fees property.Balances) (*senders.Senders, error) {
	return senders.Parse(text, senders.Options{
		Adapters: makers(fees), Getenv: os.Getenv,
		ReadFile: func(name string) ([]byte, error) {
			if !filepath.IsAbs(name) {
				name = filepath.Join(folder, name)
			}
			return os.ReadFile(name)
		},
	})
}

func (c Config) ring() (*seal.Ring, error) {
	if c.SealKeys == "" {
		return nil, errors.New("CURBSTOP_SEAL_KEYS is not set: the keys that seal personal data, id:base64 of 32 bytes")
	}
	return seal.ParseRing(c.SealKeys)
}

func (c Config) jwtKey() ([]byte, error) {
	if c.JWTKey == "" {
		return nil, errors.New("CURBSTOP_JWT_KEY is not set: base64 of at least 32 bytes, which signs the tokens of the built-in issuer")
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(c.JWTKey))
	if err != nil || len(key) < 32 {
		return nil, errors.New("CURBSTOP_JWT_KEY must be base64 of at least 32 bytes")
	}
	return key, nil
}

// KeysFile holds the secrets that an embedded installation made for itself, in
// its data folder.
const KeysFile = "keys.env"

// LocalKeys fills in the secrets of an installation that keeps its data in a
// folder: made at the first start, kept readable by their owner alone, and the
// same ever after. Who loses the file loses what it sealed; back it up apart
// from the data. Secrets that are configured already stay as they are. It tells
// whether it made the file just now.
func (c *Config) LocalKeys(dataDir string) (made bool, err error) {
	path := filepath.Join(dataDir, KeysFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		jwt := make([]byte, 48)
		_, _ = rand.Read(jwt) // never fails: crypto/rand ends the program instead
		text = fmt.Appendf(nil, "CURBSTOP_SEAL_KEYS=%s\nCURBSTOP_JWT_KEY=%s\n", seal.NewKey("k1"), base64.StdEncoding.EncodeToString(jwt))
		made, err = true, os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		return false, fmt.Errorf("the keys of this installation: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch {
		case name == "CURBSTOP_SEAL_KEYS" && c.SealKeys == "":
			c.SealKeys = value
		case name == "CURBSTOP_JWT_KEY" && c.JWTKey == "":
			c.JWTKey = value
		}
	}
	return made, nil
}

// DropKeys removes the keys that were made just now and sealed nothing.
func DropKeys(dataDir string) error { return os.Remove(filepath.Join(dataDir, KeysFile)) }
