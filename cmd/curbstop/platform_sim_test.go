package main

import (
	"bytes"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/platforms/sim"
)

// What is printed for both sides names the stand-in's own billing system, and a
// token that is another each time.
func TestSecretsNameTheBillingSystem(t *testing.T) {
	t.Parallel()
	var first, second bytes.Buffer
	require.NoError(t, printSecrets(&first, sim.DemoSenders("127.0.0.1:8791"), "127.0.0.1:8791"))
	require.NoError(t, printSecrets(&second, sim.DemoSenders("127.0.0.1:8791"), "127.0.0.1:8791"))
	require.Contains(t, first.String(), "export CURBSTOP_BILLING_URL='http://127.0.0.1:8791/billing'\n")
	require.Contains(t, first.String(), "export CURBSTOP_PUBLIC_PER_MINUTE='6000'\n")
	token := regexp.MustCompile(`CURBSTOP_BILLING_TOKEN='[A-Z2-7]{20,}'`)
	require.Regexp(t, token, first.String())
	require.NotEqual(t, token.FindString(first.String()), token.FindString(second.String()))
}
