package store

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/curbstop/curbstop/casework"
)

// The reports of the supervisors. Each is one statement, so it sees one moment,
// and stays fast while cases pile up: what lives is little among much and has
// an index of its own, and what is over is asked for by period.

const (
	// onWork leaves out the supervisors' own clocks.
	onWork = " AND d.limit_name NOT IN ('pause_bound', 'answer_escalation')"
	// limited leaves out limits that the case's policy does not have: they have
	// no due moment though their clock does not stand.
	limited = " AND (d.due_at IS NOT NULL OR d.stopped)"
	// running selects deadlines that run or stand.
	running = " d.met_at IS NULL AND d.dropped_at IS NULL"
	// inPeriod is written as the index deadlines_by_day has it.
	inPeriod = " coalesce(d.due_at, d.met_at, d.dropped_at) >= @from AND coalesce(d.due_at, d.met_at, d.dropped_at) < @to"
	// topRung joins the highest rung of a deadline that fired.
	topRung = `
		LEFT JOIN LATERAL (
			SELECT rung->>'name' AS name, (rung->>'level')::int AS level
			FROM jsonb_array_elements(CASE jsonb_typeof(d.body->'rungs') WHEN 'array' THEN d.body->'rungs' ELSE '[]' END)
				WITH ORDINALITY AS rungs (rung, n)
			WHERE rung->>'fired_at' IS NOT NULL
			ORDER BY level DESC, n DESC LIMIT 1
		) AS top ON true`
	// holder joins a deadline's case and task. The lane's limit has no task; the
	// department in charge answers for it.
	holder = `
		JOIN cases AS c ON c.number = d.case_number
		LEFT JOIN tasks AS t ON t.id = d.id`
)

// places narrows a statement that joins cases as c, and tasks as t, to a
// filter's districts and department.
func places(f casework.SupervisionFilter, department string) string {
	narrowed := ""
	if len(f.Districts) > 0 {
		narrowed += " AND c.district IN @districts"
	}
	if f.Department != "" && department != "" {
		narrowed += " AND " + department + " = @department"
	}
	return narrowed
}

const heldBy = "coalesce(t.department, c.department)"

// report runs a statement whose parameters are the filter's, the time and more.
func report[R any](ctx context.Context, s *Store, doing, sql string, f casework.SupervisionFilter, more map[string]any) ([]R, error) {
	values := map[string]any{"now": s.now(), "from": f.From, "to": f.To, "districts": f.Districts, "department": f.Department}
	maps.Copy(values, more)
	args := []any{values}
	if !strings.Contains(sql, "@") {
		args = nil // gorm would count them
	}
	var rows []R
	err := s.db.WithContext(ctx).Raw(sql, args...).Scan(&rows).Error
	return rows, failed(doing, err)
}

// DueOn counts the limits on work that fall due within the filter's period, a
// day, by department, district and limit. Those whose work was dropped are none
// of them.
func (s *Store) DueOn(ctx context.Context, f casework.SupervisionFilter) ([]casework.DueCount, error) {
	rows, err := report[struct {
		Department        casework.Department
		District          casework.District
		LimitName         casework.LimitName
		Due, Met, Overdue int64
	}](ctx, s, "count what is due", `
		SELECT `+heldBy+` AS department, c.district, d.limit_name, count(*) AS due, count(d.met_at) AS met,
			count(*) FILTER (WHERE d.met_at IS NULL AND d.due_at < @now) AS overdue
		FROM deadlines AS d`+holder+`
		WHERE`+inPeriod+` AND d.due_at IS NOT NULL AND d.dropped_at IS NULL`+onWork+places(f, heldBy)+`
		GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`, f, nil)
	counts := make([]casework.DueCount, len(rows))
	for i, r := range rows {
		counts[i] = casework.DueCount{Department: r.Department, District: r.District, Limit: r.LimitName, Due: r.Due, Met: r.Met, Overdue: r.Overdue}
	}
	return counts, err
}

