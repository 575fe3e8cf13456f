package gonggai_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"mime/multipart"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms"
	"github.com/curbstop/curbstop/platforms/gonggai"
	"github.com/curbstop/curbstop/platforms/trial"
)

const samples = "testdata/gonggai-project.json"

// Places of the samples among the calls.
const callA, callCheck, callB, callGas, callFile = 1, 2, 3, 4, 5

const creditCode, card = "91340200MA8TEAT00J", "340202199001011231"

func adapter(t testing.TB) *gonggai.Adapter {
	t.Helper()
	a, err := gonggai.New(nil, gonggai.Options{Token: "TEST-STATIC-TOKEN"})
	require.NoError(t, err)
	return a
}

// multipartForm writes fields in a fixed order under a fixed boundary.
func multipartForm(t testing.TB, kind string, fields ...string) platforms.Message {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	require.NoError(t, w.SetBoundary("trial"))
	for i := 0; i < len(fields); i += 2 {
		require.NoError(t, w.WriteField(fields[i], fields[i+1]))
	}
	require.NoError(t, w.Close())
	return trial.Message(kind, w.FormDataContentType(), b.Bytes())
}

// plainA is what the platform puts into req for water company A.
func plainA(t testing.TB, replace ...any) map[string]any {
	t.Helper()
	b, err := json.Marshal(rawCall(t, callA)["_req_plaintext"])
	require.NoError(t, err)
	var plain map[string]any
	require.NoError(t, json.Unmarshal(b, &plain))
	return trial.With(plain, replace...)
}

func goodA(t testing.TB, replace ...any) map[string]any {
	t.Helper()
	return plainA(t, append([]any{"time", json.Number("1795600000000"), "userid", creditCode, "data.field4", card, "data.field5", "芜湖市鸠江区测试路1号", "data.field13", creditCode}, replace...)...)
}

// messageA is a message of water company A, whose req is as given.
func messageA(t testing.TB, req string) platforms.Message {
	t.Helper()
	const image = `["image/png;base64,iVBORw0KGgo="]`
	return multipartForm(t, "netbus/thirdpart/buss", "Field14", image, "Field15", image, "field11", "[]", "field16", image, "field17", image, "orgid", "TESTORG01", "req", req)
}

func written(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}

// rawCall is a sample of a call with its notes.
func rawCall(t testing.TB, i int) map[string]any {
	t.Helper()
	b := readFile(t, samples)
	var all struct {
		Calls []map[string]any `json:"rest_calls"`
	}
	require.NoError(t, json.Unmarshal(b, &all))
	return all.Calls[i]
}

func dataB(t testing.TB, replace ...any) map[string]any {
	t.Helper()
	return trial.With(trial.Sample(t, samples, "rest_calls", callB, "data"), replace...)
}

func goodB(t testing.TB, replace ...any) map[string]any {
	t.Helper()
	return dataB(t, append([]any{"credno", creditCode, "address", "芜湖市鸠江区测试路1号"}, replace...)...)
}

// messageB writes the JSON into its form field as the platform does: without
// encoding it.
func messageB(t testing.TB, data map[string]any, besides string) platforms.Message {
	t.Helper()
	return trial.Message("api/appService/submit", "application/x-www-form-urlencoded", []byte("data="+written(t, data)+besides))
}

func gasPlain(t testing.TB, replace ...any) map[string]any {
	t.Helper()
	var plain map[string]any
	require.NoError(t, json.Unmarshal([]byte(written(t, rawCall(t, callGas)["_request_plaintext"])), &plain))
	return trial.With(plain, replace...)
}

func messageGas(t testing.TB, plain map[string]any) platforms.Message {
	t.Helper()
	return trial.JSON("com/common/saveInstall?authVersion=v2", map[string]any{"request": base64.StdEncoding.EncodeToString([]byte(written(t, plain)))})
}

func TestSampleCallsAreKeptForTheirInventedNumbers(t *testing.T) {
	t.Parallel()
	a := adapter(t)
	trial.Golden(t, "sample-water-a", a, messageA(t, written(t, plainA(t))))
	trial.Golden(t, "sample-water-b", a, messageB(t, dataB(t), ""))
	trial.Golden(t, "sample-gas", a, trial.JSON("com/common/saveInstall?authVersion=v2", trial.Sample(t, samples, "rest_calls", callGas, "body")))
}

func TestPushesBecomeRequests(t *testing.T) {
	t.Parallel()
	a := adapter(t)
	trial.Golden(t, "water-a", a, messageA(t, written(t, goodA(t))))
	trial.Golden(t, "water-b", a, messageB(t, goodB(t), ""))
	trial.Golden(t, "gas", a, messageGas(t, gasPlain(t, "cityNo", "340207")))
	trial.Golden(t, "water-b-check", a, trial.Message("api/appService/checkSubmitFlow", "application/x-www-form-urlencoded", []byte("cardno=&flowcode=projectgg")))
	trial.Golden(t, "gas-file", a, trial.JSON("com/file/imageUploadBase64", trial.Sample(t, samples, "rest_calls", callFile, "body")))
}

