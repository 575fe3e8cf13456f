package workflows

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

// The reference keeps the clocks of one case the plain way. It is written from
// the rules (docs/decisions/0005 and what calendar.Unit says of counting), not
// from the code that it judges, and shares nothing with it but names. It counts
// working minutes one by one, works everything out anew whenever it is asked,
// and is told only what happened: tasks that opened and ended, pauses, permits,
// decisions. It knows whole minutes only.

// minute is a moment in minutes since 1970 in Shanghai; 0 is no moment.
type minute int64

const shift = 8 * 60 // Shanghai is eight hours ahead of UTC

func minuteOf(t time.Time) minute {
	if t.IsZero() {
		return 0
	}
	if t.Unix()%60 != 0 || t.Nanosecond() != 0 {
		panic(fmt.Sprintf("%s is no whole minute", t))
	}
	return minute(t.Unix()/60 + shift)
}

func (m minute) String() string {
	if m == 0 {
		return "-"
	}
	return m.time().Format("2006-01-02 15:04")
}

// time is the moment with its digits as a clock in Shanghai shows them.
func (m minute) time() time.Time { return time.Unix(int64(m)*60, 0).UTC() }

// day is a date, counted in days since 1970.
type day int64

func (m minute) day() day { return day(m / (24 * 60)) }

func (d day) at(m calendar.Minute) minute { return minute(int64(d)*24*60 + int64(m)) }

func (d day) date() calendar.Date {
	t := d.at(0).time()
	return calendar.Date{Year: t.Year(), Month: t.Month(), Day: t.Day()}
}

// endedOn is the day that a moment at which a period ends belongs to: 24:00 ends
// the day before.
func (m minute) endedOn() day { return (m - 1).day() }

// almanac lists the working minutes of some notices and business hours.
type almanac struct {
	kinds map[calendar.Date]calendar.Kind
	known map[int]bool // years with a notice
	hours calendar.Hours
	next  day      // the first that is not listed yet
	list  []minute // every working minute, by its beginning
}

func newAlmanac(days []calendar.Day, hours calendar.Hours, from minute) *almanac {
	a := &almanac{kinds: map[calendar.Date]calendar.Kind{}, known: map[int]bool{}, hours: hours, next: from.day()}
	for _, d := range days {
		a.kinds[d.Date] = d.Kind
		if d.Date.Month != time.December { // in December the next year's notice can begin
			a.known[d.Date.Year] = true
		}
	}
	return a
}

func (a *almanac) working(d day) bool {
	if a.hours.EveryDay {
		return true
	}
	if kind, ok := a.kinds[d.date()]; ok {
		return kind == calendar.Workday
	}
	weekday := d.at(0).time().Weekday()
	return weekday != time.Saturday && weekday != time.Sunday
}

func (a *almanac) following(d day) day {
	for d++; !a.working(d); d++ {
	}
	return d
}

func (a *almanac) closing(d day) minute { return d.at(a.hours.Spans[len(a.hours.Spans)-1].To) }

func (a *almanac) listDay() {
	if a.working(a.next) {
		for _, s := range a.hours.Spans {
			for m := a.next.at(s.From); m < a.next.at(s.To); m++ {
				a.list = append(a.list, m)
			}
		}
	}
	a.next++
}

// before counts the listed minutes before a moment.
func (a *almanac) before(m minute) int {
	for a.next <= m.day() {
		a.listDay()
	}
	return sort.Search(len(a.list), func(i int) bool { return a.list[i] >= m })
}

func (a *almanac) between(from, to minute) int { return a.before(to) - a.before(from) }

// add goes n working minutes on: to the end of the nth minute from there.
func (a *almanac) add(m minute, n int) minute {
	if n == 0 {
		return m
	}
	i := a.before(m) + n
	for len(a.list) < i {
		a.listDay()
	}
	return a.list[i-1] + 1
}

// back goes n working minutes back: to the beginning of the nth minute before.
func (a *almanac) back(m minute, n int) minute {
	if i := a.before(m) - n; i >= 0 {
		return a.list[i]
	}
	return 0
}

