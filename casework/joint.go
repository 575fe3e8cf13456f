package casework

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/curbstop/curbstop/calendar"
)

// Joint ties the cases of a joint request (水电气一网通办) together: the customer
// has one number for them all, and each is a case with its own clock. What is
// one matter for the customer is asked once: the survey's date, the building
// schedule, whom to call, and a permit for the trench that both lie in. Each
// case tells its sibling what it knows, always all of it, so that a message
// that comes twice, late or after others does no harm.
type Joint struct {
	Number  string  `json:"number"`  // the customer's
	Sibling string  `json:"sibling"` // the number of the other case
	Utility Utility `json:"utility"` // the other case's
	// InsteadOf is the case whose place this one took in the joint request: a
	// lead that would not have its application, or a request that was joined
	// with a lead. The sibling may know of that one only.
	InsteadOf string `json:"instead_of,omitempty"`
	// Since is when the joint request came in, where that found the case under
	// way: it was a lead. Zero where the case began with the request.
	Since time.Time `json:"since,omitzero"`

	Known   *Shared        `json:"known,omitempty"`   // what the sibling told last
	Holders []PermitHolder `json:"holders,omitempty"` // who files which permit, as the case that leads decided

	PeopleAt   time.Time `json:"people_at,omitzero"`   // when the applicant, contact or address was amended last
	ScheduleAt time.Time `json:"schedule_at,omitzero"` // when the building schedule was learnt last
	AgreedAt   time.Time `json:"agreed_at,omitzero"`   // when the survey's date was agreed last
}

// JointReceipt is the proof that a joint request arrived: for each utility a
// receipt, or the application of the open lead that it belongs to.
type JointReceipt struct {
	Number       string            `json:"number"` // the customer's; empty where the cases stand by themselves
	Receipts     []Receipt         `json:"receipts"`
	Applications []LeadApplication `json:"applications,omitempty"`
}

// PermitHolder says which case files a permit that both need.
type PermitHolder struct {
	Kind PermitKind `json:"kind"`
	Case string     `json:"case"`
}

// Shared is what a case tells its sibling: all that concerns both, as it stands.
type Shared struct {
	Case string `json:"case"`
	N    int64  `json:"n"` // the case's version; what is older is ignored
	// InsteadOf is the case whose place it took.
	InsteadOf string `json:"instead_of,omitempty"`

	Gone  bool `json:"gone,omitempty"`  // withdrawn or passed on, also while that is being done
	Ended bool `json:"ended,omitempty"` // nothing more comes of it

	Applicant Applicant `json:"applicant"`
	Contact   Contact   `json:"contact"`
	Address   string    `json:"address"`
	PeopleAt  time.Time `json:"people_at,omitzero"`

	BuildFrom  calendar.Date `json:"build_from,omitzero"`
	BuildTo    calendar.Date `json:"build_to,omitzero"`
	ScheduleAt time.Time     `json:"schedule_at,omitzero"`

	Appointment *AppointmentInput `json:"appointment,omitempty"`
	AgreedAt    time.Time         `json:"agreed_at,omitzero"`

	Permits []Permit       `json:"permits,omitempty"` // once the survey is uploaded
	Holders []PermitHolder `json:"holders,omitempty"`
}

// Share gives what the sibling is to know.
func (k *Case) Share() Shared {
	r, j := k.Request, k.Joint
	s := Shared{
		Case: k.Number, N: k.Version, InsteadOf: j.InsteadOf, Gone: k.gone(), Ended: k.Status.Ended(),
		Applicant: r.Applicant, Contact: r.Contact, Address: r.Site.Address, PeopleAt: j.PeopleAt,
		BuildFrom: r.Demand.BuildFrom, BuildTo: r.Demand.BuildTo, ScheduleAt: j.ScheduleAt,
		Appointment: k.Appointment, AgreedAt: j.AgreedAt, Holders: j.Holders,
	}
	if !k.UploadedAt.IsZero() {
		s.Permits = k.Permits
	}
	return s
}

