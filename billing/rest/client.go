// Package rest speaks to a billing system over the small REST contract that
// docs/billing.md describes.
package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/curbstop/curbstop/billing"
)

// timeout bounds one call, and maxAnswer one answer: what is longer comes from
// something else than a billing system.
const (
	timeout   = 10 * time.Second
	maxAnswer = 1 << 20
)

// Client asks a billing system. It is safe for concurrent use. Its errors are
// [billing.ErrNotFound], a [billing.RefusalError], or wrap [billing.ErrUnavailable];
// none of them repeats what was sent.
type Client struct {
	base  *url.URL
	token string
	http  *http.Client
}

// New makes a client for the system at an address, such as
// https://billing.example.cn/api, that takes a bearer token.
func New(address, token string) (*Client, error) {
	base, err := url.Parse(strings.TrimSuffix(address, "/"))
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" || base.User != nil || base.RawQuery != "" {
		return nil, errors.New("the billing system's address must be http(s)://host/path without a password in it")
	}
	return &Client{base: base, token: token, http: &http.Client{
		Timeout: timeout,
		// A redirect would carry the token to somebody else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Account gives an account with its balance and last reading.
func (c *Client) Account(ctx context.Context, number string) (billing.Account, error) {
	return call(ctx, c, http.MethodGet, number, "", "", nil, func(a billing.Account) bool {
		return a.Number == number && (a.State == billing.Active || a.State == billing.Closed)
	})
}

// ChangeHolder puts an account into another name.
func (c *Client) ChangeHolder(ctx context.Context, key string, change billing.HolderChange) (billing.Receipt, error) {
	return call(ctx, c, http.MethodPost, change.Account, "/holder", key, change, receipted)
}

// FinalBill has the last bill of an account written.
func (c *Client) FinalBill(ctx context.Context, key string, r billing.FinalReading) (billing.Bill, error) {
	return call(ctx, c, http.MethodPost, r.Account, "/final-bill", key, r, func(b billing.Bill) bool { return b.Number != "" })
}

// Close closes an account.
func (c *Client) Close(ctx context.Context, key string, closing billing.Closing) (billing.Receipt, error) {
	return call(ctx, c, http.MethodPost, closing.Account, "/close", key, closing, receipted)
}

// Pay books a payment.
func (c *Client) Pay(ctx context.Context, key string, p billing.Payment) (billing.Receipt, error) {
	return call(ctx, c, http.MethodPost, p.Account, "/payments", key, p, receipted)
}

// Invoice has an invoice written.
func (c *Client) Invoice(ctx context.Context, key string, i billing.Invoice) (billing.Receipt, error) {
	return call(ctx, c, http.MethodPost, i.Account, "/invoices", key, i, receipted)
}

// receipted tells a receipt from any other JSON: without billing's own number
// nobody could say that it was done.
func receipted(r billing.Receipt) bool { return r.Reference != "" }

// call asks once. What comes back as a yes must be whole: an object of somebody
// else reads as an account that owes nothing, or as a payment that was booked.
func call[T any](ctx context.Context, c *Client, method, account, below, key string, body any, whole func(T) bool) (out T, err error) {
	var sent io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return out, fmt.Errorf("billing: %w", err)
		}
		sent = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base.JoinPath("accounts", url.PathEscape(account)).String()+below, sent)
	if err != nil {
		return out, fmt.Errorf("billing: %w", err)
	}
	r.Header.Set("Accept", "application/json")
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Idempotency-Key", key)
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return out, unavailable("%v", hidden(err))
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		return out, unavailable("%v", hidden(err))
	}
	if out, err = judge[T](answer.StatusCode, raw); err == nil && !whole(out) {
		err = unavailable("its answer lacks what the contract asks for")
	}
	return out, err
}

// judge tells the answers apart. What is neither yes nor a reasoned no is asked
// again: a proxy in between, a wrong token, a system that is starting.
func judge[T any](status int, raw []byte) (out T, err error) {
	switch {
	case bytes.Contains(raw, []byte(`\u0000`)):
		// No record keeps that character, so that no case could take it over.
		return out, unavailable("its answer has a zero character")
	case status >= 200 && status < 300 && len(raw) <= maxAnswer:
		if err := json.Unmarshal(raw, &out); err != nil {
			return out, unavailable("its answer is no JSON of ours")
		}
		return out, nil
	case status == http.StatusNotFound || status == http.StatusConflict || status == http.StatusUnprocessableEntity:
		var no billing.RefusalError
		if json.Unmarshal(raw, &no) != nil || no.Code == "" {
			return out, unavailable("status %d without a reason", status)
		}
		if status == http.StatusNotFound {
			return out, billing.ErrNotFound
		}
		return out, &no
	}
	return out, unavailable("status %d", status)
}

// hidden leaves the address, which holds the account number, out of an error.
func hidden(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

func unavailable(format string, args ...any) error {
	return fmt.Errorf("%w: %s", billing.ErrUnavailable, fmt.Sprintf(format, args...))
}