type lateRow struct {
	CaseNumber  string
	Task        string
	LimitName   casework.LimitName
	Stage       casework.Stage
	Department  casework.Department
	Holder      string
	District    casework.District
	DueAt       time.Time
	Provisional bool
	MetAt       *time.Time
	Rung        casework.RungName
	Level       int
	Total       int64
}

func (s *Store) late(ctx context.Context, f casework.SupervisionFilter, limit int, which string) ([]casework.LateLine, int64, error) {
	rows, err := report[lateRow](ctx, s, "list what is late", `
		WITH late AS (
			SELECT d.case_number, d.id, coalesce(t.id, '') AS task, d.limit_name, coalesce(t.stage, c.stage) AS stage, `+heldBy+` AS department,
				coalesce(t.assignee_name, '') AS holder, c.district, d.due_at, d.provisional, d.met_at, d.body, count(*) OVER () AS total
			FROM deadlines AS d`+holder+`
			WHERE`+which+onWork+places(f, heldBy)+`
			ORDER BY coalesce(d.met_at, @now) - d.due_at DESC, d.case_number, d.id LIMIT @limit
		)
		SELECT d.*, coalesce(top.name, '') AS rung, coalesce(top.level, 0) AS level
		FROM late AS d`+topRung+`
		ORDER BY coalesce(d.met_at, @now) - d.due_at DESC, d.case_number, d.id`, f, map[string]any{"limit": limit})
	lines, total := make([]casework.LateLine, len(rows)), int64(0)
	for i, r := range rows {
		total = r.Total
		lines[i] = casework.LateLine{
			Case: r.CaseNumber, Task: r.Task, Limit: r.LimitName, Stage: r.Stage, Department: r.Department, Holder: r.Holder, District: r.District,
			DueAt: moment(&r.DueAt), Provisional: r.Provisional, MetAt: moment(r.MetAt), Rung: r.Rung, Level: r.Level,
		}
	}
	return lines, total, err
}

// Overdue lists the limits on work that are passed now and not met, the longest
// passed first, up to limit of them, and how many there are. The filter's period
// has no say.
func (s *Store) Overdue(ctx context.Context, f casework.SupervisionFilter, limit int) ([]casework.LateLine, int64, error) {
	return s.late(ctx, f, limit, running+" AND d.due_at < @now")
}

// Breaches lists the limits on work that fell due in the filter's period and
// were passed, whether the work was done late or is not done yet, the longest
// passed first, up to limit of them, and how many there are.
func (s *Store) Breaches(ctx context.Context, f casework.SupervisionFilter, limit int) ([]casework.LateLine, int64, error) {
	return s.late(ctx, f, limit, inPeriod+" AND d.dropped_at IS NULL AND coalesce(d.met_at, @now) > d.due_at")
}

// RungPositions counts the live limits on work by the highest rung that fired.
func (s *Store) RungPositions(ctx context.Context, f casework.SupervisionFilter) ([]casework.RungCount, error) {
	rows, err := report[struct {
		Rung          casework.RungName
		Level         int
		Open, Stopped int64
		Oldest        *time.Time
		Provisional   bool
	}](ctx, s, "count rungs", `
		SELECT coalesce(top.name, '') AS rung, coalesce(top.level, 0) AS level, count(*) AS open,
			count(*) FILTER (WHERE d.stopped) AS stopped, min(d.due_at) AS oldest,
			coalesce((array_agg(d.provisional ORDER BY d.due_at))[1], false) AS provisional
		FROM deadlines AS d`+holder+topRung+`
		WHERE`+running+limited+onWork+places(f, heldBy)+`
		GROUP BY 1, 2 ORDER BY 2, 1`, f, nil)
	counts := make([]casework.RungCount, len(rows))
	for i, r := range rows {
		counts[i] = casework.RungCount{Rung: r.Rung, Level: r.Level, Open: r.Open, Stopped: r.Stopped, Oldest: moment(r.Oldest), Provisional: r.Provisional}
	}
	return counts, err
}

