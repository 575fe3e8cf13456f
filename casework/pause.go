package casework

import (
	"fmt"
	"strings"
	"time"

	"github.com/curbstop/curbstop/calendar"
)

// maxPause bounds a pause's planned end, so that no case is parked for good.
const maxPause = 366 * 24 * time.Hour

// reviewLimit is the limit of the review of a pause.
const reviewLimit LimitName = "review_pause"

// PauseCase stops the case's clock for an allowed reason, with evidence and a
// planned end (section 6 of the process). Pauses for several reasons may
// overlap; they count once.
type PauseCase struct {
	By
	Reason     PauseReason `json:"reason"`
	Evidence   string      `json:"evidence"`
	PlannedEnd time.Time   `json:"planned_end"`
}

// Apply implements [Action].
func (a PauseCase) Apply(k *Case, now time.Time) error {
	if err := a.may(k, Taskforce, TaskforceOffice, TaskforceLead); err != nil {
		return err
	}
	if k.Status != Open && k.Status != Paused {
		return Refuse(Conflict, "not_open", Sayf("案件%[1]s，不能暂停", "the case is %[2]s and can't be paused", k.Status.Name(), k.Status))
	}
	var c Check
	c.Require(k.Terms.Allows(a.Reason), "reason", Sayf("暂停原因应为：%s", "reason must be one of: %s", joinAny(k.Terms.PauseReasons)))
	text(&c, "evidence", a.Evidence, true)
	plannedEnd(&c, a.PlannedEnd, now)
	if err := c.Err(); err != nil {
		return err
	}
	for _, p := range k.openPauses() {
		if p.Reason == a.Reason {
			return Refuse(Conflict, "already_paused", Sayf("已因%[1]s暂停，计划至 %[3]s", "paused for %[2]s already, until about %[3]s", p.Reason.Name(), p.Reason, Clock(p.PlannedEnd)))
		}
	}
	k.Status = Paused
	k.Pauses = append(k.Pauses, Pause{Reason: a.Reason, Evidence: a.Evidence, From: now, PlannedEnd: a.PlannedEnd, By: a.Actor.ID, BoundFrom: now})
	for i := range k.Deadlines {
		if d := &k.Deadlines[i]; d.Live() && d.OnWork() && d.Limit != reviewLimit {
			d.hold(string(a.Reason), now)
		}
	}
	k.boundPause(len(k.Pauses) - 1)
	k.record(now, a.Actor, CasePaused, "", Sayf("暂停计时（%[1]s），计划至 %[3]s", "paused (%[2]s) until about %[3]s", a.Reason.Name(), a.Reason, Clock(a.PlannedEnd)),
		map[string]string{"evidence": a.Evidence})
	return nil
}

func plannedEnd(c *Check, end, now time.Time) {
	c.Require(end.After(now), "planned_end", Say("计划结束时间应晚于现在", "the planned end must lie ahead"))
	c.Require(end.Before(now.Add(maxPause)), "planned_end", Say("计划结束时间应在一年之内", "the planned end must be within a year"))
}

// pauseClockID names the clock of the nth pause, which is set anew after each
// review.
func pauseClockID(n, reviews int) string { return fmt.Sprintf("%s%d-%d", pauseClock, n+1, reviews+1) }

// boundPause starts the clock after which a pause is reviewed.
func (k *Case) boundPause(n int) {
	if k.Terms.PauseBound == (calendar.Budget{}) {
		return
	}
	p := &k.Pauses[n]
	d := Deadline{ID: pauseClockID(n, p.Reviews), Limit: PauseBoundLimit, Anchor: later(p.From, p.BoundFrom), Budget: k.Terms.PauseBound, Stale: true}
	d.climbs(pauseLadder)
	k.Deadlines = append(k.Deadlines, d)
}

// pauseLadder has the one step of a pause that lasts too long: its review.
var pauseLadder = []Rung{{Name: RungReview, To: TaskforceOffice}}

// pauseOf gives the pause to which a clock belongs.
func (k *Case) pauseOf(clock string) (int, bool) {
	for n := range k.Pauses {
		if strings.HasPrefix(clock, fmt.Sprintf("%s%d-", pauseClock, n+1)) {
			return n, true
		}
	}
	return 0, false
}

// reviewPause has a pause looked at that has lasted beyond the bound.
func (k *Case) reviewPause(clock string, now time.Time) {
	n, ok := k.pauseOf(clock)
	if !ok {
		return
	}
	p := &k.Pauses[n]
	p.Reviews++
	k.closeDeadline(clock, true, now, now)
	say := Sayf("暂停（%[1]s）已超过 %[2]s，请专班办公室复核", "paused (%[3]s) for longer than %[4]s; to be reviewed by the taskforce office",
		p.Reason.Name(), BudgetName(k.Terms.PauseBound), p.Reason, k.Terms.PauseBound)
	k.record(now, System(), PauseReviewDue, "", say, nil)
	k.Need(ReviewPause, string(p.Reason), p.Reviews, now, now)
	k.tell(Message{
		ID: k.reviewMessage(clock), Kind: MessageReview, To: TaskforceOffice,
		Department: Department(Taskforce), Text: say, At: now,
	})
}

