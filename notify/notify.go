// Package notify takes messages out of the house: through which outlets each
// of them goes, when, and what became of it. What people are told is decided in
// package casework; what was sent is kept in package store.
//
// An outlet 通道 is how a message goes out. It is not a [casework.Channel] 渠道,
// which is how a request comes in.
package notify

import (
	"context"
	"strings"
	"time"

	"github.com/curbstop/curbstop/casework"
)

// Outlet carries messages to one place outside: a group's robot, a mail server,
// a system beside ours. It is safe for concurrent use.
type Outlet interface {
	// Name is how the configuration calls it.
	Name() string
	// Send hands a notice over and tells what was sent and what was answered.
	// The same notice may come again, with the same ID, where nobody knows what
	// became of it. An error is a [*SendError], or one that passes by itself; it
	// names no secret and no address that holds one.
	Send(ctx context.Context, n Notice) (casework.Sent, error)
}

// Notice is a message on its way, with the people whom it is to reach.
type Notice struct {
	casework.Message
	To []string // mail addresses; for outlets that write to persons
}

// SendError is why an outlet did not take a notice.
type SendError struct {
	Text casework.Text
	// Permanent: it will be refused as often as it is sent. A person must look.
	Permanent bool
	// After is how long the outlet asks to be left alone; zero: it does not say.
	After time.Duration
}

// Error implements error.
func (e *SendError) Error() string { return e.Text.String() }

func permanent(format, english string, args ...any) *SendError {
	return &SendError{Text: casework.Sayf(format, english, args...), Permanent: true}
}

func passing(format, english string, args ...any) *SendError {
	return &SendError{Text: casework.Sayf(format, english, args...)}
}

// maxAnswer bounds what is kept of the other side's words.
const maxAnswer = 200

// without takes secrets out of a text that somebody else wrote, and shortens it.
func without(secrets []string, text string) string {
	for _, s := range secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, "***")
		}
	}
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > maxAnswer {
		text = string(r[:maxAnswer]) + "…"
	}
	return text
}