// end is the moment at which a budget runs out that counts from a moment of a
// day; the two differ only for a period that ended at 24:00. It tells too
// whether a year was counted through without its notice: the day of the event
// is not counted in a period of days, and calendar days need no notice.
func (a *almanac) end(from minute, on day, b calendar.Budget) (at minute, guessed bool) {
	switch b.Unit {
	case calendar.WorkingDays, calendar.NextDay:
		last := on
		for range max(b.Days, 1) {
			last = a.following(last)
		}
		return a.closing(last), a.guessed(on+1, last)
	case calendar.SameDay, calendar.OnDate: // what was agreed is due on its day, and never before it takes place
		switch {
		case !a.working(on):
			last := a.following(on)
			return a.closing(last), a.guessed(on, last)
		case from >= a.closing(on):
			return (on + 1).at(0), a.guessed(on, on)
		}
		return a.closing(on), a.guessed(on, on)
	case calendar.NextCalendarDay:
		return a.closing(on + 1), false
	case calendar.AtMoment:
		return from, false
	case calendar.WorkingTime:
		at = a.add(from, int(b.Time/time.Minute))
		return at, a.guessed(from.day(), at.endedOn())
	}
	panic(b)
}

// guessed tells whether a year between two days, both counted, has no notice.
func (a *almanac) guessed(from, to day) bool {
	for y := from.date().Year; y <= to.date().Year; y++ {
		if !a.hours.EveryDay && !a.known[y] {
			return true
		}
	}
	return false
}

// stretch is a time in which a clock stands; to is 0 while it lasts.
type stretch struct{ from, to minute }

// union joins stretches that overlap or touch and leaves out what lies before a
// moment.
func union(all []stretch, after minute) []stretch {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b stretch) int { return cmp.Compare(a.from, b.from) })
	var out []stretch
	for _, s := range all {
		s.from = max(s.from, after)
		if s.to != 0 && s.to <= s.from {
			continue
		}
		if n := len(out); n > 0 && (out[n-1].to == 0 || s.from <= out[n-1].to) {
			if last := &out[n-1]; last.to != 0 && (s.to == 0 || s.to > last.to) {
				last.to = s.to
			}
			continue
		}
		out = append(out, s)
	}
	return out
}

// dueMoment is where a limit stands.
type dueMoment struct {
	at          minute
	left        int // working minutes, while it is stopped
	stopped     bool
	provisional bool
}

func (d dueMoment) String() string {
	s := d.at.String()
	if d.stopped {
		s = fmt.Sprintf("stopped, %d minutes left", d.left)
	}
	if d.provisional {
		s += " (provisional)"
	}
	return s
}

// due lays a budget from an anchor, grants the extension and moves it through
// the stops.
func (a *almanac) due(anchor minute, b calendar.Budget, extra *calendar.Budget, stops []stretch) dueMoment {
	at, provisional := a.end(anchor, anchor.day(), b)
	guess := func(from, to minute) {
		provisional = provisional || from < to && a.guessed(from.day(), to.endedOn())
	}
	if extra != nil {
		granted, guessed := a.end(at, at.endedOn(), *extra)
		at, provisional = granted, provisional || guessed
	}
	for _, s := range union(stops, anchor) {
		if s.from >= at { // what was missed stays missed
			break
		}
		if s.to == 0 {
			guess(s.from, at)
			return dueMoment{left: a.between(s.from, at), stopped: true, provisional: provisional}
		}
		guess(s.from, s.to)
		before := at
		at = max(a.add(at, a.between(s.from, s.to)), s.to)
		guess(before, at)
	}
	return dueMoment{at: at, provisional: provisional}
}

// timed is one clock: a limit on the work, the bound of a pause, or the answer
// that an escalation waits for.
type timed struct {
	id     string
	limit  casework.LimitName
	anchor minute
	extra  *calendar.Budget
	passed map[casework.RungName]fired
	pause  *stopped // whose bound it is
	asks   *asked   // whose answer it is
}

// fired is a rung that passed: when it fell due, when it was recorded, and what
// it was. A later ladder changes nothing of it.
type fired struct {
	at, on minute
	rung   casework.Rung
}

// stopped is a pause.
type stopped struct {
	stretch
	reason   casework.PauseReason
	since    minute // its beginning, or the last review
	planned  minute
	reminded bool
}

// asked is an escalation.
type asked struct {
	id    string
	of    *timed
	rung  casework.RungName
	level int
	to    casework.Role
	due   minute
	fired
	climbs   []string
	answered minute
	closed   minute
	closing  casework.Closing
}

func (e *asked) String() string {
	return fmt.Sprintf("%s to %q level %d due %s fell due %s recorded %s climbs %v answered %s closed %s %s",
		e.id, e.to, e.level, e.due, e.at, e.on, e.climbs, e.answered, e.closed, e.closing)
}

