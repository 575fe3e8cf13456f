package proof

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/curbstop/curbstop/casework"
)

// made gives a proof of settings; the environment is a map.
func made(t require.TestingT, s Settings, ours bool, environment map[string]string) *Proof {
	var c casework.Check
	p := New(s, ours, func(name string) string { return environment[name] }, &c, "proof")
	require.NoError(t, c.Err())
	return p
}

type vectors struct {
	DingTalk struct {
		Key    string
		Sign   string `json:"sign_urlencoded"`
		String string `json:"string_to_sign"`
	}
	Fujian struct {
		Sign   string
		String string `json:"string_to_sign"`
	} `json:"fujian_md5"`
	TIF struct {
		String    string `json:"string_to_sign"`
		Signature string `json:"x-tif-signature"`
	} `json:"tif_sha256"`
	WeChat struct {
		Signature string
		Joined    string `json:"sorted_joined"`
	} `json:"wechat_callback"`
	BG struct {
		Signature string `json:"X-BG-HMAC-SIGNATURE"`
		Secret    string
		String    string `json:"string_to_sign"`
	} `json:"zhejiang_bg_hmac"`
}

func TestVectorsOfThePlatforms(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/signing-vectors.json")
	require.NoError(t, err)
	var v vectors
	require.NoError(t, json.Unmarshal(raw, &v))
	sign, err := url.QueryUnescape(v.DingTalk.Sign)
	require.NoError(t, err)
	header := func(pairs ...string) http.Header {
		h := http.Header{}
		for i := 0; i < len(pairs); i += 2 {
			h.Set(pairs[i], pairs[i+1])
		}
		return h
	}
	for name, c := range map[string]struct {
		settings Settings
		secret   string
		request  Request
		text     string
		at       time.Time
	}{
		"bg": {
			Settings{Way: BG, KeyID: "TESTAK"}, v.BG.Secret,
			Request{Method: "POST", Path: "/restapi/prod/TEST/sso/servlet/simpleauth", Header: header(
				"X-BG-HMAC-SIGNATURE", v.BG.Signature, "X-BG-DATE-TIME", "Tue, 09 Nov 2021 08:49:20 GMT", "X-BG-HMAC-ACCESS-KEY", "TESTAK")},
			v.BG.String, time.Date(2021, 11, 9, 8, 49, 20, 0, time.UTC),
		},
		"tif": {
			Settings{Way: TIF}, "TESTTOKEN",
			Request{Header: header("x-tif-signature", v.TIF.Signature, "x-tif-timestamp", "1795600000", "x-tif-nonce", "18a1-2b3c")},
			v.TIF.String, time.Unix(1795600000, 0),
		},
		"md5": {
			Settings{Way: MD5}, "TESTAPPCODE", Request{Header: header("sign", v.Fujian.Sign, "timestamp", "1795600000000")},
			v.Fujian.String, time.Unix(1795600000, 0),
		},
		"wechat": {
			Settings{Way: WeChat}, "TESTTOKEN", Request{Query: "signature=" + v.WeChat.Signature + "&timestamp=1795600000&nonce=nonce1&echostr=x"},
			v.WeChat.Joined, time.Unix(1795600000, 0),
		},
		"dingtalk": {
			Settings{Way: DingTalk}, v.DingTalk.Key, Request{Query: "timestamp=1795600000000&sign=" + url.QueryEscape(sign)},
			v.DingTalk.String, time.Unix(1795600000, 0),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.settings.SecretEnv = "S"
			p := made(t, c.settings, false, map[string]string{"S": c.secret})
			require.Equal(t, c.text, p.text(p.values(c.request)))
			proved, err := p.Verify(c.request)
			require.NoError(t, err)
			require.True(t, c.at.Equal(proved.At), proved.At)
			require.NotEmpty(t, proved.Once)
			require.True(t, p.InTime(proved, c.at.Add(5*time.Minute)))
			require.True(t, p.InTime(proved, c.at.Add(-5*time.Minute)))
			require.False(t, p.InTime(proved, c.at.Add(5*time.Minute+time.Second)))
			require.False(t, p.InTime(proved, c.at.Add(-5*time.Minute-time.Second)))

			other := made(t, c.settings, false, map[string]string{"S": c.secret + "x"})
			_, err = other.Verify(c.request)
			require.ErrorIs(t, err, ErrUnproved)
			_, err = p.Verify(Request{Method: "POST", Header: http.Header{}})
			require.ErrorIs(t, err, ErrUnproved)
		})
	}
}