// News is what the sibling is to know, as a text that is the same while that is
// the same.
func (k *Case) News() string {
	s := k.Share()
	s.N = 0
	b, err := json.Marshal(s)
	if err != nil {
		panic("casework: what is shared always marshals: " + err.Error())
	}
	return string(b)
}

// gone tells whether the case leaves the work to its sibling.
func (k *Case) gone() bool {
	return k.Status != Open && k.Status != Paused && k.Status != Closed
}

// alone tells whether nothing is to be expected of the sibling any more.
func (k *Case) alone() bool {
	known := k.Joint.Known
	return known != nil && (known.Gone || known.Ended)
}

// leads tells whether this case decides who files a permit. One must, for two
// that decide at the same moment would both file.
func (k *Case) leads() bool { return k.Number < k.Joint.Sibling }

// SiblingEnded tells whether the sibling is known to have ended.
func (k *Case) SiblingEnded() bool {
	return k.Joint != nil && k.Joint.Known != nil && k.Joint.Known.Ended
}

// Learn takes over what the sibling tells. The stages then open what follows.
func (k *Case) Learn(s Shared, now time.Time) {
	j := k.Joint
	if j == nil {
		k.hearEarly(s)
		return
	}
	if s.InsteadOf != "" && s.InsteadOf == j.Sibling {
		k.replaceSibling(s.Case, now)
	}
	if s.Case != j.Sibling || j.Known != nil && s.N < j.Known.N {
		return
	}
	was := j.Known
	j.Known = &s
	if (was == nil || !was.Ended) && s.Ended {
		k.share(now, Sayf("同一联办的%[1]s案件 %[3]s 已结束", "the %[2]s case %[3]s of the same joint request has ended", j.Utility.Name(), j.Utility, s.Case))
	}
	if k.Status.Ended() {
		return
	}
	k.learnPeople(&s, now)
	k.learnSchedule(&s, now)
	k.learnAppointment(&s, now)
	k.SharePermits(now)
}

// hearEarly keeps what comes from a sibling of which this case does not know yet:
// a lead that is told of its application after the other case has begun. Who
// tells tells again only what has changed.
func (k *Case) hearEarly(s Shared) {
	k.Early = slices.DeleteFunc(k.Early, func(e Shared) bool { return e.Case == s.Case && e.N <= s.N })
	if !slices.ContainsFunc(k.Early, func(e Shared) bool { return e.Case == s.Case }) {
		k.Early = append(k.Early, s)
	}
}

// tie makes a lead that becomes an application one of the cases of a joint
// request. What is known of it counts as known when the request came in, so
// that whatever was said since wins.
func (k *Case) tie(j *Joint, now time.Time) {
	if j == nil || k.Joint != nil {
		return
	}
	own := *j
	k.Joint = &own
	own.PeopleAt = own.Since
	if d := k.Request.Demand; d.BuildFrom != (calendar.Date{}) || d.BuildTo != (calendar.Date{}) {
		own.ScheduleAt = own.Since
	}
	if k.Appointment != nil {
		own.AgreedAt = own.Since
	}
	k.share(now, Sayf("并入联办 %[1]s，另一案件 %[2]s", "joined to the joint request %[1]s with %[2]s", own.Number, own.Sibling))
	early := k.Early
	k.Early = nil
	for _, s := range early {
		k.Learn(s, now)
	}
}

// replaceSibling takes another case for the sibling. Who files a permit is not
// decided anew: what fell to the one falls to the other.
func (k *Case) replaceSibling(number string, now time.Time) {
	j := k.Joint
	for i := range j.Holders {
		if j.Holders[i].Case == j.Sibling {
			j.Holders[i].Case = number
		}
	}
	k.share(now, Sayf("另一案件由 %[1]s 改为 %[2]s", "%[2]s takes the place of %[1]s", j.Sibling, number))
	j.Sibling, j.Known = number, nil
}

func (k *Case) share(now time.Time, note Text) {
	k.record(now, System(), JointShared, "", note, nil)
}