// reference keeps the clocks of one case.
type reference struct {
	number  string
	terms   casework.Terms
	days    []calendar.Day
	from    minute // nothing asks for an earlier moment
	almanac *almanac

	clocks      []*timed // those that run, in the order in which they began
	pauses      []*stopped
	waits       map[string]*stretch // what the lane waits for, by what it is
	waited      []stretch           // and what it waited for
	escalations []*asked
	news        []*asked // fired since somebody looked
	reviewed    int      // reviews of pauses that fell due
	reminders   int      // planned ends of pauses that were announced
}

func newReference(number string, terms casework.Terms, days []calendar.Day, from time.Time) *reference {
	r := &reference{number: number, terms: terms, days: days, from: minuteOf(from) - 90*24*60, waits: map[string]*stretch{}}
	r.recount()
	return r
}

func (r *reference) recount() { r.almanac = newAlmanac(r.days, r.terms.Hours, r.from) }

// imported tells of new notices.
func (r *reference) imported(days []calendar.Day) {
	r.days = days
	r.recount()
}

// moved tells that the case has another policy.
func (r *reference) moved(terms casework.Terms) {
	r.terms = terms
	r.recount()
}

// began tells of a limit on the work.
func (r *reference) began(id string, limit casework.LimitName, anchor minute) {
	r.clocks = append(r.clocks, &timed{id: id, limit: limit, anchor: anchor, passed: map[casework.RungName]fired{}})
}

// ended tells that a limit's work was done, or is no longer needed.
func (r *reference) ended(id string, closing casework.Closing, now minute) {
	if c := r.clock(id); c != nil {
		r.over(c, closing, now)
		r.drop(c)
	}
}

func (r *reference) clock(id string) *timed {
	for _, c := range r.clocks {
		if c.id == id {
			return c
		}
	}
	return nil
}

func (r *reference) drop(c *timed) {
	r.clocks = slices.DeleteFunc(r.clocks, func(o *timed) bool { return o == c })
}

// over ends what a limit's rungs left open, for a reason beside them. Where
// nobody was asked for an answer, and the ladder asks for none, an escalation
// ends by being acknowledged, and by nothing else.
func (r *reference) over(c *timed, closing casework.Closing, now minute) {
	for _, e := range r.escalations {
		waits := slices.ContainsFunc(r.clocks, func(o *timed) bool { return o.asks == e })
		if e.of == c && (r.asks(c.limit) || waits || e.answered != 0) {
			r.close(e, closing, now)
		}
	}
}

func (r *reference) asks(limit casework.LimitName) bool {
	return slices.ContainsFunc(r.ladder(limit), func(o casework.Rung) bool { return o.Answer != calendar.Budget{} })
}

// acknowledged tells that somebody takes an escalation up.
func (r *reference) acknowledged(id string, now minute) {
	if e := r.escalation(id); !r.asks(e.of.limit) {
		r.close(e, casework.ClosedByPerson, now)
	}
}

// close ends an escalation that is open, and nobody waits for its answer.
func (r *reference) close(e *asked, closing casework.Closing, now minute) {
	if e.closed == 0 {
		e.closed, e.closing = now, closing
		r.hush(e)
	}
}

func (r *reference) hush(e *asked) {
	r.clocks = slices.DeleteFunc(r.clocks, func(c *timed) bool { return c.asks == e })
}

func (r *reference) escalation(id string) *asked {
	for _, e := range r.escalations {
		if e.id == id {
			return e
		}
	}
	return nil
}

// answered tells that somebody answered an escalation, which then climbs no
// further.
func (r *reference) answered(id string, now minute) {
	e := r.escalation(id)
	e.answered = now
	r.hush(e)
}

// paused tells of a pause; resumed of the end of one, or of all.
func (r *reference) paused(reason casework.PauseReason, planned, now minute) {
	p := &stopped{stretch: stretch{from: now}, reason: reason, since: now, planned: planned}
	r.pauses = append(r.pauses, p)
	r.bound(p)
}

func (r *reference) bound(p *stopped) {
	r.clocks = append(r.clocks, &timed{id: "bound of " + string(p.reason), limit: casework.PauseBoundLimit, anchor: p.since, passed: map[casework.RungName]fired{}, pause: p})
}

