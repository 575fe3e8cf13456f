package demo_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/demo"
)

// A play that was killed in the middle of a call has bound the call's key to a
// body with another time of the day. The next play goes on all the same.
func TestPlayGoesOnAfterOneThatWasKilled(t *testing.T) {
	t.Parallel()
	var keys []string
	ended := false
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, status int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v)
	}
	mux.HandleFunc("GET /v1/cases/W1", func(w http.ResponseWriter, _ *http.Request) {
		status := casework.Open
		if ended {
			status = casework.Closed
		}
		answer(w, http.StatusOK, map[string]any{"status": status, "tasks": []map[string]any{{"id": "W1-T1"}}})
	})
	mux.HandleFunc("GET /v1/tasks", func(w http.ResponseWriter, r *http.Request) {
		items := []casework.Task{}
		if r.URL.Query().Get("case") == "W1" {
			items = append(items, casework.Task{ID: "W1-T1", Case: "W1", Kind: casework.InstallMeter, Role: casework.Engineering})
		}
		answer(w, http.StatusOK, map[string]any{"items": items})
	})
	mux.HandleFunc("POST /v1/tasks/W1-T1/complete", func(w http.ResponseWriter, r *http.Request) {
		keys = append(keys, r.Header.Get("Idempotency-Key"))
		if len(keys) < 3 {
			answer(w, http.StatusUnprocessableEntity, map[string]any{"status": http.StatusUnprocessableEntity, "code": "idempotency_key_reused"})
			return
		}
		ended = true
		answer(w, http.StatusOK, map[string]any{})
	})
	api := httptest.NewServer(mux)
	t.Cleanup(api.Close)
	p := &demo.Play{Base: api.URL, Tokens: map[casework.Role]string{}, Hurry: true, Say: t.Logf}
	require.NoError(t, p.Straight(t.Context(), "W1", "C1"))
	require.Equal(t, []string{"demo-W1-T1-complete-0", "demo-W1-T1-complete-0-again-1", "demo-W1-T1-complete-0-again-2"}, keys)
}