// OpenEscalations counts the escalations that are not closed by the role that
// must act and by how far they have come. Reminders are none of them.
func (s *Store) OpenEscalations(ctx context.Context, f casework.SupervisionFilter) ([]casework.EscalationCount, error) {
	rows, err := report[struct {
		Role          casework.Role
		State         casework.EscalationState
		Open, Overdue int64
		Oldest        time.Time
	}](ctx, s, "count escalations", `
		SELECT coalesce(nullif(c.to_role, ''), c.department) AS role,
			CASE WHEN c.answered_at IS NOT NULL THEN 'answered' WHEN `+escalationOwned+` THEN 'acknowledged' ELSE 'waiting' END AS state,
			count(*) AS open, count(*) FILTER (WHERE c.answered_at IS NULL AND c.answer_due_at < @now) AS overdue, min(c.fired_at) AS oldest
		FROM escalations AS c
		WHERE c.closed_at IS NULL AND c.level > 0`+places(f, "c.department")+`
		GROUP BY 1, 2 ORDER BY 1, 2`, f, nil)
	counts := make([]casework.EscalationCount, len(rows))
	for i, r := range rows {
		counts[i] = casework.EscalationCount{Role: r.Role, State: r.State, Open: r.Open, Overdue: r.Overdue, Oldest: moment(&r.Oldest)}
	}
	return counts, err
}

// OnTime counts what became of the deadlines that fell due in the filter's
// period, by limit, the supervisors' own clocks too. A deadline that ended
// while its clock stood was in time, and belongs to the day on which it ended.
// A filter for a department leaves limits without a task out: the lane's is
// everybody's.
func (s *Store) OnTime(ctx context.Context, f casework.SupervisionFilter) ([]casework.OnTime, error) {
	from := " FROM deadlines AS d"
	if len(f.Districts) > 0 {
		from += " JOIN cases AS c ON c.number = d.case_number"
	}
	if f.Department != "" {
		from += " JOIN tasks AS t ON t.id = d.id"
	}
	rows, err := report[struct {
		LimitName                             casework.LimitName
		InTime, Late, OpenLate, Open, Dropped int64
	}](ctx, s, "count what was in time", `
		SELECT d.limit_name, count(*) FILTER (WHERE d.met_at IS NOT NULL AND (d.due_at IS NULL OR d.met_at <= d.due_at)) AS in_time,
			count(*) FILTER (WHERE d.met_at > d.due_at) AS late,
			count(*) FILTER (WHERE`+running+` AND d.due_at < @now) AS open_late,
			count(*) FILTER (WHERE`+running+` AND d.due_at >= @now) AS open,
			count(d.dropped_at) AS dropped`+from+`
		WHERE`+inPeriod+limited+places(f, "t.department")+`
		GROUP BY 1 ORDER BY 1`, f, nil)
	counts := make([]casework.OnTime, len(rows))
	for i, r := range rows {
		counts[i] = casework.OnTime{Limit: r.LimitName, InTime: r.InTime, Late: r.Late, OpenLate: r.OpenLate, Open: r.Open, Dropped: r.Dropped}
	}
	return counts, err
}

