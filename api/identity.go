package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/golang-jwt/jwt/v5"

	"github.com/curbstop/curbstop/casework"
)

// AuthOptions say whose tokens are believed. Roles, department and districts
// always come from the staff table, whoever issued the token.
type AuthOptions struct {
	JWTKey []byte // of the built-in issuer: HMAC-SHA-256, at least 32 bytes

	OIDCIssuer   string // URL of an OpenID provider; empty: the built-in issuer only
	OIDCAudience string // the audience that its tokens must name; required with OIDCIssuer

	// SessionLifetime is how long a log-in lasts; 0: ten hours, so that nobody
	// is logged out within a shift.
	SessionLifetime time.Duration
}

const (
	issuer   = "curbstop"
	audience = "curbstop-api"

	minKeyBytes   = 32
	maxTokenBytes = 8 << 10
	tokenSkew     = 30 * time.Second
	oidcTimeout   = 10 * time.Second

	// staffFor is how long a row of the staff table is remembered: somebody who
	// is struck off keeps working for at most this long.
	staffFor = 5 * time.Second
	// maxRemembered bounds that memory; tokens of unknown people don't fill it.
	maxRemembered = 10_000
)

// IssueToken makes a token of the built-in issuer. It says who somebody is and
// nothing of what they may do.
func IssueToken(key []byte, staffID string, ttl time.Duration, now time.Time) (string, error) {
	if len(key) < minKeyBytes {
		return "", fmt.Errorf("api: the token key must have at least %d bytes", minKeyBytes)
	}
	return jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Issuer: issuer, Subject: staffID, Audience: jwt.ClaimStrings{audience},
		IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(ttl)),
	}).SignedString(key)
}

// identities finds out who is calling.
type identities struct {
	options AuthOptions
	store   Store
	now     func() time.Time
	parser  *jwt.Parser

	mu       sync.Mutex
	verifier *oidc.IDTokenVerifier // nil until the provider was reached
	staff    map[string]remembered
}

type remembered struct {
	staff casework.Staff
	until time.Time
}

func newIdentities(o AuthOptions, store Store, now func() time.Time) (*identities, error) {
	if len(o.JWTKey) < minKeyBytes {
		return nil, fmt.Errorf("api: Auth.JWTKey must have at least %d bytes", minKeyBytes)
	}
	if (o.OIDCIssuer == "") != (o.OIDCAudience == "") {
		return nil, errors.New("api: Auth.OIDCIssuer and Auth.OIDCAudience go together")
	}
	if o.OIDCIssuer == issuer {
		return nil, fmt.Errorf("api: Auth.OIDCIssuer can't be %q, the built-in issuer", issuer)
	}
	o.SessionLifetime = nonZero(o.SessionLifetime, 10*time.Hour)
	return &identities{
		options: o, store: store, now: now, staff: map[string]remembered{},
		parser: jwt.NewParser(
			// A token does not choose how it is verified: HS256 and nothing else.
			jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
			jwt.WithIssuer(issuer), jwt.WithAudience(audience), jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
			jwt.WithLeeway(tokenSkew), jwt.WithTimeFunc(now)),
	}, nil
}

// actor gives who an Authorization header belongs to, as the staff table knows
// them now.
func (i *identities) actor(ctx context.Context, header string) (casework.Actor, error) {
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" || len(token) > maxTokenBytes {
		return casework.Actor{}, notLoggedIn()
	}
	id, err := i.verify(ctx, strings.TrimSpace(token))
	if err != nil {
		return casework.Actor{}, err
	}
	staff, err := i.lookUp(ctx, id)
	if err != nil {
		return casework.Actor{}, err
	}
	return staff.Actor(), nil
}

func notLoggedIn() error {
	return casework.Refuse(casework.Unauthorised, "not_logged_in",
		casework.Say("请先登录：令牌缺失、无效或已过期", "log in first: the token is missing, not valid or expired"))
}

// verify gives the staff number that a valid token names. Which issuer is
// asked follows from the token's own claim; what it claims is believed only
// after that issuer's key has verified it.
func (i *identities) verify(ctx context.Context, token string) (string, error) {
	var claims jwt.RegisteredClaims
	if _, _, err := jwt.NewParser().ParseUnverified(token, &claims); err != nil {
		return "", notLoggedIn()
	}
	if i.options.OIDCIssuer != "" && claims.Issuer == i.options.OIDCIssuer {
		return i.verifyOIDC(ctx, token)
	}
	claims = jwt.RegisteredClaims{}
	_, err := i.parser.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return i.options.JWTKey, nil })
	if err != nil || claims.Subject == "" {
		return "", notLoggedIn()
	}
	return claims.Subject, nil
}

func (i *identities) verifyOIDC(ctx context.Context, token string) (string, error) {
	verifier, err := i.provider(ctx)
	if err != nil {
		return "", fmt.Errorf("reach the OpenID provider: %w: %w", casework.Refuse(casework.Unavailable, "oidc_unavailable",
			casework.Say("统一身份认证暂不可用，请稍后重试", "the identity provider is not available; try again later")), err)
	}
	verified, err := verifier.Verify(ctx, token)
	if err != nil {
		return "", notLoggedIn()
	}
	var claims struct {
		PreferredUsername string `json:"preferred_username"`
	}
	if err := verified.Claims(&claims); err != nil {
		return "", notLoggedIn()
	}
	if claims.PreferredUsername != "" {
		return claims.PreferredUsername, nil
	}
	return verified.Subject, nil
}

// provider asks the OpenID provider for its keys when the first of its tokens
// comes, so that this program starts while the provider is down.
func (i *identities) provider(ctx context.Context) (*oidc.IDTokenVerifier, error) {
	i.mu.Lock()
	verifier := i.verifier
	i.mu.Unlock()
	if verifier != nil {
		return verifier, nil
	}
	// The provider keeps the context for fetching keys later, beyond this request.
	lasting := oidc.ClientContext(context.WithoutCancel(ctx), &http.Client{Timeout: oidcTimeout})
	provider, err := oidc.NewProvider(lasting, i.options.OIDCIssuer)
	if err != nil {
		return nil, err
	}
	verifier = provider.Verifier(&oidc.Config{ClientID: i.options.OIDCAudience, Now: i.now})
	i.mu.Lock()
	defer i.mu.Unlock()
	i.verifier = verifier
	return verifier, nil
}

// lookUp gives an active member of staff. Somebody who is not in the table, or
// not active, is as unknown as a bad token.
func (i *identities) lookUp(ctx context.Context, id string) (casework.Staff, error) {
	now := i.now()
	i.mu.Lock()
	known, ok := i.staff[id]
	i.mu.Unlock()
	if !ok || !now.Before(known.until) {
		staff, err := i.store.Staff(ctx, id)
		if f := casework.AsFault(err); err != nil && f.Kind == casework.NotFound {
			return casework.Staff{}, notLoggedIn()
		}
		if err != nil {
			return casework.Staff{}, err
		}
		known = remembered{staff: staff, until: now.Add(staffFor)}
		i.remember(known)
	}
	if !known.staff.Active {
		return casework.Staff{}, notLoggedIn()
	}
	return known.staff, nil
}

func (i *identities) remember(r remembered) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.staff) >= maxRemembered {
		clear(i.staff)
	}
	i.staff[r.staff.ID] = r
}

// forget makes a change of the staff table hold at once in this process.
func (i *identities) forget(id string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.staff, id)
}
