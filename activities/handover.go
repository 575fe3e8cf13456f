package activities

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"golang.org/x/sync/errgroup"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
)

// HandOverBook is what is known of absences, hand-overs and who holds what.
type HandOverBook interface {
	Absence(ctx context.Context, id string) (casework.Absence, error)
	StaffHandOver(ctx context.Context, id string) (casework.StaffHandOver, error)
	FinishHandOver(ctx context.Context, id string, at time.Time) (casework.StaffHandOver, error)
	Staff(ctx context.Context, id string) (casework.Staff, error)
	// AbsencesOf lists the absences of these persons that touch a stretch of time.
	AbsencesOf(ctx context.Context, persons []string, from, to time.Time) ([]casework.Absence, error)
	// Held lists the cases in which a person holds open tasks, by case number
	// after one that was listed before.
	Held(ctx context.Context, person, after string, limit int) ([]casework.HeldCase, error)
	// NoteHanding writes down which tasks are about to change hands, and
	// SettleHanding where those of the cases that answered have gone.
	NoteHanding(ctx context.Context, cause string, held []casework.HeldCase) error
	SettleHanding(ctx context.Context, cause, person string, answered []string, at time.Time) error
	// TellHanding has told of what changed hands and nobody was told of, each
	// task once; write words the messages.
	TellHanding(ctx context.Context, cause string, write func([]casework.HandedTask) []casework.Message) error
}

// Cases takes decisions to the cases' workflows. The same key gives the first
// answer; what the case refuses is a [casework.Fault].
type Cases interface {
	Do(ctx context.Context, caseNumber string, a casework.Action, key string) (contract.Done, error)
}

// HandOvers moves the open tasks of a person who is absent or leaves.
type HandOvers struct {
	Book  HandOverBook
	Cases Cases
	Now   func() time.Time
}

// HandOverInput asks for one look at a person's open tasks.
type HandOverInput struct {
	ID    string    `json:"id"`    // of the absence or hand-over
	Round int       `json:"round"` // each look acts under keys of its own
	At    time.Time `json:"at"`    // the workflow's time
}

// AbsenceLook is what one look at an absence found and did.
type AbsenceLook struct {
	Absence casework.Absence      `json:"absence"` // as it is on record now, without its reason
	State   casework.AbsenceState `json:"state"`
}

// HandOverAbsent moves what an absent person holds. What is on record decides,
// not what the workflow remembers: an absence that was ended meanwhile moves
// nothing.
func (h *HandOvers) HandOverAbsent(ctx context.Context, in HandOverInput) (AbsenceLook, error) {
	a, err := h.Book.Absence(ctx, in.ID)
	if err != nil {
		return AbsenceLook{}, fmt.Errorf("read absence %s: %w", in.ID, err)
	}
	// The clocks of two machines differ; the timer that woke the workflow is right.
	now := h.Now()
	if now.Before(in.At) {
		now = in.At
	}
	state := a.State(now)
	if state == casework.AbsenceCurrent {
		m := move{cause: a.Cause(), key: fmt.Sprintf("%s/%d", a.Cause(), in.Round), person: a.Person, why: a.Why(), since: a.From, said: a.Why()}
		if m.to, err = h.taker(ctx, a.Deputy, now); err != nil {
			return AbsenceLook{}, err
		}
		if err := h.move(ctx, m); err != nil {
			return AbsenceLook{}, err
		}
		if a, err = h.Book.Absence(ctx, in.ID); err != nil {
			return AbsenceLook{}, fmt.Errorf("read absence %s: %w", in.ID, err)
		}
	}
	a.Reason = ""
	return AbsenceLook{Absence: a, State: state}, nil
}

// HandOverStaff moves everything that a person holds, and writes down that it
// is done.
func (h *HandOvers) HandOverStaff(ctx context.Context, in HandOverInput) (casework.Handed, error) {
	o, err := h.Book.StaffHandOver(ctx, in.ID)
	if err != nil {
		return casework.Handed{}, fmt.Errorf("read hand-over %s: %w", in.ID, err)
	}
	m := move{cause: o.Cause(), key: fmt.Sprintf("%s/%d", o.Cause(), in.Round), person: o.Person, why: o.Why(), said: o.Said()}
	if m.to, err = h.taker(ctx, o.To, h.Now()); err != nil {
		return casework.Handed{}, err
	}
	if err := h.move(ctx, m); err != nil {
		return casework.Handed{}, err
	}
	if o, err = h.Book.FinishHandOver(ctx, in.ID, h.Now()); err != nil {
		return casework.Handed{}, fmt.Errorf("finish hand-over %s: %w", in.ID, err)
	}
	return o.Handed, nil
}

