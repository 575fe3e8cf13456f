package casework

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/curbstop/curbstop/calendar"
)

// LimitName names a time limit of the policy: a task kind's own name, or a
// lane's limit as [LaneLimit] spells it.
type LimitName string

// LaneLimit is the name of a lane's limit, such as "lane_101".
func LaneLimit(l Lane) LimitName { return LimitName("lane_" + string(l)) }

// Name is the limit's Chinese name: that of its task, or what it is a limit of.
func (l LimitName) Name() string {
	switch l {
	case LaneLimit(Lane101), LaneLimit(Lane201):
		return "模式" + strings.TrimPrefix(string(l), "lane_") + "服务时限"
	case DesignedLaneLimit:
		return "另行设计的服务时限"
	case PauseBoundLimit:
		return "暂停复核期限"
	case AnswerLimit:
		return "升级答复时限"
	case ReplyByLimit:
		return "12345答复时限"
	default:
		return TaskKind(l).Name()
	}
}

// BudgetName writes for people how long something may take; a dash where
// nothing is set.
func BudgetName(b calendar.Budget) string {
	switch b.Unit {
	case calendar.WorkingDays:
		return fmt.Sprintf("%d 个工作日", b.Days)
	case calendar.SameDay:
		return "当日"
	case calendar.NextDay:
		return "次日（工作日）"
	case calendar.NextCalendarDay:
		return "次日"
	case calendar.OnDate:
		return "约定之日"
	case calendar.AtMoment:
		return "规定之时"
	case calendar.WorkingTime:
		return "工作时间 " + spell(b.Time)
	}
	return "—"
}

// spell writes a length of time in hours, minutes and seconds that are not 0.
func spell(d time.Duration) string {
	var b strings.Builder
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{time.Hour, "小时"}, {time.Minute, "分钟"}, {time.Second, "秒"}} {
		if n := d / unit.length; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, unit.name)
			d %= unit.length
		}
	}
	return b.String()
}

// RungName names a rung of the escalation ladder.
type RungName string

// The rungs of the default ladder (section 6 of the process, D).
const (
	RungReminder   RungName = "reminder"       // 提醒: to whoever holds the task
	RungBreach     RungName = "breach"         // 超时: to the taskforce office
	RungLead       RungName = "taskforce_lead" // 提级调度
	RungManagement RungName = "management"     // 综合调度
	// RungReview is no rung of a ladder: a pause has lasted too long.
	RungReview RungName = "review"
)

// Name is the rung's Chinese name.
func (r RungName) Name() string {
	switch r {
	case RungReminder:
		return "到期提醒"
	case RungBreach:
		return "超时"
	case RungLead:
		return "提级调度"
	case RungManagement:
		return "综合调度"
	case RungReview:
		return "暂停复核"
	}
	return string(r)
}

// Rung is one step of the ladder that an open deadline climbs.
type Rung struct {
	Name RungName `json:"name" yaml:"name"`
	// To is who is told; empty means whoever holds the task, or the task's
	// department while nobody does.
	To Role `json:"to,omitempty" yaml:"to"`
	// Before is working time ahead of the due moment; only the reminder has
	// it, and its unit is always working time.
	Before calendar.Budget `json:"before,omitzero" yaml:"before"`
	// After is counted from the rung before (the breach: from the due moment,
	// where it is zero).
	After calendar.Budget `json:"after,omitzero" yaml:"after"`
	// Level is the escalation level that the case shows: 0 for a reminder,
	// then 1 breach, 2 lead, 3 management.
	Level int `json:"level" yaml:"level"`
	// Answer is the time within which whoever is told must answer, counted from
	// the moment at which the rung was recorded. What is not answered climbs to
	// the role of the next rung. Not set: nobody waits for an answer.
	Answer calendar.Budget `json:"answer,omitzero" yaml:"answer"`
}

// PauseReason is a reason for which the policy lets the clock stop.
type PauseReason string

