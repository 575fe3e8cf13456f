package demo_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/demo"
)

// A case that is busy asks to be asked again, for a decision as for a paper, and
// is asked the same again.
func TestBusyCaseIsAskedAgain(t *testing.T) {
	t.Parallel()
	for name, ask := range map[string]func(c demo.Client) error{
		"decision": func(c demo.Client) error {
			return c.Post(t.Context(), "/v1/tasks/W1-T1/complete", "k1", map[string]string{"note": "已办"}, nil)
		},
		"paper": func(c demo.Client) error {
			id, err := c.Upload(t.Context(), "W1", casework.Evidence, "k1", []byte("%PDF"))
			require.Equal(t, "d1", id)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				asked = append(asked, r.Header.Get("Idempotency-Key")+" "+r.Header.Get("Content-Type")+" "+string(body))
				w.Header().Set("Content-Type", "application/json")
				if len(asked) == 1 {
					w.WriteHeader(http.StatusServiceUnavailable)
					_, _ = io.WriteString(w, `{"status":503,"code":"try_again"}`)
					return
				}
				_, _ = io.WriteString(w, `{"id":"d1"}`)
			}))
			t.Cleanup(server.Close)
			require.NoError(t, ask(demo.Client{Base: server.URL, HTTP: server.Client()}))
			require.Len(t, asked, 2)
			require.Equal(t, asked[0], asked[1])
		})
	}
}