// The answers have exactly the fields of the recorded ones.
func TestAnswersAreWordedAsRecorded(t *testing.T) {
	t.Parallel()
	a := adapter(t)
	for i, m := range map[int]platforms.Message{
		callA: messageA(t, written(t, goodA(t))), callB: messageB(t, goodB(t), ""), callGas: messageGas(t, gasPlain(t, "cityNo", "340207")),
		callCheck: trial.Message("api/appService/checkSubmitFlow", "", []byte("cardno=&flowcode=projectgg")),
	} {
		recorded, ok := rawCall(t, i)["_response"].(map[string]any)
		require.True(t, ok)
		var ours map[string]any
		require.NoError(t, json.Unmarshal(a.Reply(m, platforms.Outcome{Message: "M1", Numbers: []string{"TESTBILL0001"}}).Body, &ours))
		if i == callA {
			recorded["extend"] = map[string]any{"platformid": "TESTBILL0001"} // encrypted only with a key
		}
		assert.Equal(t, recorded, ours, "call %d", i)
	}
}

func TestCompanyAIsEncryptedBothWays(t *testing.T) {
	t.Parallel()
	company, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	platform, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	a, err := gonggai.New(nil, gonggai.Options{Key: company, PlatformKey: &platform.PublicKey})
	require.NoError(t, err)
	var sealed []byte
	for rest := []byte(written(t, goodA(t))); len(rest) > 0; {
		n := min(234, len(rest))
		block, err := rsa.EncryptPKCS1v15(rand.Reader, &company.PublicKey, rest[:n]) //nolint:staticcheck // as the platform does
		require.NoError(t, err)
		sealed, rest = append(sealed, block...), rest[n:]
	}
	m := messageA(t, base64.StdEncoding.EncodeToString(sealed))
	items, err := a.Read(m)
	require.NoError(t, err)
	plain, err := adapter(t).Read(messageA(t, written(t, goodA(t))))
	require.NoError(t, err)
	assert.Equal(t, plain, items)

	var answer struct {
		Extend struct {
			PlatformID string `json:"platformid"`
		} `json:"extend"`
	}
	require.NoError(t, json.Unmarshal(a.Reply(m, platforms.Outcome{Numbers: []string{"W20261124-00001"}}).Body, &answer))
	block, err := base64.StdEncoding.DecodeString(answer.Extend.PlatformID)
	require.NoError(t, err)
	number, err := rsa.DecryptPKCS1v15(nil, platform, block) //nolint:staticcheck // as the platform does
	require.NoError(t, err)
	assert.Equal(t, "W20261124-00001", string(number))

	assert.Equal(t, []string{"req"}, trial.Refused(t, a, messageA(t, written(t, goodA(t)))))
}

