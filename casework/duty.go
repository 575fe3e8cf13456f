package casework

import (
	"fmt"
	"strconv"
	"time"
)

// A duty is a case that no customer brought in: work of the utility's own that
// comes again, with a task, a limit and the ladder of every case. It belongs to
// the whole city.

// NoticeDutyNumber is the number of the case in which the holiday notice of a
// year is looked for: one a year.
func NoticeDutyNumber(year int) string { return fmt.Sprintf("D%d-notice", year) }

// NewNoticeDuty gives the case of importing a year's holiday notice, which is
// missing (D). Its own workflow opens it with [Case.BeginNoticeDuty].
func NewNoticeDuty(year int, terms Terms, now time.Time) *Case {
	return &Case{
		Number: NoticeDutyNumber(year), Kind: DutyCase, Terms: terms,
		// What lists show where a connection has its applicant says what is to be done.
		Request:    Request{Site: Site{District: AllDistricts}, Applicant: Applicant{Name: fmt.Sprintf("例行事务：导入 %d 年放假通知", year)}},
		ReceivedAt: now, ReceivedBy: System().ID, Status: Open, Stage: Duty,
	}
}

// BeginNoticeDuty opens the case with its first event and its task; one that is
// open already stays as it is.
func (k *Case) BeginNoticeDuty(year int, now time.Time) {
	if k.Version > 0 {
		return
	}
	k.record(now, System(), Received, "", Sayf("%d 年放假通知尚未导入", "the holiday notice for %d is not imported yet", year), nil)
	k.Need(ImportNotice, strconv.Itoa(year), 1, now, now)
}

// NoticeImported ends the duty: the year's notice came in with a version of the
// calendar. A case that has ended stays as it is.
func (k *Case) NoticeImported(version string, now time.Time) {
	if k.Status.Ended() {
		return
	}
	for i := range k.Tasks {
		t := &k.Tasks[i]
		if t.Kind != ImportNotice || t.State != TaskOpen {
			continue
		}
		t.State, t.DoneAt, t.DoneBy, t.Outcome = TaskDone, now, System().ID, done
		k.closeDeadline(t.ID, true, now, now)
		k.changes.task(*t)
		k.record(now, System(), TaskCompleted, t.ID, Sayf("完成任务：%[1]s（日历版本 %[3]s）", "task done: %[2]s (calendar version %[3]s)", t.Title(), t.Kind, version), nil)
	}
	k.dropEnded()
	k.End(Closed, now)
}

// NoticeDutyInput completes import_notice, which nobody can by hand: the import
// itself does.
type NoticeDutyInput struct{}

func (*NoticeDutyInput) gate(_ *Case, t *Task) error {
	return Refuse(Conflict, "notice_missing", Sayf(
		"%[1]s 年放假通知尚未导入；导入后本任务自动办结（curbstop calendar import，或 POST /v1/calendar/imports）",
		"the holiday notice for %[1]s is not imported yet; once it is, this task is done by itself (curbstop calendar import, or POST /v1/calendar/imports)", t.Qualifier))
}

func (*NoticeDutyInput) check(*Check, *Case, *Task, time.Time) {}

func (*NoticeDutyInput) apply(*Case, *Task, Actor, time.Time) string { return done }