// learnPeople takes over who the customer is, whom to call and where, if the
// sibling was told later. A code that only one of the two has is kept; what one
// of two leads found out, the other takes over while both say otherwise what
// the joint request said.
func (k *Case) learnPeople(s *Shared, now time.Time) {
	r := k.Request
	j := k.Joint
	if j.asRequested(s) && s.Applicant.CreditCode != "" && r.Applicant.CreditCode == "" && !r.Applicant.Person && s.Applicant.Name == r.Applicant.Name {
		r.Applicant = s.Applicant
		if r.Validate() == nil {
			k.Request = r
			k.share(now, Sayf("统一社会信用代码取自 %s，不再询问客户", "the credit code comes from %s and is not asked again", s.Case))
			k.settleAmended(System(), now)
		}
		return
	}
	if !s.PeopleAt.After(j.PeopleAt) {
		return
	}
	code, override := r.Applicant.CreditCode, r.Applicant.CreditCodeOverride
	r.Applicant, r.Contact, r.Site.Address = s.Applicant, s.Contact, s.Address
	if r.Applicant.CreditCode == "" && !r.Applicant.Person {
		r.Applicant.CreditCode, r.Applicant.CreditCodeOverride = code, override
	}
	if r.Validate() != nil {
		return // right for the other utility only
	}
	k.Request, k.Joint.PeopleAt = r, s.PeopleAt
	k.share(now, Sayf("客户信息随 %s 更正", "the customer's details follow %s", s.Case))
}

// asRequested tells whether both say of the customer what the joint request said
// of two leads, and nothing newer.
func (j *Joint) asRequested(s *Shared) bool {
	return !j.Since.IsZero() && j.PeopleAt.Equal(j.Since) && s.PeopleAt.Equal(j.Since)
}

func (k *Case) learnSchedule(s *Shared, now time.Time) {
	if !s.ScheduleAt.After(k.Joint.ScheduleAt) {
		return
	}
	d := &k.Request.Demand
	d.BuildFrom, d.BuildTo, k.Joint.ScheduleAt = s.BuildFrom, s.BuildTo, s.ScheduleAt
	k.share(now, Sayf("建设周期取自 %s，不再询问客户", "the building schedule comes from %s and is not asked again", s.Case))
}

// learnAppointment settles two dates that were agreed at the same time: the
// one that was agreed first holds for both.
func (k *Case) learnAppointment(s *Shared, now time.Time) {
	j := k.Joint
	first := s.AgreedAt.Before(j.AgreedAt) || s.AgreedAt.Equal(j.AgreedAt) && s.Case < k.Number
	if k.Appointment == nil || k.Survey != nil || s.Gone || s.Appointment == nil || !first ||
		s.Appointment.SurveyAt.Equal(k.Appointment.SurveyAt) || calendar.DateOf(s.Appointment.SurveyAt).Before(calendar.DateOf(now)) {
		return
	}
	k.takeAppointment(s, now)
	t, ok := k.Live(ConductSurvey, "")
	if !ok {
		return
	}
	t.Anchor = k.Appointment.SurveyAt
	k.changes.task(*t)
	if d, limited := k.Deadline(t.ID); limited {
		d.Anchor = t.Anchor
		d.recount()
	}
}

// JoinAppointment takes over the date that the sibling agreed with the customer,
// who is not asked again, and tells whether there is one.
func (k *Case) JoinAppointment(now time.Time) bool {
	j := k.Joint
	if j == nil || j.Known == nil || j.Known.Gone || j.Known.Appointment == nil || !j.Known.AgreedAt.After(j.AgreedAt) ||
		calendar.DateOf(j.Known.Appointment.SurveyAt).Before(calendar.DateOf(now)) {
		return false
	}
	k.takeAppointment(j.Known, now)
	if t, ok := k.Live(ScheduleSurvey, ""); ok {
		t.State, t.DoneAt, t.DoneBy, t.Outcome = TaskDone, now, System().ID, done
		closed := *t
		k.closeDeadline(closed.ID, true, now, now)
		k.changes.task(closed)
		k.dropEnded()
		k.record(now, System(), TaskCompleted, closed.ID, Sayf("完成任务：%[1]s（随 %[3]s）", "task done: %[2]s (with %[3]s)", closed.Title(), closed.Kind, j.Sibling), nil)
	}
	return true
}