// WorkInProgress counts the cases that have not ended by stage, with how long
// they have been in it. Buckets has one count more than there are bounds, which
// are moments, the latest first: those that entered after the first bound, those
// that entered after the second, and at the end those no later than the last.
func (s *Store) WorkInProgress(ctx context.Context, f casework.SupervisionFilter, bounds []time.Time) ([]casework.StageLoad, error) {
	ages, buckets := make([]string, len(bounds)), "count(*) FILTER (WHERE bucket = 0)"
	for i, b := range bounds {
		ages[i] = b.UTC().Format(time.RFC3339Nano)
		buckets += fmt.Sprintf(", count(*) FILTER (WHERE bucket = %d)", i+1)
	}
	rows, err := report[struct {
		Stage                         casework.Stage
		Lead                          bool
		Cases, Paused                 int64
		Median, P90, Oldest, Received time.Time
		Buckets                       []int64 `gorm:"serializer:json"`
	}](ctx, s, "count work in progress", `
		WITH open AS MATERIALIZED ( -- else the look-up of entered is done for each use
			SELECT c.stage, c.lead, c.status, c.received_at, coalesce((
				SELECT max(e.at) FROM events AS e WHERE e.case_number = c.number AND e.kind = 'stage_entered'), c.received_at) AS entered
			FROM cases AS c
			WHERE c.status IN ('open', 'paused', 'withdrawing', 'passing_on')`+places(f, "c.department")+`
		), aged AS (
			SELECT *, (SELECT count(*) FROM unnest(CAST(@ages AS timestamptz[])) AS bound WHERE open.entered <= bound) AS bucket FROM open
		)
		SELECT stage, lead, count(*) AS cases, count(*) FILTER (WHERE status = 'paused') AS paused,
			percentile_disc(0.5) WITHIN GROUP (ORDER BY entered DESC) AS median,
			percentile_disc(0.9) WITHIN GROUP (ORDER BY entered DESC) AS p90, min(entered) AS oldest, min(received_at) AS received,
			jsonb_build_array(`+buckets+`) AS buckets
		FROM aged GROUP BY stage, lead`, f, map[string]any{"ages": "{" + strings.Join(ages, ",") + "}"})
	loads := make([]casework.StageLoad, len(rows))
	for i, r := range rows {
		loads[i] = casework.StageLoad{
			Stage: r.Stage, Cases: r.Cases, Paused: r.Paused, Median: moment(&r.Median), P90: moment(&r.P90), Oldest: moment(&r.Oldest),
			Received: moment(&r.Received), Buckets: r.Buckets, Lead: r.Lead,
		}
	}
	return byStage(loads), err
}

// PausedCases lists the paused cases, once for each reason, the longest paused
// first.
func (s *Store) PausedCases(ctx context.Context, f casework.SupervisionFilter) ([]casework.PausedCase, error) {
	rows, err := report[struct {
		Number            string
		Stage             casework.Stage
		Department        casework.Department
		District          casework.District
		Reason            casework.PauseReason
		Since, PlannedEnd *time.Time
		Accepted          bool
		Remaining         int64
	}](ctx, s, "list paused cases", `
		SELECT c.number, c.stage, c.department, c.district, coalesce(p.reason, '') AS reason, p."from" AS since, p.planned_end,
			d.id IS NOT NULL AS accepted, coalesce(d.remaining_seconds, 0) AS remaining
		FROM cases AS c
		LEFT JOIN LATERAL jsonb_to_recordset(c.pauses) AS p (reason text, "from" timestamptz, planned_end timestamptz) ON true
		LEFT JOIN deadlines AS d ON d.case_number = c.number AND d.id = 'lane' AND`+running+`
		WHERE c.status = 'paused'`+places(f, "c.department")+`
		ORDER BY p."from" NULLS FIRST, c.number, p.reason`, f, nil)
	paused := make([]casework.PausedCase, len(rows))
	for i, r := range rows {
		paused[i] = casework.PausedCase{
			Case: r.Number, Stage: r.Stage, Department: r.Department, District: r.District, Reason: r.Reason, Since: moment(r.Since),
			PlannedEnd: moment(r.PlannedEnd), Accepted: r.Accepted, Remaining: time.Duration(r.Remaining) * time.Second,
		}
	}
	return paused, err
}

