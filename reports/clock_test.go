package reports_test

import (
	"encoding/xml"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/reports"
)

var out = flag.String("out", "", "also write drawings and pages into this folder, for looking at them")

// show writes a file where a person can look at it, if one asked for that.
func show(t *testing.T, name, content string) {
	t.Helper()
	if *out != "" {
		require.NoError(t, os.WriteFile(filepath.Join(*out, name), []byte(content), 0o600))
	}
}

var hours = calendar.Hours{Spans: []calendar.Span{{From: 8*60 + 30, To: 12 * 60}, {From: 14 * 60, To: 17*60 + 30}}}

func workdays(t require.TestingT) *calendar.Calendar {
	notices, err := calendar.NewNotices("test", nil)
	require.NoError(t, err)
	cal, err := calendar.New(notices, hours)
	require.NoError(t, err)
	return cal
}

// at is a moment of November 2026 in Shanghai; the 23rd is a Monday.
func at(day, hour, minute int) time.Time {
	return time.Date(2026, time.November, day, hour, minute, 0, 0, calendar.Shanghai)
}

// held makes a case's holdings of the moments at which each party took over.
func held(cal *calendar.Calendar, end time.Time, turns ...casework.Holding) []casework.Holding {
	for i := range turns {
		turns[i].N = i + 1
		switch {
		case i+1 < len(turns):
			turns[i].To = turns[i+1].From
		default:
			turns[i].To = end
		}
		if !turns[i].To.IsZero() {
			turns[i].Working = cal.Between(turns[i].From, turns[i].To)
		}
	}
	return turns
}

func connection(received time.Time) *casework.Case {
	return casework.NewCase("W20261119-00012", casework.Request{Site: casework.Site{District: "340202"}},
		casework.Terms{Hours: hours}, casework.System(), received)
}

func lane(cal *calendar.Calendar, accepted time.Time, holds ...casework.Hold) *casework.Deadline {
	d := casework.Deadline{
		ID: casework.LaneDeadline, Limit: casework.LaneLimit(casework.Lane101), Anchor: accepted,
		Budget: calendar.Budget{Unit: calendar.WorkingDays, Days: 1}, Holds: holds,
	}.WorkOut(cal, "test")
	return &d
}

// lateCase is one whose supply came after its limit: the taskforce, the
// network, the customer, the authority and engineering each held its clock.
func lateCase(t require.TestingT) reports.Clock {
	cal := workdays(t)
	k := connection(at(19, 9, 10))
	k.Supply = &casework.SupplyInput{SuppliedAt: at(27, 11, 20)}
	turns := held(cal, at(27, 11, 20),
		casework.Holding{Party: "taskforce", From: at(19, 9, 10)}, casework.Holding{Party: "network", From: at(19, 15, 0)},
		casework.Holding{Party: "taskforce", From: at(20, 11, 0)}, casework.Holding{Party: casework.PartyCustomer, Stopped: true, From: at(20, 16, 0)},
		casework.Holding{Party: "taskforce", From: at(23, 10, 0)}, casework.Holding{Party: casework.PartyAuthority, Stopped: true, From: at(24, 10, 0)},
		casework.Holding{Party: "engineering", From: at(25, 16, 0)})
	limit := lane(cal, at(23, 15, 0), casework.Hold{Reason: "permit:road_excavation", From: at(24, 10, 0), To: at(25, 16, 0)})
	limit.MetAt = at(27, 11, 20)
	return reports.ClockOf(k, turns, limit, cal, at(30, 9, 0))
}

