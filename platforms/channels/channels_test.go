package channels_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/platforms"
	"github.com/curbstop/curbstop/platforms/channels"
	"github.com/curbstop/curbstop/platforms/trial"
)

func TestAddressIsVerifiedByItsEcho(t *testing.T) {
	t.Parallel()
	a := channels.New()
	for body, answer := range map[string]string{
		"signature=1&timestamp=1795600000&nonce=nonce1&echostr=5577006791947779410":              "5577006791947779410",
		"<xml><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[echostr=1]]></Content></xml>": "success",
		"":         "success",
		"echostr=": "success",
		"%zz":      "success",
	} {
		m := trial.Message("callback", "", []byte(body))
		assert.Empty(t, trial.Understood(t, a, m))
		assert.Equal(t, platforms.Reply{Status: 200, ContentType: "text/plain; charset=utf-8", Body: []byte(answer)}, a.Reply(m, platforms.Outcome{}))
	}
	assert.Equal(t, []string{"echostr"}, trial.Refused(t, a, trial.Message("callback", "", []byte("echostr="+strings.Repeat("1", 257)))))
	_, told, err := a.Report(platforms.Report{})
	require.NoError(t, err)
	assert.False(t, told)
}

func FuzzRead(f *testing.F) {
	a := channels.New()
	f.Add([]byte("echostr=1"))
	f.Fuzz(func(t *testing.T, body []byte) {
		m := trial.Message("callback", "", body)
		items, err := a.Read(m)
		trial.HoldsTo(t, m, items, err)
	})
}