func TestPushVariations(t *testing.T) {
	t.Parallel()
	a := adapter(t)
	for name, c := range map[string]struct {
		m       platforms.Message
		refused []string
	}{
		"A: phone as a number":        {messageA(t, written(t, goodA(t, "data.field9", 13800000001))), nil},
		"A: phone too short":          {messageA(t, written(t, goodA(t, "data.field9", "138"))), []string{"req.data.field9"}},
		"A: diameter in full width":   {messageA(t, written(t, goodA(t, "data.field7", "ＤＮ１００"))), nil},
		"A: diameter nobody makes":    {messageA(t, written(t, goodA(t, "data.field7", "DN101"))), []string{"req.data.field7"}},
		"A: a person":                 {messageA(t, written(t, goodA(t, "data.field2", "个人", "data.field13", ""))), nil},
		"A: kind unknown":             {messageA(t, written(t, goodA(t, "data.field2", "社团"))), []string{"req.data.field2"}},
		"A: address in no district":   {messageA(t, written(t, goodA(t, "data.field5", "测试路1号"))), []string{"req.data.field5"}},
		"A: address in two districts": {messageA(t, written(t, goodA(t, "data.field5", "鸠江区与镜湖区交界"))), []string{"req.data.field5"}},
		"A: no number":                {messageA(t, written(t, goodA(t, "bussid", nil))), []string{"req.bussid"}},
		"A: req is no JSON":           {messageA(t, "<RSA>"), []string{"req"}},
		"A: no req":                   {multipartForm(t, "netbus/thirdpart/buss", "orgid", "1"), []string{"req"}},
		"A: not a form":               {trial.JSON("netbus/thirdpart/buss", goodA(t)), []string{"整条消息"}},
		"A: an image is none":         {multipartForm(t, "netbus/thirdpart/buss", "req", written(t, goodA(t)), "FIELD16", `["image/png;base64,图"]`), []string{"Field16"}},
		"A: images are no list":       {multipartForm(t, "netbus/thirdpart/buss", "req", written(t, goodA(t)), "field11", `[`), []string{"Field11"}},
		"B: encoded after all":        {trial.Message("api/appService/submit", "", []byte("data="+url.QueryEscape(written(t, goodB(t))))), nil},
		"B: encoded, but no JSON":     {trial.Message("api/appService/submit", "", []byte("data=%7B")), []string{"data"}},
		"B: with an ampersand":        {messageB(t, goodB(t, "remark", "A&B=C+D%20"), "&x=1"), nil},
		"B: something behind":         {messageB(t, goodB(t), "}"), []string{"整条消息"}},
		"B: cut off":                  {trial.Message("api/appService/submit", "", []byte(`data={"flowsn":`)), []string{"整条消息"}},
		"B: a card, no code":          {messageB(t, goodB(t, "credno", card), ""), []string{"data.credno"}},
		"B: a person with a card":     {messageB(t, goodB(t, "credno", card, "usertype", "个人"), ""), nil},
		"B: a file is none":           {messageB(t, goodB(t, "attachList", []any{map[string]any{"files": []any{map[string]any{"filecontent": "?"}}}}), ""), []string{"data.attachList"}},
		"B: files are no list":        {messageB(t, goodB(t, "attachList", "[]"), ""), nil},
		"gas: abolished district":     {messageGas(t, gasPlain(t, "cityNo", "340221")), []string{"request.cityNo"}},
		"gas: an enterprise":          {messageGas(t, gasPlain(t, "cityNo", "340207", "installType", "2", "userName", "测试置业有限公司")), nil},
		"gas: request is no Base64":   {trial.JSON("com/common/saveInstall", map[string]any{"request": "?"}), []string{"request"}},
		"gas: request is no JSON":     {trial.JSON("com/common/saveInstall", map[string]any{"request": "PGE+"}), []string{"request"}},
		"gas: file without content":   {trial.JSON("com/file/imageUploadBase64", map[string]any{"fileName": "a"}), []string{"base64"}},
		"a key stands twice":          {trial.Message("com/common/saveInstall", "", []byte(`{"request":"","request":""}`)), []string{"request"}},
		"no UTF-8":                    {trial.Message("com/common/saveInstall", "", []byte("{\"request\":\"\xb2\xe2\"}")), []string{"整条消息"}},
		"unknown place":               {trial.JSON("nowhere", goodA(t)), []string{"整条消息"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, c.refused, trial.Refused(t, a, c.m))
		})
	}
}

func TestNothingOfAPushIsLost(t *testing.T) {
	t.Parallel()
	a := adapter(t)
	trial.NothingIsLost(t, goodA(t), func(message map[string]any) (platforms.Message, []platforms.Item, error) {
		m := messageA(t, written(t, message))
		items, err := a.Read(m)
		return m, items, err
	})
	trial.NothingIsLost(t, goodB(t), func(message map[string]any) (platforms.Message, []platforms.Item, error) {
		m := messageB(t, message, "")
		items, err := a.Read(m)
		return m, items, err
	})
	trial.NothingIsLost(t, gasPlain(t, "cityNo", "340207"), func(message map[string]any) (platforms.Message, []platforms.Item, error) {
		m := messageGas(t, message)
		items, err := a.Read(m)
		return m, items, err
	})
}

func TestStatesAreToldOverHTTP(t *testing.T) {
	t.Parallel()
	trial.GoldenReports(t, "reports-http", adapter(t), platforms.Report{
		External: "340100260101TEST0001", Number: "W20261124-00001", Utility: casework.Water, By: "客户服务部", Note: casework.Say("通水", "supplied"),
		Request: &casework.Request{Project: "2600-340100-04-01-000001-T1"},
	})
}

func FuzzRead(f *testing.F) {
	trial.Fuzz(f, adapter(f),
		messageA(f, written(f, goodA(f))), messageB(f, goodB(f), "&x=1"), messageGas(f, gasPlain(f, "cityNo", "340207")),
		trial.JSON("com/file/imageUploadBase64", trial.Sample(f, samples, "rest_calls", callFile, "body")),
		trial.JSON("SPGL_XMSPSXBLXXB", itemRow(f)), trial.JSON("SPGL_XMJBXXB", projectRow(f)),
		trial.JSON("SPGL_XMSPSXBLXXXXB", map[string]any{"step": trial.With(row(f, "SPGL_XMSPSXBLXXXXB", 0), "blzt", 14)}))
}