func TestClockOfALateCase(t *testing.T) {
	t.Parallel()
	c := lateCase(t)
	require.False(t, c.Running)
	require.Equal(t, at(27, 11, 20), c.To)
	type share struct {
		name             string
		working, stopped string
	}
	var got []share
	for _, p := range c.Parties {
		got = append(got, share{p.Name, c.Spell(p.Working), c.Spell(p.Stopped)})
	}
	require.Equal(t, []share{
		{"营商专班", "13.8 小时", "0 小时"}, {"管网运行部", "5.0 小时", "0 小时"}, {"客户", "3.0 小时", "3.0 小时"},
		{"审批部门", "11.0 小时", "11.0 小时"}, {"工程管理部", "11.3 小时", "0 小时"},
	}, got)
	require.Equal(t, "44.2 小时", c.Spell(c.Working))
	// Accepted on Monday at 15:00, the limit ends with Tuesday; it stood from
	// Tuesday 10:00 to Wednesday 16:00, eleven working hours.
	require.Equal(t, at(26, 14, 30), c.Lane.DueAt)
	require.Equal(t, []string{"9.5 小时", "15.3 小时", "0 小时", "5.8 小时"}, []string{
		c.Spell(c.Lane.Allowed), c.Spell(c.Lane.Used), c.Spell(c.Lane.Left), c.Spell(c.Lane.Over),
	})
	show(t, "late.svg", string(c.Strip()))
}

func TestClockOfACaseUnderWay(t *testing.T) {
	t.Parallel()
	cal := workdays(t)
	k := connection(at(23, 9, 0))
	turns := held(cal, time.Time{},
		casework.Holding{Party: "taskforce", From: at(23, 9, 0)}, casework.Holding{Party: casework.PartyAuthority, Stopped: true, From: at(23, 16, 0)})
	c := reports.ClockOf(k, turns, lane(cal, at(23, 15, 0), casework.Hold{Reason: "permit:x", From: at(23, 16, 0)}), cal, at(24, 9, 30))
	require.True(t, c.Running)
	require.Equal(t, []string{"5.0 小时", "2.5 小时"}, []string{c.Spell(c.Parties[0].Working), c.Spell(c.Parties[1].Working)})
	require.True(t, c.Lane.Standing)
	require.Equal(t, []string{"9.5 小时", "1.0 小时", "8.5 小时"}, []string{c.Spell(c.Lane.Allowed), c.Spell(c.Lane.Used), c.Spell(c.Lane.Left)})
	show(t, "standing.svg", string(c.Strip()))

	c = reports.ClockOf(k, turns[:1], lane(cal, at(23, 15, 0)), cal, at(23, 16, 30))
	require.Equal(t, []string{"9.5 小时", "1.5 小时", "8.0 小时"}, []string{c.Spell(c.Lane.Allowed), c.Spell(c.Lane.Used), c.Spell(c.Lane.Left)})
	require.Contains(t, string(c.Strip()), `class="left"`)
	show(t, "running.svg", string(c.Strip()))

	c = reports.ClockOf(k, nil, nil, cal, at(23, 16, 30))
	require.Contains(t, string(c.Strip()), "没有计时记录")
	require.Empty(t, c.Parties)
}

// drawn reads the widths and seconds of a strip's stretches back.
func drawn(t require.TestingT, svg string) (seconds []int64, width float64) {
	for _, g := range regexp.MustCompile(`(?s)<g data-party="[^"]*" data-seconds="(\d+)">.*?</g>`).FindAllStringSubmatch(svg, -1) {
		n, err := strconv.ParseInt(g[1], 10, 64)
		require.NoError(t, err)
		seconds = append(seconds, n)
		w, err := strconv.ParseFloat(regexp.MustCompile(`width="([0-9.]+)"`).FindStringSubmatch(g[0])[1], 64)
		require.NoError(t, err)
		width += w
	}
	return seconds, width
}