// pairs are keys for each way that needs a pair: ours, and theirs.
func pairs(t testing.TB) map[string]string {
	t.Helper()
	sm, err := sm2.GenerateKey(rand.Reader)
	require.NoError(t, err)
	smPrivate, err := smx509.MarshalPKCS8PrivateKey(sm)
	require.NoError(t, err)
	smPublic, err := smx509.MarshalPKIXPublicKey(&sm.PublicKey)
	require.NoError(t, err)
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	rPublic, err := x509.MarshalPKIXPublicKey(&r.PublicKey)
	require.NoError(t, err)
	ecdh, err := sm.ECDH()
	require.NoError(t, err)
	return map[string]string{
		"SECRET":  "a secret of ours",
		"SM2":     string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: smPrivate})),
		"SM2_PUB": base64.StdEncoding.EncodeToString(smPublic), "SM2_HEX": hex.EncodeToString(ecdh.Bytes()),
		"SM2_POINT": hex.EncodeToString(ecdh.PublicKey().Bytes()), "SM2_POINT64": hex.EncodeToString(ecdh.PublicKey().Bytes()[1:]),
		"RSA":     string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(r)})),
		"RSA_PUB": string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: rPublic})),
	}
}

// What one side signs the other takes, and nothing else: not with another
// body, path, time, nonce or key.
func TestWhatWeSignIsTaken(t *testing.T) {
	t.Parallel()
	environment, others := pairs(t), pairs(t)
	others["SECRET"] = "another"
	all := map[string]Settings{
		"token":       {Way: Token, Prefix: "Bearer ", Signature: "Authorization"},
		"token query": {Way: Token, In: inQuery, Signature: "access_token"},
		"bg":          {Way: BG, KeyID: "AK"},
		"tif":         {Way: TIF, KeyID: "app"},
		"md5":         {Way: MD5, In: inQuery},
		"wechat":      {Way: WeChat},
		"dingtalk":    {Way: DingTalk},
		"sm3":         {Way: SM3},
		"hmac-sm3":    {Way: HMACSM3, Clock: "20060102150405"},
		"sm2":         {Way: SM2, PrivateKeyEnv: "SM2", PublicKeyEnv: "SM2_PUB"},
		"sm2 raw":     {Way: SM2, Form: asRaw, Encoding: asHex, PrivateKeyEnv: "SM2_HEX", PublicKeyEnv: "SM2_POINT", UserID: "curbstop"},
		"sm2 point64": {Way: SM2, PrivateKeyEnv: "SM2", PublicKeyEnv: "SM2_POINT64"},
		"rsa":         {Way: RSA, PrivateKeyEnv: "RSA", PublicKeyEnv: "RSA_PUB"},
		"rsa-pss":     {Way: RSAPSS, PrivateKeyEnv: "RSA", PublicKeyEnv: "RSA_PUB"},
		"params":      {Way: Signed, Algorithm: plainMD5, Text: "{params}{secret}", Clock: seconds, In: inQuery, Signature: "sign", Timestamp: "ts"},
	}
	all["params"] = func(s Settings) Settings { s.Text = "{params}&{timestamp}&{secret}"; return s }(all["params"])
	now := time.Date(2026, 11, 24, 9, 30, 0, 0, time.UTC)
	for name, s := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s.SecretEnv = "SECRET"
			ours, theirs, strangers := made(t, s, true, environment), made(t, s, false, environment), made(t, s, true, others)
			sent := Request{Method: "POST", Path: "/api/%E8%BF%9B/push", Query: "b=2&a=1", Body: []byte(`{"状态":"办结{secret}"}`)}
			require.NoError(t, ours.Sign(&sent, now, "n-1"))
			proved, err := theirs.Verify(sent)
			require.NoError(t, err)
			if s.Way == Token {
				require.Equal(t, Proved{}, proved)
				require.True(t, theirs.InTime(proved, now))
			} else {
				require.WithinDuration(t, now, proved.At, time.Second)
				require.NotEmpty(t, proved.Once)
			}

			forged := Request{Method: "POST", Path: "/api/%E8%BF%9B/push", Query: "b=2&a=1", Body: sent.Body}
			require.NoError(t, strangers.Sign(&forged, now, "n-1"))
			_, err = theirs.Verify(forged)
			require.ErrorIs(t, err, ErrUnproved)

			changed := func(what string, change func(*Request)) {
				r := sent
				r.Header = sent.Header.Clone()
				change(&r)
				_, err := theirs.Verify(r)
				if theirs.uses(what) {
					require.ErrorIs(t, err, ErrUnproved, what)
				}
			}
			changed("body", func(r *Request) { r.Body = append(bytes.Clone(r.Body), ' ') })
			changed("path", func(r *Request) { r.Path += "x" })
			changed("method", func(r *Request) { r.Method = "GET" })
			changed("query", func(r *Request) { r.Query += "&c=3" })
			changed("nonce", func(r *Request) {
				if theirs.In == inQuery {
					r.Query = "nonce=n-2&" + r.Query
				} else {
					r.Header.Set(theirs.Nonce, "n-2")
				}
			})
			changed("timestamp", func(r *Request) {
				if theirs.In == inQuery {
					r.Query = theirs.Timestamp + "=1&" + r.Query
				} else {
					r.Header.Set(theirs.Timestamp, theirs.clock(now.Add(time.Second)))
				}
			})
			doubled := sent
			doubled.Header = sent.Header.Clone()
			if theirs.In == inHeader {
				doubled.Header.Add(theirs.Signature, "x")
				_, err = theirs.Verify(doubled)
				require.ErrorIs(t, err, ErrUnproved, "a header that comes twice")
			}
		})
	}
}