// remindOfPause says that a pause has reached its planned end.
func (k *Case) remindOfPause(p *Pause, now time.Time) {
	p.RemindedAt = now
	say := Sayf("暂停（%[1]s）已到计划结束时间，请恢复计时或说明", "the pause (%[2]s) has reached its planned end: resume, or say why not", p.Reason.Name(), p.Reason)
	k.record(now, System(), PauseEndReached, "", say, nil)
	k.tell(Message{
		ID: k.pauseEndMessage(p), Kind: MessagePauseEnd, To: Taskforce, Person: p.By,
		Department: Department(Taskforce), Text: say, At: now,
	})
}

func (k *Case) reviewMessage(clock string) string { return k.Number + "/" + clock }

func (k *Case) pauseEndMessage(p *Pause) string {
	return fmt.Sprintf("%s/pause_end/%s/%d", k.Number, p.Reason, p.PlannedEnd.Unix())
}

// mootPause takes back what people were told of the nth pause, as far as it has
// not gone out: it has ended, or was looked at.
func (k *Case) mootPause(n int) {
	p := &k.Pauses[n]
	if !p.RemindedAt.IsZero() {
		k.changes.Moot = append(k.changes.Moot, k.pauseEndMessage(p))
	}
	if p.Reviews > 0 {
		k.changes.Moot = append(k.changes.Moot, k.reviewMessage(pauseClockID(n, p.Reviews-1)))
	}
}

// ResumeCase lets the clock go on; deadlines move by the working time paused.
type ResumeCase struct {
	By
	Reason PauseReason `json:"reason,omitempty"` // the pause that ends; empty: all
	Note   string      `json:"note,omitempty"`
}

// Apply implements [Action].
func (a ResumeCase) Apply(k *Case, now time.Time) error {
	if err := a.may(k, Taskforce, TaskforceOffice, TaskforceLead); err != nil {
		return err
	}
	if err := remark(a.Note); err != nil {
		return err
	}
	if !k.resume(a.Reason, a.Actor, a.Note, now) {
		return Refuse(Conflict, "not_paused", Say("案件未暂停，或未因该原因暂停", "the case is not paused, or not for this reason"))
	}
	return nil
}

// resume ends the pause of a reason, or all; false where there is none.
func (k *Case) resume(reason PauseReason, by Actor, note string, now time.Time) bool {
	ended := k.endPauses(now, reason)
	if len(ended) == 0 {
		return false
	}
	if len(k.openPauses()) == 0 && k.Status == Paused {
		k.Status = Open
	}
	for _, p := range ended {
		for i := range k.Deadlines {
			if d := &k.Deadlines[i]; d.Live() {
				d.release(string(p.Reason), now)
			}
		}
		k.record(now, by, CaseResumed, "", Sayf("恢复计时（%[1]s）", "resumed (%[2]s)", p.Reason.Name(), p.Reason), reasonData(note))
	}
	return true
}

// endPauses ends the pauses that last, of one reason if it is named, with their
// clocks and reviews.
func (k *Case) endPauses(now time.Time, only ...PauseReason) (ended []*Pause) {
	for n := range k.Pauses {
		p := &k.Pauses[n]
		if !p.To.IsZero() || len(only) > 0 && only[0] != "" && only[0] != p.Reason {
			continue
		}
		p.To = now
		k.mootPause(n)
		ended = append(ended, p)
		k.closeDeadline(pauseClockID(n, p.Reviews), false, now, now)
		if t, ok := k.Live(ReviewPause, string(p.Reason)); ok {
			k.cancel(t, now)
		}
	}
	k.dropEnded()
	return ended
}

// PauseDecision is what a review makes of a pause.
type PauseDecision string

// The outcomes of a review.
const (
	ContinuePause PauseDecision = "continue"
	EndPause      PauseDecision = "resume"
)

// PauseReviewInput completes review_pause.
type PauseReviewInput struct {
	Decision   PauseDecision `json:"decision" enum:"continue,resume" doc:"继续暂停或恢复计时 the pause goes on or ends"`
	PlannedEnd time.Time     `json:"planned_end,omitzero" doc:"继续暂停时的新计划结束时间 the new planned end where it goes on"`
	Note       string        `json:"note" doc:"复核意见 what the review found"`
}

func (in *PauseReviewInput) check(c *Check, _ *Case, _ *Task, now time.Time) {
	oneOf(c, "decision", in.Decision, ContinuePause, EndPause)
	text(c, "note", in.Note, true)
	if in.Decision == ContinuePause {
		plannedEnd(c, in.PlannedEnd, now)
	} else {
		c.Require(in.PlannedEnd.IsZero(), "planned_end", Say("仅继续暂停时填写", "only where the pause goes on"))
	}
}

func (in *PauseReviewInput) apply(k *Case, t *Task, by Actor, now time.Time) string {
	reason := PauseReason(t.Qualifier)
	if in.Decision == EndPause {
		k.resume(reason, by, in.Note, now)
		return string(EndPause)
	}
	for n := range k.Pauses {
		if p := &k.Pauses[n]; p.Reason == reason && p.To.IsZero() {
			k.mootPause(n)
			p.PlannedEnd, p.RemindedAt, p.BoundFrom = in.PlannedEnd, time.Time{}, now
			k.boundPause(n)
			k.record(now, by, PauseReviewed, t.ID, Sayf("复核：继续暂停至 %s", "reviewed: paused until about %s", Clock(in.PlannedEnd)), nil)
		}
	}
	return string(ContinuePause)
}