// Whatever happened, the stretches of a strip add up to its bar, the parties to
// the whole, and the limit's parts to each other.
func TestStripAddsUp(t *testing.T) {
	t.Parallel()
	cal := workdays(t)
	rapid.Check(t, func(t *rapid.T) {
		now := at(1, 0, 0)
		step := func() time.Time {
			now = now.Add(time.Duration(rapid.IntRange(0, 5*24*3600).Draw(t, "seconds")) * time.Second)
			return now
		}
		k := connection(step())
		var turns []casework.Holding
		for range rapid.IntRange(1, 12).Draw(t, "turns") {
			turns = append(turns, casework.Holding{Party: rapid.SampledFrom(casework.Parties()).Draw(t, "party"), Stopped: rapid.Bool().Draw(t, "stopped"), From: now})
			step()
		}
		end := now
		if rapid.Bool().Draw(t, "running") {
			end = time.Time{}
		} else if rapid.Bool().Draw(t, "supplied") {
			k.Supply = &casework.SupplyInput{SuppliedAt: end}
		}
		turns = held(cal, end, turns...)
		accepted := rapid.SampledFrom(turns).Draw(t, "accepted").From
		var holds []casework.Hold
		for _, h := range turns {
			if h.Stopped && !h.From.Before(accepted) {
				holds = append(holds, casework.Hold{Reason: "customer_not_ready", From: h.From, To: h.To})
			}
		}
		limit := lane(cal, accepted, holds...)
		if !end.IsZero() {
			limit.MetAt = end
		}
		c := reports.ClockOf(k, turns, limit, cal, now)

		var stretches, parties int64
		for _, s := range c.Stretches {
			stretches += s.Working
		}
		for _, p := range c.Parties {
			parties += p.Working
		}
		require.Equal(t, c.Working, stretches)
		require.Equal(t, c.Working, parties)
		if l := c.Lane; l.Over > 0 {
			require.Equal(t, l.Allowed+l.Over, l.Used)
		} else {
			require.Equal(t, l.Allowed, l.Used+l.Left)
		}

		svg := string(c.Strip())
		seconds, width := drawn(t, svg)
		var sum int64
		for _, s := range seconds {
			sum += s
		}
		require.Equal(t, c.Working, sum)
		frame := regexp.MustCompile(`height="40" fill="none"`).FindStringIndex(svg)
		bar := regexp.MustCompile(`width="([0-9.]+)" height="40" fill="none"`).FindStringSubmatch(svg)
		require.NotNil(t, frame)
		whole, err := strconv.ParseFloat(bar[1], 64)
		require.NoError(t, err)
		require.InDelta(t, whole, width, 0.1*float64(len(seconds)+1))
		require.NoError(t, wellFormed(svg))
	})
}

func wellFormed(document string) error {
	d := xml.NewDecoder(strings.NewReader(document))
	for {
		if _, err := d.Token(); err != nil {
			if err == io.EOF { //nolint:errorlint // the decoder gives it bare
				return nil
			}
			return err
		}
	}
}

// A limit that counts through a year without notice says so in the strip.
func TestStripMarksWhatIsProvisional(t *testing.T) {
	t.Parallel()
	cal := workdays(t) // no notice at all
	turns := held(cal, time.Time{}, casework.Holding{Party: "taskforce", From: at(23, 9, 0)})
	c := reports.ClockOf(connection(at(23, 9, 0)), turns, lane(cal, at(23, 15, 0)), cal, at(23, 16, 0))
	require.True(t, c.Lane.Provisional)
	require.Contains(t, string(c.Strip()), "截止 due 2026-11-24 17:30（暂定）")
}

// A strip that is printed in grey, or read aloud, still says who is who.
func TestStripIsReadWithoutColour(t *testing.T) {
	t.Parallel()
	svg := string(lateCase(t).Strip())
	for _, said := range []string{
		`role="img"`, "<title id=", "营商专班 13.8 小时；管网运行部", "模式101服务时限：允许 9.5 小时，已用 15.3 小时，超出 5.8 小时",
		"▼受理", "◆通水", "截止 due 2026-11-26 14:30", "11-20 周五", `class="over"`, "url(#strip-over)", "url(#strip-stop)",
		">A</text>", ">C</text>", ">I</text>", ">J</text>", "permit_authority",
	} {
		require.Contains(t, svg, said)
	}
	require.NotContains(t, svg, "11-21", "a Saturday has no length")
}
