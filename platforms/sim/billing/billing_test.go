package billing_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/platforms/sim/billing"
)

// What billing did and lost the answer of is not refused when it is asked again
// under the same key: whoever heard the no would have it done once more under
// another.
func TestWhatIsDoneIsNotRefused(t *testing.T) {
	t.Parallel()
	s := billing.New(billing.Account{Number: "A1"})
	ask := func(key string) int {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/accounts/A1/holder", strings.NewReader(`{"holder":{"name":"测试王丙"}}`))
		r.Header.Set("Idempotency-Key", key)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w.Code
	}
	s.Fail(billing.Refuse, billing.LoseAnswer, billing.Refuse)
	require.Equal(t, []int{http.StatusConflict, http.StatusBadGateway, http.StatusOK}, []int{ask("k1"), ask("k1"), ask("k1")})
	_, done := s.Counts()
	require.Equal(t, 1, done)
}
