package activities_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/activities"
	"github.com/curbstop/curbstop/billing"
	"github.com/curbstop/curbstop/casework"
)

// till is a billing system with one account, and the book of what it was asked.
type till struct {
	activities.BillingSystem
	asked casework.BillingRequest
	err   error
	paid  []billing.Payment
	wrote []billing.Invoice
}

func (s *till) Account(_ context.Context, number string) (billing.Account, error) {
	if s.err != nil {
		return billing.Account{}, s.err
	}
	if number != "0000000001" {
		return billing.Account{}, billing.ErrNotFound
	}
	return billing.Account{Number: number, Holder: billing.Holder{Name: "测试赵丁"}}, nil
}

func (s *till) Pay(_ context.Context, _ string, p billing.Payment) (billing.Receipt, error) {
	if s.err == nil {
		s.paid = append(s.paid, p)
	}
	return billing.Receipt{Reference: "B1"}, s.err
}

func (s *till) Invoice(_ context.Context, _ string, i billing.Invoice) (billing.Receipt, error) {
	if s.err == nil {
		s.wrote = append(s.wrote, i)
	}
	return billing.Receipt{Reference: "B2"}, s.err
}

func (s *till) BillingRequest(context.Context, string) (casework.BillingRequest, error) {
	return s.asked, nil
}

func (s *till) TryBilling(context.Context, string) error {
	s.asked.Tries++
	return nil
}

func (s *till) SettleBilling(_ context.Context, _ string, state casework.BillingState, reference, reason string, at time.Time) (casework.BillingRequest, error) {
	s.asked.State, s.asked.Reference, s.asked.Reason, s.asked.SettledAt = state, reference, reason, at
	return s.asked, nil
}

// A payment goes to billing with the way it came and who says so; while billing
// is down it stays pending, and a no settles it.
func TestPaymentIsCarriedToBilling(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 27, 16, 0, 0, 0, time.UTC)
	s := &till{asked: casework.BillingRequest{
		ID: "p1", Kind: casework.PaymentRequest, Account: "0000000001", Amount: 500, Way: "wechat", Number: "WX-1", At: at,
		Channel: casework.WeChat, Source: casework.ByCustomer, State: casework.BillingPending,
	}}
	b := &activities.Billing{System: s, Book: s, Now: func() time.Time { return at.Add(time.Minute) }}
	s.err = fmt.Errorf("503: %w", billing.ErrUnavailable)
	_, err := b.SendBillingRequest(t.Context(), "p1")
	require.ErrorIs(t, err, billing.ErrUnavailable)
	require.Equal(t, casework.BillingPending, s.asked.State)
	s.err = nil
	state, err := b.SendBillingRequest(t.Context(), "p1")
	require.NoError(t, err)
	require.Equal(t, casework.BillingDone, state)
	require.Equal(t, []billing.Payment{{
		Account: "0000000001", Amount: 500, Way: "wechat", Number: "WX-1", PaidAt: at, Channel: "wechat", Source: "customer",
	}}, s.paid)
	require.Equal(t, 2, s.asked.Tries)
	_, err = b.SendBillingRequest(t.Context(), "p1")
	require.NoError(t, err)
	require.Len(t, s.paid, 1, "what is settled is not sent again")

	s.asked.State, s.err = casework.BillingPending, &billing.RefusalError{Code: "locked", Reason: "已锁定"}
	state, err = b.SendBillingRequest(t.Context(), "p1")
	require.NoError(t, err)
	require.Equal(t, casework.BillingDenied, state)
	require.Equal(t, "已锁定", s.asked.Reason)
}

// Who proves by the holder's name that they may ask is asked after first; a wrong
// name and an unknown account look alike, and billing that is down decides nothing.
func TestInvoiceOfAStrangerNeedsTheHoldersName(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		account, holder string
		err             error
		want            casework.BillingState
		wrote           int
	}{
		"the holder":      {account: "0000000001", holder: "测试赵丁", want: casework.BillingDone, wrote: 1},
		"somebody else":   {account: "0000000001", holder: "测试王丙", want: casework.BillingDenied},
		"no such account": {account: "0000000009", holder: "测试赵丁", want: casework.BillingDenied},
		"down":            {account: "0000000001", holder: "测试王丙", err: billing.ErrUnavailable, want: casework.BillingPending},
		"billing says no": {account: "0000000001", holder: "测试王丙", err: &billing.RefusalError{Code: "blocked", Reason: "已冻结"}, want: casework.BillingDenied},
		"known who asks":  {account: "0000000009", want: casework.BillingDone, wrote: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &till{err: c.err, asked: casework.BillingRequest{
				ID: "i1", Kind: casework.InvoiceRequest, Account: c.account, Holder: c.holder, Title: "测试赵丁", State: casework.BillingPending,
			}}
			b := &activities.Billing{System: s, Book: s, Now: time.Now}
			_, err := b.SendBillingRequest(t.Context(), "i1")
			if c.want == casework.BillingPending {
				require.ErrorIs(t, err, c.err)
			} else {
				require.NoError(t, err)
			}
			require.Equal(t, c.want, s.asked.State)
			require.Len(t, s.wrote, c.wrote)
			if c.want == casework.BillingDenied {
				require.Contains(t, s.asked.Reason, "户号与户名不符")
			}
		})
	}
}
