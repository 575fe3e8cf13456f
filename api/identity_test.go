package api

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
)

func bearer(token string) map[string]string {
	return map[string]string{"Authorization": "Bearer " + token}
}

// mint signs claims as a forger or a misconfigured issuer might.
func mint(t *testing.T, method jwt.SigningMethod, key any, change func(jwt.MapClaims)) string {
	t.Helper()
	claims := jwt.MapClaims{"iss": issuer, "aud": audience, "sub": "taskforce", "iat": noon.Unix(), "exp": noon.Add(time.Hour).Unix()}
	change(claims)
	token, err := jwt.NewWithClaims(method, claims).SignedString(key)
	require.NoError(t, err)
	return token
}

func TestTokensThatAreNotBelieved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	same := func(jwt.MapClaims) {}
	for name, token := range map[string]string{
		"empty":                 "",
		"no token":              "x.y.z",
		"no signature":          mint(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, same),
		"another key":           mint(t, jwt.SigningMethodHS256, []byte("another key of thirty-two bytes!"), same),
		"another algorithm":     mint(t, jwt.SigningMethodHS512, testKey, same),
		"a public-key one":      mint(t, jwt.SigningMethodRS256, rsaKey, same),
		"expired":               mint(t, jwt.SigningMethodHS256, testKey, func(c jwt.MapClaims) { c["exp"] = noon.Add(-time.Minute).Unix() }),
		"without an end":        mint(t, jwt.SigningMethodHS256, testKey, func(c jwt.MapClaims) { delete(c, "exp") }),
		"not valid yet":         mint(t, jwt.SigningMethodHS256, testKey, func(c jwt.MapClaims) { c["nbf"] = noon.Add(time.Hour).Unix() }),
		"for somebody else":     mint(t, jwt.SigningMethodHS256, testKey, func(c jwt.MapClaims) { c["aud"] = "billing" }),
		"of another issuer":     mint(t, jwt.SigningMethodHS256, testKey, func(c jwt.MapClaims) { c["iss"] = "https://evil.example" }),
		"of nobody":             mint(t, jwt.SigningMethodHS256, testKey, func(c jwt.MapClaims) { delete(c, "sub") }),
		"of somebody unknown":   mint(t, jwt.SigningMethodHS256, testKey, func(c jwt.MapClaims) { c["sub"] = "ghost" }),
		"much too long":         mint(t, jwt.SigningMethodHS256, testKey, func(c jwt.MapClaims) { c["x"] = strings.Repeat("x", maxTokenBytes) }),
		"with roles of its own": mint(t, jwt.SigningMethodHS256, testKey, func(c jwt.MapClaims) { c["sub"], c["roles"] = "ghost", []string{"auditor"} }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rec := w.ask(t, asked{path: "/v1/me", headers: bearer(token)})
			refused(t, rec, 401, "not_logged_in")
			require.Equal(t, "Bearer", rec.Header().Get("WWW-Authenticate"))
		})
	}
	require.Equal(t, 200, w.ask(t, asked{path: "/v1/me", headers: bearer(mint(t, jwt.SigningMethodHS256, testKey, same))}).Code)
}

func TestSomebodyStruckOffIsOutWithinSeconds(t *testing.T) {
	t.Parallel()
	clock := noon
	w := newWorld(t, func(o *Options) { o.Now = func() time.Time { return clock } })
	require.Equal(t, 200, w.ask(t, asked{as: "hotline", path: "/v1/me"}).Code)
	staff := w.staff["hotline"]
	staff.Active = false
	w.staff["hotline"] = staff
	clock = clock.Add(staffFor)
	refused(t, w.ask(t, asked{as: "hotline", path: "/v1/me"}), 401, "not_logged_in")

	// In this process at once.
	require.Equal(t, 200, w.ask(t, asked{as: "network", path: "/v1/task-kinds"}).Code)
	w.act(t, asked{as: "taskforce_office", method: http.MethodPut, path: "/v1/staff/network", body: object{"name": "管网", "department": "network", "roles": []string{"network"}, "active": false}})
	refused(t, w.ask(t, asked{as: "network", path: "/v1/task-kinds"}), 401, "not_logged_in")
}