// taker gives who is to take the tasks; nil, and so the department, where
// nobody is named, or who is named has left or is absent too.
func (h *HandOvers) taker(ctx context.Context, id string, now time.Time) (*casework.Actor, error) {
	if id == "" {
		return nil, nil
	}
	staff, err := h.Book.Staff(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("read staff %s: %w", id, err)
	}
	absences, err := h.Book.AbsencesOf(ctx, []string{id}, now, now.Add(time.Second))
	if err != nil {
		return nil, fmt.Errorf("read absences of %s: %w", id, err)
	}
	if !staff.Active || len(absences) > 0 {
		return nil, nil
	}
	actor := staff.Actor()
	return &actor, nil
}

// move is the moving of a person's open tasks for one cause.
type move struct {
	cause, key, person string
	to                 *casework.Actor
	why                casework.Text
	said               casework.Text // to those who get the tasks
	since              time.Time
}

const (
	// handingPage is how many cases are read at one time, handingWorkers how many
	// of them are asked at one time.
	handingPage    = 100
	handingWorkers = 4
)

// move moves what a person holds, and has those told who got it, also where some
// of it is still to come.
func (h *HandOvers) move(ctx context.Context, m move) error {
	err := h.walk(ctx, m)
	told := h.Book.TellHanding(ctx, m.cause, func(tasks []casework.HandedTask) []casework.Message {
		return casework.TellOfHanded(m.cause, m.said, tasks, h.Now())
	})
	if told != nil {
		told = fmt.Errorf("tell of what was handed over: %w", told)
	}
	return errors.Join(err, told)
}

// walk goes through the cases page by page. A case that does not answer holds
// up no other: what failed is tried again by the next attempt, which finds only
// what is left.
func (h *HandOvers) walk(ctx context.Context, m move) error {
	after := ""
	var failed []error
	for {
		held, err := h.Book.Held(ctx, m.person, after, handingPage)
		if err != nil {
			return fmt.Errorf("list what %s holds: %w", m.person, err)
		}
		if len(held) == 0 {
			// What an attempt before this one moved and could not write down.
			if err := h.Book.SettleHanding(ctx, m.cause, m.person, nil, h.Now()); err != nil {
				return fmt.Errorf("note what was handed over: %w", err)
			}
			return errors.Join(failed...)
		}
		if err := h.Book.NoteHanding(ctx, m.cause, held); err != nil {
			return fmt.Errorf("note what is handed over: %w", err)
		}
		answered, err := h.ask(ctx, m, held)
		failed = append(failed, err)
		if err := h.Book.SettleHanding(ctx, m.cause, m.person, answered, h.Now()); err != nil {
			return fmt.Errorf("note what was handed over: %w", err)
		}
		after = held[len(held)-1].Case
	}
}

// ask has cases hand over, and gives those that answered.
func (h *HandOvers) ask(ctx context.Context, m move, held []casework.HeldCase) (answered []string, err error) {
	var group errgroup.Group
	group.SetLimit(handingWorkers)
	var mutex sync.Mutex
	var failed []error
	for _, k := range held {
		group.Go(func() error {
			act := casework.HandOver{By: casework.By{Actor: casework.System()}, Person: m.person, To: m.to, Reason: m.why.String(), Since: m.since}
			_, err := h.Cases.Do(ctx, k.Case, act, m.key)
			activity.RecordHeartbeat(ctx, k.Case)
			mutex.Lock()
			defer mutex.Unlock()
			if err != nil && !settled(err) {
				failed = append(failed, fmt.Errorf("hand over in %s: %w", k.Case, err))
			} else {
				answered = append(answered, k.Case)
			}
			return nil
		})
	}
	_ = group.Wait() // every error is kept beside its case
	return answered, errors.Join(failed...)
}

// settled tells that a case has nothing to hand over any more: it ended, or its
// tasks were done or moved meanwhile.
func settled(err error) bool {
	return casework.AsFault(err).Kind == casework.Conflict
}