// PartyTimes sums up for how long each party held the clock of connections, in
// stretches that ended within the filter's period: over the whole period, and
// by month in Shanghai. A stretch belongs whole to the month in which it ended.
func (s *Store) PartyTimes(ctx context.Context, f casework.SupervisionFilter) ([]casework.PartyTime, error) {
	rows, err := report[struct {
		Month            *time.Time
		Party            casework.Party
		Cases            int64
		Working, Stopped int64
	}](ctx, s, "sum up who held the clock", `
		WITH ended AS (
			SELECT h.case_number, h.party, h.stopped, h.working_seconds,
				date_trunc('month', h.to_at, 'Asia/Shanghai') AS month
			FROM holdings AS h JOIN cases AS c ON c.number = h.case_number
			WHERE h.to_at >= @from AND h.to_at < @to AND c.kind = 'connection'`+places(f, "")+`
		)
		SELECT month, coalesce(party, '') AS party, count(DISTINCT case_number) AS cases, sum(working_seconds)::bigint AS working,
			coalesce(sum(working_seconds) FILTER (WHERE stopped), 0)::bigint AS stopped
		FROM ended GROUP BY GROUPING SETS ((month, party), (month), (party), ())
		HAVING count(*) > 0 ORDER BY month NULLS FIRST, party`, f, nil)
	times := make([]casework.PartyTime, len(rows))
	for i, r := range rows {
		times[i] = casework.PartyTime{
			Month: moment(r.Month), Party: r.Party, Cases: r.Cases,
			Working: time.Duration(r.Working) * time.Second, Stopped: time.Duration(r.Stopped) * time.Second,
		}
	}
	return times, err
}

// OpenHoldings lists who holds the clock of each connection now, since when.
func (s *Store) OpenHoldings(ctx context.Context, f casework.SupervisionFilter) ([]casework.OpenHolding, error) {
	rows, err := report[struct {
		Party   casework.Party
		Stopped bool
		FromAt  time.Time
	}](ctx, s, "list who holds the clock", `
		SELECT h.party, h.stopped, h.from_at
		FROM holdings AS h JOIN cases AS c ON c.number = h.case_number
		WHERE h.to_at IS NULL AND c.kind = 'connection'`+places(f, "")+`
		ORDER BY h.from_at, h.case_number`, f, nil)
	open := make([]casework.OpenHolding, len(rows))
	for i, r := range rows {
		open[i] = casework.OpenHolding{Party: r.Party, Stopped: r.Stopped, From: moment(&r.FromAt)}
	}
	return open, err
}

// Verdicts counts the callbacks of the filter's period by their outcome.
func (s *Store) Verdicts(ctx context.Context, f casework.SupervisionFilter) ([]casework.VerdictCount, error) {
	verdicts, err := report[casework.VerdictCount](ctx, s, "count verdicts", `
		SELECT t.outcome, count(*) AS calls
		FROM tasks AS t JOIN cases AS c ON c.number = t.case_number
		WHERE t.kind = 'callback' AND t.state = 'done' AND t.done_at >= @from AND t.done_at < @to`+places(f, "")+`
		GROUP BY 1 ORDER BY 1`, f, nil)
	return append([]casework.VerdictCount{}, verdicts...), err
}

// Zeros counts, over the connections whose supply was turned on in the filter's
// period, which zeros were broken. The first line, without a zero, has all
// cases and all breaks; it is always there.
func (s *Store) Zeros(ctx context.Context, f casework.SupervisionFilter) ([]casework.ZeroCount, error) {
	return report[casework.ZeroCount](ctx, s, "count broken zeros", `
		WITH connected AS (
			SELECT c.number FROM cases AS c
			WHERE c.supply_at >= @from AND c.supply_at < @to AND c.kind = 'connection'`+places(f, "")+`
		), broken AS (
			SELECT DISTINCT p.case_number, p.zero FROM connected JOIN touchpoints AS p ON p.case_number = connected.number WHERE p.cost
		)
		SELECT coalesce(zero, '') AS zero, (SELECT count(*) FROM connected) AS cases, count(*) AS broken
		FROM broken GROUP BY GROUPING SETS ((zero), ()) ORDER BY 1`, f, nil)
}

// byStage puts loads into the order of the process, the leads of a stage before
// the others.
func byStage(loads []casework.StageLoad) []casework.StageLoad {
	ordered := []casework.StageLoad{}
	for _, stage := range casework.AllStages() {
		if stage == casework.Duty {
			continue
		}
		for _, lead := range []bool{true, false} {
			for _, l := range loads {
				if l.Stage == stage && l.Lead == lead {
					ordered = append(ordered, l)
				}
			}
		}
	}
	return ordered
}
