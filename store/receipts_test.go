package store_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
)

func TestRequestIsAcceptedOnce(t *testing.T) {
	t.Parallel()
	s := open(t)
	platform := casework.Actor{ID: "industrial_park", Roles: []casework.Role{casework.Platform}}
	// 23:30 in Shanghai is still the day before in Greenwich.
	first, created, err := s.Accept(t.Context(), request(), platform, at(2, 23, 30).UTC())
	require.NoError(t, err)
	require.True(t, created)
	equal(t, casework.Receipt{Number: "W20260302-00001", Request: request(), By: platform, ReceivedAt: at(2, 23, 30)}, first)

	repeat := request()
	repeat.Remark = "another text"
	second, created, err := s.Accept(t.Context(), repeat, clerk, at(3, 9, 0))
	require.NoError(t, err)
	require.False(t, created)
	equal(t, first, second)

	gas := request()
	gas.Utility, gas.Channel = casework.Gas, casework.GovPortal // the same number of another sender
	third, created, err := s.Accept(t.Context(), gas, platform, time.Time{})
	require.NoError(t, err)
	require.True(t, created)
	require.Equal(t, "G20260304-00002", third.Number) // the repeat used up no number; now is the 4th
	equal(t, at(4, 12, 0), third.ReceivedAt)

	gas.ExternalNumber = ""
	_, _, err = s.Accept(t.Context(), gas, platform, at(3, 9, 0))
	refused(t, err, casework.Invalid, "external_number_missing")
}

func TestRequestIsAcceptedOnceHoweverManySendItTogether(t *testing.T) {
	t.Parallel()
	s := open(t)
	const senders, requests = 50, 5
	var all sync.WaitGroup
	var mutex sync.Mutex
	created := map[string][]string{} // by external number
	numbers := map[string][]string{}
	for i := range senders {
		all.Go(func() {
			r := request()
			r.ExternalNumber = fmt.Sprint(i % requests)
			receipt, isNew, err := s.Accept(t.Context(), r, clerk, at(2, 9, 0))
			mutex.Lock()
			defer mutex.Unlock()
			if err != nil {
				t.Error(err)
				return
			}
			numbers[r.ExternalNumber] = append(numbers[r.ExternalNumber], receipt.Number)
			if isNew {
				created[r.ExternalNumber] = append(created[r.ExternalNumber], receipt.Number)
			}
		})
	}
	all.Wait()
	distinct := map[string]bool{}
	for i := range requests {
		n := fmt.Sprint(i)
		require.Len(t, created[n], 1)
		require.Equal(t, slices.Repeat(created[n], senders/requests), numbers[n])
		distinct[created[n][0]] = true
	}
	require.Len(t, distinct, requests)
}

func TestUnstartedReceiptsAreFound(t *testing.T) {
	t.Parallel()
	s := open(t)
	var receipts []casework.Receipt
	for i := range 4 {
		r := request()
		r.ExternalNumber = fmt.Sprint(i)
		receipt, _, err := s.Accept(t.Context(), r, clerk, at(2, 12-i, 0))
		require.NoError(t, err)
		receipts = append(receipts, receipt)
	}
	require.NoError(t, s.MarkStarted(t.Context(), receipts[3].Number))
	require.NoError(t, s.MarkStarted(t.Context(), receipts[3].Number))
	found, err := s.Unstarted(t.Context(), at(2, 12, 0), 10)
	require.NoError(t, err)
	equal(t, []casework.Receipt{receipts[2], receipts[1]}, found)
	found, err = s.Unstarted(t.Context(), at(3, 0, 0), 1)
	require.NoError(t, err)
	equal(t, []casework.Receipt{receipts[2]}, found)
	started, err := s.Receipt(t.Context(), receipts[3].Number)
	require.NoError(t, err)
	require.True(t, started.Started)
}
