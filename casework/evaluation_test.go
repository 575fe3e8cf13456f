package casework_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
)

// A loop is closed by a content customer with nothing left to do, not by either
// alone.
func TestLoopIsClosed(t *testing.T) {
	t.Parallel()
	type fact = casework.EvaluationFact
	for name, c := range map[string]struct {
		fact fact
		want bool
	}{
		"nobody called":                 {fact{}, false},
		"satisfied":                     {fact{Last: casework.Satisfied}, true},
		"basically satisfied":           {fact{Last: casework.BasicallySatisfied}, true},
		"dissatisfied":                  {fact{Last: casework.Dissatisfied}, false},
		"satisfied, rectification owed": {fact{Last: casework.Satisfied, Rectify: []casework.Department{"network"}}, false},
		"satisfied, visit owed":         {fact{Last: casework.Satisfied, Visits: 1}, false},
	} {
		require.Equal(t, c.want, c.fact.Closed(), name)
	}
}

// The next callback counts from whatever came last.
func TestCallbackCountsFromTheLastEvent(t *testing.T) {
	t.Parallel()
	k := casework.NewCase("W1", soundRequest(), terms(), able, received)
	for i, set := range []func(time.Time){
		func(at time.Time) { k.CompletedAt = at },
		func(at time.Time) { k.Evaluated.TriedAt = at },
		func(at time.Time) { k.Evaluated.Rectified = at },
		func(at time.Time) { k.ReopenedAt = at },
		func(at time.Time) { k.Evaluated.TriedAt = at },
	} {
		at := received.Add(time.Duration(i) * time.Hour)
		set(at)
		require.Equal(t, at, k.CallbackFrom())
	}
}

// Twenty reviews are as many as a case takes; a bad one owes a visit.
func TestReviews(t *testing.T) {
	t.Parallel()
	k := casework.NewCase("W1", soundRequest(), terms(), able, received)
	review := func(level int, comment string) error {
		next, err := k.Try(casework.Rate{By: byCustomer, Level: level, Comment: comment}, now)
		if err == nil {
			k = next
		}
		return err
	}
	require.Equal(t, "not_supplied", casework.AsFault(review(5, "")).Code)
	k.Supply = &casework.SupplyInput{SuppliedAt: now}
	require.Equal(t, []string{"level"}, wrong(t, review(0, "")))
	require.Equal(t, []string{"comment"}, wrong(t, review(2, "")), "a bad review says why")
	for i := range 20 {
		require.NoError(t, review(i%5+1, "x"))
	}
	require.Equal(t, 8, k.Evaluated.Visits)
	require.Equal(t, "too_many_ratings", casework.AsFault(review(5, "")).Code)
	k.Status = casework.Withdrawn
	require.Equal(t, "not_supplied", casework.AsFault(review(5, "")).Code)
}