func (k *Case) takeAppointment(s *Shared, now time.Time) {
	a := *s.Appointment
	a.Attendees = slices.Clone(a.Attendees)
	k.Appointment, k.Joint.AgreedAt = &a, s.AgreedAt
	k.share(now, Sayf("联合踏勘时间随 %[1]s：%[2]s", "the joint survey takes place with %[1]s, at %[2]s", s.Case, Clock(a.SurveyAt)))
}

// SharePermits settles for each permit that both cases need which of them files
// it: the first that uploaded its survey, as the case that leads knows it. The
// other one waits for its result and never files; who waits for an answer of
// the case that leads does not file either. Once the sibling is gone this case
// files by itself what was not passed to it.
func (k *Case) SharePermits(now time.Time) {
	j := k.Joint
	if j == nil || k.gone() || k.Status.Ended() {
		return
	}
	uploaded := !k.UploadedAt.IsZero()
	if k.leads() && !k.alone() {
		for i := range k.Permits {
			if uploaded {
				j.decide(k.Permits[i].Kind, k.Number)
			}
		}
		if j.Known != nil {
			for i := range j.Known.Permits {
				if kind := j.Known.Permits[i].Kind; j.decide(kind, j.Sibling) {
					k.share(now, Sayf("%[1]s由 %[3]s 代办", "%[2]s is filed by %[3]s", kind.Name(), kind, j.Sibling))
				}
			}
		}
	}
	for i := range k.Permits {
		if !uploaded {
			break
		}
		switch p := &k.Permits[i]; k.filer(p.Kind) {
		case k.Number:
			if p.SharedWith != "" {
				k.takeOver(p, now)
			}
		default:
			if k.files(p) {
				continue // filed before the two cases knew of each other
			}
			if t, ok := k.Live(FilePermit, string(p.Kind)); ok {
				k.cancel(t, now)
				k.dropEnded()
			}
			p.SharedWith = j.Sibling
			k.mirror(p, now)
		}
	}
}

// files tells whether this case has filed a permit, which was not refused.
func (k *Case) files(p *Permit) bool {
	refused := !p.DecidedAt.IsZero() && !p.Granted
	return p.SharedWith == "" && !p.FiledAt.IsZero() && !refused
}

// decide settles who files a permit, once, and tells whether it did.
func (j *Joint) decide(kind PermitKind, number string) bool {
	if slices.ContainsFunc(j.Holders, func(h PermitHolder) bool { return h.Kind == kind }) {
		return false
	}
	j.Holders = append(j.Holders, PermitHolder{Kind: kind, Case: number})
	return true
}

// filer is who files a permit; empty while the case that leads has not said.
func (k *Case) filer(kind PermitKind) string {
	j := k.Joint
	holders := j.Holders
	switch {
	case k.alone():
		return k.Number
	case !k.leads() && j.Known == nil:
		return ""
	case !k.leads():
		holders = j.Known.Holders
	}
	for _, h := range holders {
		if h.Kind == kind {
			return h.Case
		}
	}
	return ""
}

// siblings is the sibling's permit of a kind, as it told last.
func (j *Joint) siblings(kind PermitKind) *Permit {
	if j.Known == nil {
		return nil
	}
	for i := range j.Known.Permits {
		if j.Known.Permits[i].Kind == kind {
			return &j.Known.Permits[i]
		}
	}
	return nil
}