// provider is a small OpenID provider.
func provider(t *testing.T) (url string, sign func(func(jwt.MapClaims)) string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(object{"issuer": server.URL, "jwks_uri": server.URL + "/keys", "id_token_signing_alg_values_supported": []string{"RS256"}})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(object{"keys": []object{{
			"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "1", "e": "AQAB", "n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()),
		}}})
	})
	return server.URL, func(change func(jwt.MapClaims)) string {
		claims := jwt.MapClaims{"iss": server.URL, "aud": "curbstop", "sub": "uuid-1", "preferred_username": "taskforce",
			"iat": noon.Unix(), "exp": noon.Add(time.Hour).Unix()}
		change(claims)
		token := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
		token.Header["kid"] = "1"
		signed, err := token.SignedString(key)
		require.NoError(t, err)
		return signed
	}
}

func TestTokensOfAnOpenIDProvider(t *testing.T) {
	t.Parallel()
	url, sign := provider(t)
	w := newWorld(t, func(o *Options) { o.Auth.OIDCIssuer, o.Auth.OIDCAudience = url, "curbstop" })
	w.hire("uuid-2", casework.Hotline)
	same := func(jwt.MapClaims) {}
	me := read[casework.Staff](t, w.ask(t, asked{path: "/v1/me", headers: bearer(sign(same))}), 200)
	require.Equal(t, "taskforce", me.ID)
	me = read[casework.Staff](t, w.ask(t, asked{path: "/v1/me", headers: bearer(sign(func(c jwt.MapClaims) { delete(c, "preferred_username"); c["sub"] = "uuid-2" }))}), 200)
	require.Equal(t, "uuid-2", me.ID)

	_, forge := provider(t)
	for name, token := range map[string]string{
		"expired":             sign(func(c jwt.MapClaims) { c["exp"] = noon.Add(-time.Hour).Unix() }),
		"another audience":    sign(func(c jwt.MapClaims) { c["aud"] = "billing" }),
		"another's key":       forge(func(c jwt.MapClaims) { c["iss"] = url }),
		"the built-in key":    mint(t, jwt.SigningMethodHS256, testKey, func(c jwt.MapClaims) { c["iss"], c["aud"] = url, "curbstop" }),
		"an unknown person":   sign(func(c jwt.MapClaims) { c["preferred_username"] = "ghost" }),
		"the built-in issuer": sign(func(c jwt.MapClaims) { c["iss"], c["aud"] = issuer, audience }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, w.ask(t, asked{path: "/v1/me", headers: bearer(token)}), 401, "not_logged_in")
		})
	}
	// The built-in issuer goes on beside it.
	require.Equal(t, 200, w.ask(t, asked{as: "taskforce", path: "/v1/me"}).Code)
}

func TestAProviderThatIsDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *Options) { o.Auth.OIDCIssuer, o.Auth.OIDCAudience = "http://127.0.0.1:1", "curbstop" })
	token := mint(t, jwt.SigningMethodHS256, testKey, func(c jwt.MapClaims) { c["iss"] = "http://127.0.0.1:1" })
	refused(t, w.ask(t, asked{path: "/v1/me", headers: bearer(token)}), 503, "oidc_unavailable")
}

func TestLogIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hashes["taskforce"] = HashPassword("correct horse battery")
	w.hashes["hotline"] = HashPassword("correct horse battery")
	idle := w.staff["hotline"]
	idle.Active = false
	w.staff["hotline"] = idle

	login := func(id, password string) asked {
		return asked{path: "/v1/sessions", body: object{"staff_id": id, "password": password}, headers: map[string]string{"Idempotency-Key": ""}}
	}
	s := read[struct {
		Token     string         `json:"token"`
		ExpiresAt string         `json:"expires_at"`
		Staff     casework.Staff `json:"staff"`
	}](t, w.ask(t, login("taskforce", "correct horse battery")), 201)
	require.Equal(t, "2026-12-01T20:00:00+08:00", s.ExpiresAt)
	require.Equal(t, 200, w.ask(t, asked{path: "/v1/me", headers: bearer(s.Token)}).Code)

	var answers []string
	for _, q := range []asked{
		login("taskforce", "wrong"), login("ghost", "correct horse battery"), login("hotline", "correct horse battery"), login("network", "no hash"),
	} {
		p := refused(t, w.ask(t, q), 401, "wrong_credentials")
		answers = append(answers, p.Detail)
	}
	require.Equal(t, []string{answers[0], answers[0], answers[0], answers[0]}, answers, "nobody learns which part was wrong")
	require.NotContains(t, w.log.String(), "battery")
}