func (r *reference) resumed(reason casework.PauseReason, now minute) {
	for _, p := range r.pauses {
		if p.to == 0 && (reason == "" || reason == p.reason) {
			p.to = now
			r.clocks = slices.DeleteFunc(r.clocks, func(c *timed) bool { return c.pause == p })
		}
	}
}

// goesOn tells that a review let a pause go on.
func (r *reference) goesOn(reason casework.PauseReason, planned, now minute) {
	for _, p := range r.pauses {
		if p.to == 0 && p.reason == reason {
			p.since, p.planned, p.reminded = now, planned, false
			r.bound(p)
		}
	}
}

// waiting tells from when to when the lane waits for something beside pauses.
func (r *reference) waiting(what string, from, to minute) {
	switch w := r.waits[what]; {
	case w == nil && from != 0 && to == 0:
		r.waits[what] = &stretch{from: from}
	case w != nil && to != 0:
		r.waited = append(r.waited, stretch{w.from, to})
		delete(r.waits, what)
	}
}

// stops are the stretches in which a clock stands. A pause holds every limit on
// the work, but not the review of a pause, and not the supervisors' own clocks.
func (r *reference) stops(c *timed) []stretch {
	if c.pause != nil || c.asks != nil || c.limit == "review_pause" {
		return nil
	}
	var all []stretch
	for _, p := range r.pauses {
		all = append(all, p.stretch)
	}
	if c.id == casework.LaneDeadline {
		all = append(all, r.waited...)
		for _, w := range r.waits {
			all = append(all, *w)
		}
	}
	return all
}

func (r *reference) ladder(limit casework.LimitName) []casework.Rung {
	if own, ok := r.terms.Ladders[limit]; ok {
		return own
	}
	return r.terms.Ladder
}

// grants is what the policy grants a clock, and the steps that it climbs; false
// where the policy says nothing.
func (r *reference) grants(c *timed) (calendar.Budget, []casework.Rung, bool) {
	switch {
	case c.pause != nil:
		return r.terms.PauseBound, []casework.Rung{{Name: "review"}}, r.terms.PauseBound != calendar.Budget{}
	case c.asks == nil:
		b, ok := r.terms.Limits[c.limit]
		return b, r.ladder(c.limit), ok
	}
	// An answer: who is above climbs in, each after the time that the one below had.
	ladder := r.ladder(c.asks.of.limit)
	i := slices.IndexFunc(ladder, func(o casework.Rung) bool { return o.Name == c.asks.rung })
	if i < 0 || ladder[i].Answer == (calendar.Budget{}) {
		return calendar.Budget{}, nil, false
	}
	var steps []casework.Rung
	for below := ladder[i]; below.Answer != (calendar.Budget{}); {
		above := slices.IndexFunc(ladder, func(o casework.Rung) bool { return o.Level > below.Level && o.To != "" && o.To != below.To })
		if above < 0 {
			break
		}
		step := casework.Rung{Name: ladder[above].Name, To: ladder[above].To, Level: ladder[above].Level}
		if len(steps) > 0 {
			step.After = below.Answer
		}
		steps = append(steps, step)
		below = ladder[above]
	}
	return ladder[i].Answer, steps, true
}

func (r *reference) due(c *timed) dueMoment {
	b, _, ok := r.grants(c)
	if !ok {
		return dueMoment{}
	}
	return r.almanac.due(c.anchor, b, c.extra, r.stops(c))
}

// step is a rung with its moment; 0 while there is none.
type step struct {
	casework.Rung
	at minute
}

// steps are the rungs of a clock that have not passed, with their moments. The
// ladder is laid from the due moment as it is now, also where a rung of it has
// passed that fell due at another; reminders are no part of the counting.
func (r *reference) steps(c *timed) []step {
	_, ladder, _ := r.grants(c)
	due := r.due(c)
	last := due.at
	var out []step
	for _, rung := range ladder {
		p, passed := c.passed[rung.Name]
		if passed {
			rung = p.rung
		}
		at := due.at
		switch {
		case due.at == 0:
		case rung.Before != calendar.Budget{}:
			at = max(r.almanac.back(due.at, int(rung.Before.Time/time.Minute)), c.anchor)
		case rung.After != calendar.Budget{}:
			at, _ = r.almanac.end(last, last.endedOn(), rung.After)
			last = at
		default:
			last = at
		}
		if !passed {
			out = append(out, step{rung, at})
		}
	}
	return out
}

