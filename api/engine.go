package api

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"github.com/curbstop/curbstop/casework"
)

// newEngine makes the router and what surrounds every request.
func (a *API) newEngine(trustedProxies []string) (*gin.Engine, error) {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	if err := e.SetTrustedProxies(trustedProxies); err != nil {
		return nil, fmt.Errorf("api: trusted proxies: %w", err)
	}
	// An address is right or wrong; a redirect would turn a write into a read.
	e.RedirectTrailingSlash, e.RedirectFixedPath = false, false
	e.HandleMethodNotAllowed = true
	e.Use(a.surround, a.answerOrigin, readableAddress)
	e.NoRoute(func(c *gin.Context) {
		writeProblem(c, problemOf(c.Request.Context(), casework.Refuse(casework.NotFound, "no_route",
			casework.Say("没有这个地址，请查阅 /docs", "there is no such address; see /docs"))))
	})
	e.NoMethod(func(c *gin.Context) {
		p := problemOf(c.Request.Context(), casework.Refuse(malformed, "no_method", casework.Sayf(
			"此地址只接受 %[1]s", "this address takes %[1]s only", c.Writer.Header().Get("Allow"))))
		p.Status = http.StatusMethodNotAllowed
		writeProblem(c, p)
	})
	return e, nil
}

// surround gives a request its ID and the headers of every answer, turns a
// panic into a problem, and writes the access log.
func (a *API) surround(c *gin.Context) {
	began := time.Now()
	state := &call{requestID: rand.Text(), log: a.log}
	c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), callKey{}, state))
	h := c.Writer.Header()
	h.Set("X-Request-Id", state.requestID)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")

	defer func() {
		if f := c.Request.MultipartForm; f != nil {
			_ = f.RemoveAll() // the server forgets the files of a request that was given a context
		}
		if cause := recover(); cause != nil {
			a.log.Error("panic", slog.String("request_id", state.requestID),
				slog.Any("cause", cause), slog.String("stack", string(debug.Stack())))
			if c.Writer.Written() {
				// Half an answer must not look like a whole one.
				panic(http.ErrAbortHandler)
			}
			writeProblem(c, newProblem(casework.AsFault(nil), state.requestID))
		}
		// The route, not the address: addresses of customers hold their code in
		// the query, and a phone number may be what somebody searches for.
		a.log.Info("request", slog.String("request_id", state.requestID), slog.String("method", c.Request.Method),
			slog.String("route", c.FullPath()), slog.String("case", c.Param("number")), slog.String("actor", state.actor.ID),
			slog.Int("status", c.Writer.Status()), slog.Int("bytes", c.Writer.Size()),
			slog.Duration("took", time.Since(began)))
	}()
	c.Next()
}

// readableAddress refuses an address whose path or query is no text: no record
// has it, and the database would not even look for it.
func readableAddress(c *gin.Context) {
	parts := []string{c.Request.URL.Path}
	for name, values := range c.Request.URL.Query() {
		parts = append(append(parts, name), values...)
	}
	for _, part := range parts {
		if !utf8.ValidString(part) || strings.ContainsRune(part, 0) {
			writeProblem(c, problemOf(c.Request.Context(), casework.Refuse(malformed, "address_unreadable", casework.Say(
				"地址或查询参数不是有效的 UTF-8 文字", "the address or a query parameter is no text in UTF-8"))))
			return
		}
	}
}

// codecPath is the only address that a browser may call from another origin.
const codecPath = "/codec/decode"

// answerOrigin lets the Temporal UI, and nobody else, call the codec from a
// browser, and answers the browser's question ahead of the call.
func (a *API) answerOrigin(c *gin.Context) {
	if c.Request.URL.Path != codecPath || a.temporalUI == "" {
		return
	}
	h := c.Writer.Header()
	h.Add("Vary", "Origin")
	if c.GetHeader("Origin") != strings.TrimSuffix(a.temporalUI, "/") {
		return
	}
	h.Set("Access-Control-Allow-Origin", c.GetHeader("Origin"))
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Set("Access-Control-Allow-Methods", http.MethodPost)
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, X-Namespace")
	h.Set("Access-Control-Max-Age", "600")
	if c.Request.Method == http.MethodOptions {
		c.AbortWithStatus(http.StatusNoContent)
	}
}

// addressOf is the caller's address as limits count it: an IPv6 network of 64
// bits is one caller, for a host chooses freely within it.
func addressOf(c *gin.Context) string {
	address, err := netip.ParseAddr(c.ClientIP())
	if err != nil {
		host, _, _ := net.SplitHostPort(c.Request.RemoteAddr)
		return host
	}
	address = address.Unmap()
	if address.Is6() {
		network, err := address.WithZone("").Prefix(64)
		if err == nil {
			return network.String()
		}
	}
	return address.String()
}

// routes lists what is registered, for tests of what must hold everywhere.
func (a *API) routes() []route {
	var all []route
	for _, item := range a.huma.OpenAPI().Paths {
		for _, op := range operations(item) {
			if r, ok := op.Metadata[routeKey].(route); ok {
				all = append(all, r)
			}
		}
	}
	slices.SortFunc(all, func(x, y route) int { return strings.Compare(x.path+x.method, y.path+y.method) })
	return all
}