// The reasons of the process (section 6).
const (
	CustomerNotReady PauseReason = "customer_not_ready" // 客户原因
	ExternalApproval PauseReason = "external_approval"  // 外部审批
	ForceMajeure     PauseReason = "force_majeure"      // 不可抗力
)

// PauseReasons lists the reasons.
func PauseReasons() []PauseReason {
	return []PauseReason{CustomerNotReady, ExternalApproval, ForceMajeure}
}

// Name is the reason's Chinese name.
func (r PauseReason) Name() string {
	switch r {
	case CustomerNotReady:
		return "客户原因"
	case ExternalApproval:
		return "外部审批"
	case ForceMajeure:
		return "不可抗力"
	}
	return string(r)
}

// Terms are what a policy version says for one case. They are pinned when the
// case starts and travel with it, so that a policy published later changes no
// running case.
type Terms struct {
	PolicyVersion string                        `json:"policy_version"`
	Lane          Lane                          `json:"lane"` // the lane when a request names none
	Hours         calendar.Hours                `json:"hours"`
	Limits        map[LimitName]calendar.Budget `json:"limits"` // a kind that is absent has no deadline of its own
	Ladder        []Rung                        `json:"ladder"` // in the order in which the rungs fire
	// Ladders are those of single limits, in place of Ladder.
	Ladders      map[LimitName][]Rung `json:"ladders,omitempty"`
	PauseReasons []PauseReason        `json:"pause_reasons"`
	// PauseBound is how long a pause may last before the taskforce office
	// reviews it; not set: no pause is reviewed.
	PauseBound calendar.Budget `json:"pause_bound,omitzero"`
	// SeparateAcceptance keeps whoever conducted the survey from accepting the
	// finished work alone.
	SeparateAcceptance bool `json:"separate_acceptance,omitempty"`
	// Confirming lists the departments that confirm their part at the end
	// (同步点击, measures part 2, item 6).
	Confirming []Department `json:"confirming"`
	// Atlas lists the sheets of the standard atlas (标准图集) from which a
	// design is chosen; empty accepts any sheet.
	Atlas []string `json:"atlas,omitempty"`
	// Checklists are what whoever does a task of a kind confirms item by item
	// before it is done; a kind that is absent has none.
	Checklists map[TaskKind][]string `json:"checklists,omitempty"`
	// Prices is the price list; where it is empty charges go without one.
	Prices []Price `json:"prices,omitempty"`
	// Gas is what the policy says for gas alone; nil where it serves none.
	Gas *GasTerms `json:"gas,omitempty"`
	// Network is what a main must give before an assessment proposes it.
	Network NetworkTerms `json:"network,omitzero"`
}

// Price is an item of the price list (价目表): what is asked for one unit of a
// service that may be charged.
type Price struct {
	Code    string     `json:"code" yaml:"code"`
	Name    string     `json:"name" yaml:"name"`
	Kind    ChargeKind `json:"kind" yaml:"kind"` // inside_property_line or customer_request
	Utility Utility    `json:"utility" yaml:"utility"`
	Unit    string     `json:"unit" yaml:"unit"`
	Fen     int64      `json:"fen" yaml:"fen"`       // for one unit
	Source  string     `json:"source" yaml:"source"` // the document that sets it
	// Fixed makes it the fixed price of small gas connections.
	Fixed *FixedPrice `json:"fixed,omitempty" yaml:"fixed"`
}

// Price gives an item of the price list by its code.
func (t Terms) Price(code string) (Price, bool) {
	i := slices.IndexFunc(t.Prices, func(p Price) bool { return p.Code == code })
	if i < 0 {
		return Price{}, false
	}
	return t.Prices[i], true
}

// LadderOf gives the ladder that a limit climbs.
func (t Terms) LadderOf(l LimitName) []Rung {
	if own, ok := t.Ladders[l]; ok {
		return own
	}
	return t.Ladder
}

// Allows tells whether the clock may stop for a reason.
func (t Terms) Allows(r PauseReason) bool { return slices.Contains(t.PauseReasons, r) }