// Whatever a stranger sends, nothing holds and nothing falls over.
func TestNothingHoldsByChance(t *testing.T) {
	t.Parallel()
	environment := pairs(t)
	var proofs []*Proof
	for _, way := range Ways() {
		if way != None && way != Signed {
			proofs = append(proofs, made(t, Settings{Way: way, SecretEnv: "SECRET", PublicKeyEnv: map[string]string{SM2: "SM2_PUB", RSA: "RSA_PUB", RSAPSS: "RSA_PUB"}[way]}, false, environment))
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom(proofs).Draw(t, "proof")
		r := Request{
			Method: rapid.String().Draw(t, "method"), Path: rapid.String().Draw(t, "path"), Query: rapid.String().Draw(t, "query"),
			Header: http.Header{}, Body: rapid.SliceOf(rapid.Byte()).Draw(t, "body"),
		}
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[0-9a-f]{0,64}`), rapid.StringMatching(`[0-9]{10,13}`))
		for _, name := range []string{p.Signature, p.Timestamp, p.Nonce, p.Key} {
			r.Header.Set(name, text.Draw(t, name))
			r.Query += "&" + name + "=" + url.QueryEscape(text.Draw(t, name+" in the query"))
		}
		_, err := p.Verify(r)
		require.ErrorIs(t, err, ErrUnproved)
	})
}

func TestSettingsThatAreNotSafe(t *testing.T) {
	t.Parallel()
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	weakPublic, err := x509.MarshalPKIXPublicKey(&weak.PublicKey)
	require.NoError(t, err)
	environment := pairs(t)
	environment["WEAK"] = base64.StdEncoding.EncodeToString(weakPublic)
	for name, c := range map[string]struct {
		Settings
		field string
	}{
		"no such way":           {Settings{Way: "hope"}, "p.way"},
		"no secret":             {Settings{Way: BG}, "p.secret_env"},
		"secret not set":        {Settings{Way: BG, SecretEnv: "NONE"}, "p.secret_env"},
		"token not set":         {Settings{Way: Token, SecretEnv: "NONE"}, "p.secret_env"},
		"digest without secret": {Settings{Way: SM3, SecretEnv: "SECRET", Text: "{timestamp}{body}"}, "p.text"},
		"no time":               {Settings{Way: HMACSM3, SecretEnv: "SECRET", Text: "{body}"}, "p.text"},
		"unknown name":          {Settings{Way: HMACSM3, SecretEnv: "SECRET", Text: "{timestamp}{nonse}"}, "p.text"},
		"nonce not signed":      {Settings{Way: BG, SecretEnv: "SECRET", Replay: byNonce}, "p.replay"},
		"a clock without hours": {Settings{Way: BG, SecretEnv: "SECRET", Clock: "2006-01-02"}, "p.clock"},
		"a window of days":      {Settings{Way: BG, SecretEnv: "SECRET", Window: 48 * time.Hour}, "p.window"},
		"no public key":         {Settings{Way: SM2}, "p.public_key_env"},
		"another kind of key":   {Settings{Way: SM2, PublicKeyEnv: "RSA_PUB"}, "p.public_key_env"},
		"no key at all":         {Settings{Way: RSA, PublicKeyEnv: "SECRET"}, "p.public_key_env"},
		"a key too short":       {Settings{Way: RSA, PublicKeyEnv: "WEAK"}, "p.public_key_env"},
		"nothing said":          {Settings{Way: Signed}, "p.algorithm"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var check casework.Check
			New(c.Settings, false, func(name string) string { return environment[name] }, &check, "p")
			f := casework.AsFault(check.Err())
			require.Equal(t, casework.Invalid, f.Kind)
			var fields []string
			for _, field := range f.Fields {
				fields = append(fields, field.Field)
				require.NotContains(t, field.ZH+field.EN, "a secret of ours")
			}
			require.Contains(t, fields, c.field)
		})
	}
}

func TestBodiesAreDecrypted(t *testing.T) {
	t.Parallel()
	// GB/T 32907-2016, annex A: one block under its own key.
	environment := map[string]string{"KEY": "0123456789abcdeffedcba9876543210", "IV": "0123456789abcdef"}
	cipherOf := func(t require.TestingT, s CipherSettings) *Cipher {
		var c casework.Check
		x := NewCipher(s, func(name string) string { return environment[name] }, &c, "decrypt")
		require.NoError(t, c.Err())
		return x
	}
	block, err := hex.DecodeString(environment["KEY"])
	require.NoError(t, err)
	ecb := cipherOf(t, CipherSettings{Cipher: sm4ECB, Encoding: asHex, KeyEnv: "KEY"})
	out := make([]byte, 16)
	ecb.block.Encrypt(out, block)
	require.Equal(t, "681edf34d206965e86b3e94f536e4246", hex.EncodeToString(out))

	all := []*Cipher{
		ecb,
		cipherOf(t, CipherSettings{Cipher: sm4ECB, KeyEnv: "KEY", Field: "data"}),
		cipherOf(t, CipherSettings{Cipher: sm4CBC, KeyEnv: "KEY"}),
		cipherOf(t, CipherSettings{Cipher: sm4CBC, KeyEnv: "KEY", IVEnv: "IV", Encoding: asHex}),
		cipherOf(t, CipherSettings{Cipher: sm4CBC, KeyEnv: "KEY", IVEnv: "IV", Field: "encryptData"}),
	}
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.SampledFrom(all).Draw(t, "cipher")
		body := rapid.SliceOf(rapid.Byte()).Draw(t, "body")
		sealed, err := x.Encrypt(body, block)
		require.NoError(t, err)
		plain, err := x.Decrypt(sealed)
		require.NoError(t, err)
		require.True(t, bytes.Equal(body, plain))
		_, _ = x.Decrypt(body) // whatever comes, it does not fall over
		_, _ = x.Decrypt(sealed[:len(sealed)/2])
	})
	for _, s := range []CipherSettings{{Cipher: "aes", KeyEnv: "KEY"}, {Cipher: sm4CBC, KeyEnv: "NONE"}, {Cipher: sm4ECB, KeyEnv: "KEY", IVEnv: "IV"}} {
		var c casework.Check
		NewCipher(s, func(name string) string { return environment[name] }, &c, "decrypt")
		require.Error(t, c.Err())
	}
}

// GB/T 32905-2016, annex A.
func TestSM3OfTheStandard(t *testing.T) {
	t.Parallel()
	sum := sm3.Sum([]byte("abc"))
	require.Equal(t, "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0", hex.EncodeToString(sum[:]))
	var p Proof
	made, err := algorithms[plainSM3].sign(&p, []byte("abc"))
	require.NoError(t, err)
	require.Equal(t, sum[:], made)
}