// next is what time does next: the earliest rung, the one of the older clock
// where two fall together.
func (r *reference) next() (c *timed, s step, ok bool) {
	for _, o := range r.clocks {
		for _, p := range r.steps(o) {
			if p.at != 0 && (!ok || p.at < s.at) {
				c, s, ok = o, p, true
			}
		}
	}
	return c, s, ok
}

// wake is the next moment at which time itself does something; 0 for none.
func (r *reference) wake() minute {
	_, s, _ := r.next()
	wake := s.at
	for _, p := range r.pauses {
		if p.to == 0 && !p.reminded && (wake == 0 || p.planned < wake) {
			wake = p.planned
		}
	}
	return wake
}

// answerBy is when an escalation climbs next; where nobody is above, when its
// answer is due; 0 for never. False where no answer is awaited.
func (r *reference) answerBy(id string) (minute, bool) {
	for _, c := range r.clocks {
		if c.asks == nil || c.asks.id != id {
			continue
		}
		steps := r.steps(c)
		if _, all, _ := r.grants(c); len(all) == 0 && len(c.passed) == 0 {
			return r.due(c).at, true
		}
		if len(steps) == 0 {
			return 0, true
		}
		return steps[0].at, true
	}
	return 0, false
}

// lapse does what fell due by a moment at which the processes are up: each rung
// once, in order.
func (r *reference) lapse(now minute) {
	for {
		c, s, ok := r.next()
		if !ok || s.at > now {
			break
		}
		c.passed[s.Name] = fired{s.at, now, s.Rung}
		switch {
		case c.pause != nil:
			r.reviewed++
			r.drop(c)
		case c.asks != nil:
			if e := c.asks; s.Level > e.level { // nothing climbs down
				e.to, e.level = s.To, s.Level
				e.climbs = append(e.climbs, fmt.Sprintf("%s %s", s.To, now))
			}
		default:
			r.fire(c, s, now)
		}
	}
	for _, p := range r.pauses {
		if p.to == 0 && !p.reminded && p.planned <= now {
			p.reminded = true
			r.reminders++
		}
	}
}

// fire records a rung: the one before it of the same limit is superseded, and
// who is told has a time to answer.
func (r *reference) fire(c *timed, s step, now minute) {
	r.over(c, casework.ClosedByRung, now)
	id := c.id
	if id == casework.LaneDeadline {
		id = r.number + "-lane"
	}
	e := &asked{id: id + "/" + string(s.Name), of: c, rung: s.Name, level: s.Level, to: s.To, due: r.due(c).at, fired: fired{s.at, now, s.Rung}}
	r.escalations = append(r.escalations, e)
	r.news = append(r.news, e)
	if s.Answer != (calendar.Budget{}) {
		r.clocks = append(r.clocks, &timed{id: "answer to " + e.id, limit: casework.AnswerLimit, anchor: now, passed: map[casework.RungName]fired{}, asks: e})
	}
}

// level is the highest of the escalations that are open, and of the rungs that
// the limits which run have passed.
func (r *reference) level() int {
	level := 0
	for _, c := range r.clocks {
		for _, p := range c.passed {
			if c.pause == nil && c.asks == nil {
				level = max(level, p.rung.Level)
			}
		}
	}
	for _, e := range r.escalations {
		if e.closed == 0 {
			level = max(level, e.level)
		}
	}
	return level
}

// tell writes the limits on the work, one a line, as a failing test compares
// them: what is due when, and each rung, passed or to come.
func (r *reference) tell() string {
	var lines []string
	for _, c := range r.clocks {
		if c.pause != nil || c.asks != nil {
			continue
		}
		if _, _, ok := r.grants(c); !ok && len(c.passed) == 0 && c.extra == nil {
			continue // the records need not know of it
		}
		line := fmt.Sprintf("%s %s due %s:", c.id, c.limit, r.due(c))
		for name, p := range c.passed {
			line += fmt.Sprintf("\n  %s %s fired %s", name, p.at, p.on)
		}
		for _, s := range r.steps(c) {
			if s.at != 0 {
				line += fmt.Sprintf("\n  %s %s", s.Name, s.at)
			}
		}
		lines = append(lines, line)
	}
	return tidy(lines)
}

// tidy brings lines, and the indented lines below each, into one order.
func tidy(entries []string) string {
	for i, e := range entries {
		lines := strings.Split(e, "\n")
		slices.Sort(lines[1:])
		entries[i] = strings.Join(lines, "\n")
	}
	slices.Sort(entries)
	return strings.Join(entries, "\n")
}