func TestLogInIsLimited(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *Options) { o.Limits.SessionsPerMinute = 2 })
	try := func(id string) int {
		return w.ask(t, asked{path: "/v1/sessions", body: object{"staff_id": id, "password": "x"}}).Code
	}
	require.Equal(t, []int{401, 401, 429}, []int{try("taskforce"), try("taskforce"), try("taskforce")})
	require.Equal(t, 401, try("network"), "another person's log-in is another matter")
}

func TestPasswords(t *testing.T) {
	t.Parallel()
	hash := HashPassword("营商专班 2026")
	require.True(t, strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$"), hash)
	require.NotEqual(t, hash, HashPassword("营商专班 2026"), "each hash has its own salt")
	require.True(t, checkPassword(hash, "营商专班 2026"))
	require.False(t, checkPassword(hash, "营商专班 2027"))
	for _, bad := range []string{
		"", "plain", "$argon2i$v=19$m=19456,t=2,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=16$m=19456,t=2,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=4294967295,t=2,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=64,t=0,p=0$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAA$",
	} {
		require.False(t, checkPassword(bad, ""), bad)
	}
}

func TestNewRefusesWhatWouldBeOpen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	whole := Options{Store: w, Desk: w, Archive: w, Ring: w.ring, Printout: printed, Paper: drafted, Auth: AuthOptions{JWTKey: testKey}}
	_, err := New(whole)
	require.NoError(t, err)
	for name, change := range map[string]func(*Options){
		"no store":         func(o *Options) { o.Store = nil },
		"no ring":          func(o *Options) { o.Ring = nil },
		"no key":           func(o *Options) { o.Auth.JWTKey = nil },
		"a short key":      func(o *Options) { o.Auth.JWTKey = []byte("short") },
		"no audience":      func(o *Options) { o.Auth.OIDCIssuer = "https://id.example.cn" },
		"a doubled issuer": func(o *Options) { o.Auth.OIDCIssuer, o.Auth.OIDCAudience = issuer, "x" },
		"a bad proxy":      func(o *Options) { o.TrustedProxies = []string{"the proxy"} },
	} {
		o := whole
		change(&o)
		_, err := New(o)
		require.Error(t, err, name)
	}
	_, err = IssueToken([]byte("short"), "taskforce", time.Hour, noon)
	require.Error(t, err)
}

func TestAStoreThatIsDownIsNoLogOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *Options) { o.Store = brokenStaff{o.Store} })
	refused(t, w.ask(t, asked{as: "taskforce", path: "/v1/me"}), 500, "internal")
}

type brokenStaff struct{ Store }

func (brokenStaff) Staff(context.Context, string) (casework.Staff, error) {
	return casework.Staff{}, errors.New("no connection")
}

func TestLimiter(t *testing.T) {
	t.Parallel()
	clock := noon
	l := newLimiter(2, func() time.Time { return clock })
	require.True(t, l.allow("a"))
	require.True(t, l.allow("a"))
	require.False(t, l.allow("a"))
	clock = clock.Add(31 * time.Second)
	require.True(t, l.allow("a"))
	require.False(t, l.allow("a"))
	for i := range 3 * rememberedCallers {
		l.allow(strings.Repeat("x", 1+i%7) + time.Duration(i).String())
	}
	require.LessOrEqual(t, len(l.young)+len(l.old), 2*rememberedCallers, "a flood of callers takes no more memory")
}