// mirror shows of a permit that the sibling files where it stands, and stops
// the lane's clock as for an own one.
func (k *Case) mirror(p *Permit, now time.Time) {
	q := k.Joint.siblings(p.Kind)
	if q == nil || q.Attempt == p.Attempt && q.FiledAt.Equal(p.FiledAt) && q.DecidedAt.Equal(p.DecidedAt) {
		return
	}
	hold := "permit:" + string(p.Kind)
	if p.Attempt != q.Attempt || q.FiledAt.IsZero() {
		k.releaseLane(hold, now) // the attempt before was refused, which may have gone unheard
		p.FiledAt = time.Time{}
	}
	if p.FiledAt.IsZero() && !q.FiledAt.IsZero() {
		k.holdLane(hold, later(q.FiledAt, k.ApplicationAt))
	}
	if !q.DecidedAt.IsZero() {
		k.releaseLane(hold, later(q.DecidedAt, k.ApplicationAt))
	}
	p.Attempt, p.FiledAt, p.FilingNumber = q.Attempt, q.FiledAt, q.FilingNumber
	p.DecidedAt, p.Granted, p.ReceiptNumber = q.DecidedAt, q.Granted, q.ReceiptNumber
	state := Say("待申报", "not filed yet")
	switch {
	case p.Granted:
		state = Say("已批准", "granted")
	case !p.DecidedAt.IsZero():
		state = Say("未批准", "refused")
	case !p.FiledAt.IsZero():
		state = Say("已申报", "filed")
	}
	k.share(now, Text{
		ZH: p.Kind.Name() + "（由 " + k.Joint.Sibling + " 代办）：" + state.ZH,
		EN: string(p.Kind) + " (filed by " + k.Joint.Sibling + "): " + state.EN,
	})
}

// takeOver makes a permit this case's own, because the sibling is gone: with
// its filing where the sibling passed it on, from the beginning where not. What
// was granted to a sibling that is done stays as it is.
func (k *Case) takeOver(p *Permit, now time.Time) {
	q := k.Joint.siblings(p.Kind)
	switch {
	case q != nil && q.PassedTo == k.Number:
		k.mirror(p, now)
	case p.Granted && !k.Joint.Known.Gone:
		return
	default:
		k.releaseLane("permit:"+string(p.Kind), now)
		*p = Permit{PermitNeed: p.PermitNeed, Route: p.Route, Attempt: p.Attempt}
	}
	p.SharedWith = ""
	k.share(now, Sayf("%[1]s改由本案办理", "%[2]s is filed by this case from now on", p.Kind.Name(), p.Kind))
}

// passPermits leaves filed permits, for whose result the sibling waits, to it
// when this case goes. It is settled here once: what the sibling has not told
// by now it files itself.
func (k *Case) passPermits() {
	j := k.Joint
	if j == nil || j.Known == nil || k.alone() {
		return
	}
	for i := range k.Permits {
		p := &k.Permits[i]
		refused := !p.DecidedAt.IsZero() && !p.Granted
		waiting := j.siblings(p.Kind)
		if p.SharedWith == "" && !p.FiledAt.IsZero() && !refused && waiting != nil && waiting.SharedWith == k.Number {
			p.PassedTo = j.Sibling
		}
	}
}

// Passing says of a permit of a case that goes what remains to be done with it:
// passing while the sibling has not said that it took it over, kept where there
// is nothing to undo. A sibling that is gone itself can't take it.
func (k *Case) Passing(p *Permit) (passing, kept bool) {
	if p.PassedTo == "" {
		return false, p.SharedWith != ""
	}
	switch q := k.Joint.siblings(p.Kind); {
	case q != nil && q.SharedWith == "" && q.FilingNumber == p.FilingNumber:
		return false, true
	case k.SiblingEnded(), q != nil && q.SharedWith == "":
		p.PassedTo = ""
		return false, false
	}
	return true, false
}

// TakePassed takes over what a sibling passes to a case that goes itself: then
// this case withdraws the permit.
func (k *Case) TakePassed(now time.Time) {
	if k.Joint == nil || !k.alone() {
		return
	}
	for i := range k.Permits {
		p := &k.Permits[i]
		if q := k.Joint.siblings(p.Kind); p.SharedWith != "" && q != nil && q.PassedTo == k.Number {
			k.takeOver(p, now)
		}
	}
}
