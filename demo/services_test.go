package demo_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/demo"
)

// Nobody settles a last bill that billing has not written: it is asked again,
// and what the bill says is collected first.
func TestLastBillIsSettledAsItIsWritten(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		served string // what billing has said
		want   []string
	}{
		"being asked":  {`{}`, []string{"ask again"}},
		"refused":      {`{"billing":{"trouble":"refused"}}`, []string{"ask again"}},
		"owes nothing": {`{"bill":{"owed":0}}`, []string{"settled"}},
		"owes":         {`{"bill":{"owed":3600}}`, []string{"paid 3600", "settled"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			status := casework.Open
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				var sent struct {
					Input  casework.FinalInput `json:"input"`
					Amount int64               `json:"amount"`
				}
				_ = json.Unmarshal(body, &sent)
				w.Header().Set("Content-Type", "application/json")
				switch r.URL.Path {
				case "/v1/cases/C1":
					_, _ = io.WriteString(w, `{"number":"C1","kind":"closing","status":"`+string(status)+`","service":{"account":"3000000001"},
						"facts":{"served":`+c.served+`},"tasks":[{"id":"C1-T3","checklist":[]}]}`)
				case "/v1/tasks":
					_, _ = io.WriteString(w, `{"items":[{"id":"C1-T3","case":"C1","kind":"settle_final","role":"service_hall","state":"open"}]}`)
				case "/v1/accounts/3000000001/payments":
					got = append(got, fmt.Sprint("paid ", sent.Amount))
					_, _ = io.WriteString(w, `{"state":"done"}`)
				case "/v1/tasks/C1-T3/complete":
					status = casework.Closed
					if sent.Input.AskAgain {
						got = append(got, "ask again")
					}
					if sent.Input.Settled {
						got = append(got, "settled")
					}
					_, _ = io.WriteString(w, `{}`)
				}
			}))
			t.Cleanup(server.Close)
			p := demo.Play{Base: server.URL, Say: t.Logf, Hurry: true}
			require.NoError(t, p.Serve(t.Context(), "C1"))
			require.Equal(t, c.want, got)
		})
	}
}
