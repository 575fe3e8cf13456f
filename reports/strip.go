package reports

import (
	"fmt"
	"html"
	"html/template"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

// The measures of a strip in units of its own; it scales to the width it is
// given.
const (
	stripWidth  = 1000.0
	stripMargin = 16.0
	barTop      = 64.0
	barHeight   = 40.0
	laneTop     = 156.0
	laneHeight  = 14.0
	legendTop   = 204.0
	legendLine  = 22.0
)

// fills are the colours of the parties. Neighbours differ in lightness too, and
// each party also has a letter, so that a strip printed in grey is read as well.
var fills = map[casework.Party]string{
	casework.Party(casework.Taskforce): "#2f6db3", casework.Party(casework.Engineering): "#e08a2c", casework.Party(casework.Network): "#2e8b61",
	casework.Party(casework.Production): "#7b68b5", casework.Party(casework.Quality): "#6bbad0", casework.Party(casework.ServiceHall): "#b0487a",
	casework.Party(casework.Hotline): "#8f7f36", casework.Party(casework.Management): "#44546a",
	casework.PartyCustomer: "#f4cb52", casework.PartyAuthority: "#aab4be", casework.PartyUpgrade: "#8fd3bd", casework.PartyForce: "#d7d7d7",
}

// pale are the fills on which letters are black.
var pale = []casework.Party{
	casework.PartyCustomer, casework.PartyAuthority, casework.PartyUpgrade, casework.PartyForce,
	casework.Party(casework.Engineering), casework.Party(casework.Quality),
}

func ink(p casework.Party) string {
	if slices.Contains(pale, p) {
		return "#000"
	}
	return "#fff"
}

// letter tells a party by its place among all of them.
func letter(p casework.Party) string {
	return string(rune('A' + max(slices.Index(casework.Parties(), p), 0)))
}

// Strip draws who held the clock as an SVG: one bar along working time, in
// which nights and days off have no length, so that equal lengths are equal
// work; below it the lane's limit on the same axis.
func (c Clock) Strip() template.HTML {
	d := drawing{Clock: c}
	lines := d.legend()
	height := legendTop + float64(lines)*legendLine + 4
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" width="100%%" role="img" aria-labelledby="strip-title strip-desc" `+
		`font-family="'Noto Sans CJK SC','Microsoft YaHei','PingFang SC',sans-serif" font-size="12">`, stripWidth, height)
	fmt.Fprintf(&b, `<title id="strip-title">计时归属 %s Who held the clock</title><desc id="strip-desc">%s</desc>`,
		html.EscapeString(c.Case), html.EscapeString(c.said()))
	b.WriteString(`<defs>` +
		`<pattern id="strip-stop" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path d="M0 0V7" stroke="#fff" stroke-width="4.5" stroke-opacity=".6"/></pattern>` +
		`<pattern id="strip-stand" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path d="M0 0V6" stroke="#777" stroke-width="1.6"/></pattern>` +
		`<pattern id="strip-over" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(-45)"><path d="M0 0V5" stroke="#fff" stroke-width="1.2"/></pattern>` +
		`</defs>`)
	fmt.Fprintf(&b, `<rect width="%g" height="%g" fill="#fff"/>`, stripWidth, height)
	if len(c.Stretches) == 0 {
		b.WriteString(`<text x="16" y="40">没有计时记录 nobody's holding is on record</text></svg>`)
		return template.HTML(b.String()) //nolint:gosec // written here; what comes from outside is escaped
	}
	d.measure()
	b.WriteString(d.b.String()) // the legend
	d.b.Reset()
	d.head()
	d.bar()
	d.ticks()
	d.lane()
	d.marks()
	b.WriteString(d.b.String())
	b.WriteString("</svg>")
	return template.HTML(b.String()) //nolint:gosec // written here; what comes from outside is escaped
}

// said is the strip in words, for who can't see it.
func (c Clock) said() string {
	parts := make([]string, 0, len(c.Parties)+1)
	for _, p := range c.Parties {
		parts = append(parts, fmt.Sprintf("%s %s", p.Name, c.Spell(p.Working)))
	}
	if l := c.Lane; l != nil {
		parts = append(parts, l.said())
	}
	return strings.Join(parts, "；")
}

func (l *LaneUse) said() string {
	text := fmt.Sprintf("%s：允许 %s，已用 %s", l.Name, casework.Worked(worked(l.Allowed)), casework.Worked(worked(l.Used)))
	switch {
	case l.Over > 0:
		text += "，超出 " + casework.Worked(worked(l.Over))
	case l.Standing:
		text += "，停表，余 " + casework.Worked(worked(l.Left))
	case l.Ended.IsZero():
		text += "，余 " + casework.Worked(worked(l.Left))
	}
	return text
}

// drawing is a strip under way.
type drawing struct {
	Clock
	b     strings.Builder
	scale float64 // units a second
}

func (d *drawing) put(format string, args ...any) { fmt.Fprintf(&d.b, format, args...) }

// measure finds how long a second is drawn: the axis reaches to the end, or to
// the due moment where that lies ahead.
func (d *drawing) measure() {
	length := d.Working
	if d.Lane != nil && !d.Lane.DueAt.IsZero() {
		length = max(length, d.offset(d.Lane.DueAt))
	}
	d.scale = (stripWidth - 2*stripMargin) / float64(max(length, 1))
}

// offset is where a moment lies on the axis: the working time before it, in
// seconds. It follows the stretches as recorded, which add up even if another
// calendar counts them today.
func (d *drawing) offset(t time.Time) int64 {
	var before int64
	for _, s := range d.Stretches {
		if t.Before(s.To) {
			return before + min(max(seconds(d.cal.Between(s.From, t)), 0), s.Working)
		}
		before += s.Working
	}
	return before + seconds(d.cal.Between(d.To, t))
}

func (d *drawing) x(offset int64) float64 { return stripMargin + float64(offset)*d.scale }

func (d *drawing) head() {
	d.put(`<text x="%g" y="18" font-size="14" font-weight="700">计时归属 %s</text>`, stripMargin, html.EscapeString(d.Case))
	end := "至今 so far"
	if !d.Running {
		end = "至 " + casework.Clock(d.To)
	}
	d.put(`<text x="%g" y="18" text-anchor="end" fill="#333">%s %s · 工作时间合计 %s</text>`,
		stripWidth-stripMargin, casework.Clock(d.From), end, d.Spell(d.Working))
}

func (d *drawing) bar() {
	var from int64
	for _, s := range d.Stretches {
		x, w := d.x(from), float64(s.Working)*d.scale
		from += s.Working
		if s.Working == 0 {
			continue
		}
		state := ""
		if s.Stopped {
			state = "（停表）"
		}
		d.put(`<g data-party="%s" data-seconds="%d"><title>%s%s %s 至 %s，%s</title>`, s.Party, s.Working, s.Name, state,
			casework.Clock(s.From), casework.Clock(s.To), d.Spell(s.Working))
		d.put(`<rect x="%.2f" y="%g" width="%.2f" height="%g" fill="%s" stroke="#fff" stroke-width=".8"/>`, x, barTop, w, barHeight, fills[s.Party])
		if s.Stopped {
			d.put(`<rect x="%.2f" y="%g" width="%.2f" height="%g" fill="url(#strip-stop)"/>`, x, barTop, w, barHeight)
		}
		d.label(s, x, w)
		d.put(`</g>`)
	}
	d.put(`<rect x="%.2f" y="%g" width="%.2f" height="%g" fill="none" stroke="#333" stroke-width=".8"/>`,
		d.x(0), barTop, float64(d.Working)*d.scale, barHeight)
}

// label writes into a stretch what fits: name and time, the name, the letter.
func (d *drawing) label(s Stretch, x, w float64) {
	text := letter(s.Party)
	for _, longer := range []string{letter(s.Party) + " " + s.Name, letter(s.Party) + " " + s.Name + " " + d.Spell(s.Working)} {
		if breadth(longer)+10 < w {
			text = longer
		}
	}
	if w < 11 {
		return
	}
	outline, colour := "", ink(s.Party)
	if s.Stopped { // black on the paled stripes
		outline, colour = ` stroke="#fff" stroke-width="3" paint-order="stroke"`, "#000"
	}
	d.put(`<text x="%.2f" y="%g" text-anchor="middle" fill="%s"%s>%s</text>`, x+w/2, barTop+barHeight/2+4.5, colour, outline, text)
}

// breadth of a text at the strip's size of type, roughly: a Chinese character
// is as wide as high.
func breadth(text string) float64 {
	wide := (len(text) - utf8.RuneCountInString(text)) / 2
	return float64(wide)*12 + float64(utf8.RuneCountInString(text)-wide)*6.6
}

// ticks mark where each working day begins, or, within one, working time.
func (d *drawing) ticks() {
	type tick struct {
		at   int64
		text string
	}
	var ticks []tick
	end := int64((stripWidth - 2*stripMargin) / d.scale)
	for day := calendar.DateOf(d.From).AddDays(1); ; day = day.AddDays(1) {
		at := d.offset(day.At(0))
		if at > end || day.At(0).After(d.To.AddDate(1, 0, 0)) {
			break
		}
		if d.cal.Working(day) {
			ticks = append(ticks, tick{at, fmt.Sprintf("%02d-%02d %s", day.Month, day.Day, weekdays[day.At(0).Weekday()])})
		}
	}
	if len(ticks) == 0 {
		step := nice(time.Duration(end) * time.Second / 8)
		for at := step; seconds(at) <= end; at += step {
			ticks = append(ticks, tick{seconds(at), "+" + casework.Worked(at)})
		}
	} else {
		ticks = append([]tick{{0, calendar.DateOf(d.From).String()[5:] + " " + weekdays[d.From.In(calendar.Shanghai).Weekday()]}}, ticks...)
	}
	free := 0.0
	for _, t := range ticks {
		x := d.x(t.at)
		d.put(`<path d="M%.2f %gv5" stroke="#333"/>`, x, barTop+barHeight)
		if x < free || x > stripWidth-stripMargin-60 {
			continue
		}
		d.put(`<text x="%.2f" y="%g" font-size="11" fill="#333">%s</text>`, x+2, barTop+barHeight+17, t.text)
		free = x + breadth(t.text) + 10
	}
}

var weekdays = [...]string{"周日", "周一", "周二", "周三", "周四", "周五", "周六"}

// nice is the first handy step that is no shorter.
func nice(d time.Duration) time.Duration {
	steps := []time.Duration{
		time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour,
	}
	for _, s := range steps {
		if s >= d {
			return s
		}
	}
	return d.Truncate(time.Hour) + time.Hour
}

// lane draws the limit's own clock: what was used, where it stood, what was too
// much, and what is left.
func (d *drawing) lane() {
	l := d.Lane
	if l == nil {
		d.put(`<text x="%g" y="%g">服务时限：尚未受理，不计时 the lane's limit begins with the acceptance of the application</text>`, stripMargin, laneTop-8)
		return
	}
	colour := "#333"
	if l.Over > 0 {
		colour = "#b3201f"
	}
	d.put(`<text x="%g" y="%g"><tspan font-weight="700" fill="%s">%s</tspan> <tspan font-size="11" fill="#333">lane limit: allowed, used, left or over</tspan></text>`,
		stripMargin, laneTop-8, colour, l.said())
	end := d.To
	if !l.Ended.IsZero() {
		end = l.Ended
	}
	piece := func(from, to time.Time, class, paint string) {
		a, b := d.offset(from), d.offset(to)
		if b <= a {
			return
		}
		d.put(`<rect class="%s" data-seconds="%d" x="%.2f" y="%g" width="%.2f" height="%g" %s/>`, class, b-a, d.x(a), laneTop, float64(b-a)*d.scale, laneHeight, paint)
	}
	due := l.DueAt
	if due.IsZero() {
		due = end
	}
	piece(l.Accepted, earlier(end, due), "used", `fill="#5b6770"`)
	for _, s := range l.stops {
		to := s.To
		if to.IsZero() {
			to = end
		}
		piece(later(s.From, l.Accepted), earlier(to, end), "stopped", `fill="#fff"`)
		piece(later(s.From, l.Accepted), earlier(to, end), "hatch", `fill="url(#strip-stand)"`)
	}
	piece(due, end, "over", `fill="#c62828"`)
	piece(due, end, "hatch", `fill="url(#strip-over)"`)
	piece(end, due, "left", `fill="#fff" stroke="#5b6770" stroke-dasharray="4 3"`)
	piece(l.Accepted, end, "frame", `fill="none" stroke="#333" stroke-width=".8"`)
	if !l.DueAt.IsZero() {
		x, anchor, shift := d.x(d.offset(l.DueAt)), "start", 4.0
		if x > stripWidth/2 {
			anchor, shift = "end", -4
		}
		d.put(`<path d="M%.2f %gV%g" stroke="#b3201f" stroke-width="1.6"/>`, x, laneTop-3, laneTop+laneHeight+12)
		d.put(`<text x="%.2f" y="%g" text-anchor="%s" font-size="11" fill="#b3201f">截止 due %s</text>`, x+shift, laneTop+laneHeight+13, anchor, casework.DueText(calendar.Due{At: l.DueAt, Provisional: l.Provisional}).ZH)
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// marks show the two events between which the lane's limit counts.
func (d *drawing) marks() {
	mark := func(t time.Time, text string) {
		x := d.x(d.offset(t))
		anchor, shift := "start", 3.0
		if x > stripWidth*0.8 {
			anchor, shift = "end", -3
		}
		d.put(`<path d="M%.2f %gV%g" stroke="#000" stroke-width="1.4"/>`, x, barTop-18, barTop+7)
		d.put(`<text x="%.2f" y="%g" text-anchor="%s" font-size="11">%s %s</text>`, x+shift, barTop-9, anchor, text, casework.Clock(t))
	}
	if d.Lane != nil {
		mark(d.Lane.Accepted, "▼受理 accepted")
	}
	if !d.Supplied.IsZero() {
		x := d.x(d.offset(d.Supplied))
		d.put(`<path d="M%.2f %gV%g" stroke="#000" stroke-width="1.4"/>`, x, barTop-32, barTop+7)
		anchor, shift := "start", 3.0
		if x > stripWidth/2 {
			anchor, shift = "end", -3
		}
		d.put(`<text x="%.2f" y="%g" text-anchor="%s" font-size="11">◆通%s supply on %s</text>`, x+shift, barTop-23, anchor, d.flow, casework.Clock(d.Supplied))
	}
}

// legend names the parties and tells how many lines it takes.
func (d *drawing) legend() int {
	x, line := stripMargin, 0
	entry := func(swatch, text string) {
		w := breadth(text) + 40
		if x+w > stripWidth-stripMargin && x > stripMargin {
			x, line = stripMargin, line+1
		}
		y := legendTop + float64(line)*legendLine
		d.put(`<g transform="translate(%.1f %.1f)">%s<text x="22" y="12">%s</text></g>`, x, y, swatch, text)
		x += w
	}
	for _, p := range d.Parties {
		entry(fmt.Sprintf(`<rect width="16" height="15" fill="%s" stroke="#333" stroke-width=".5"/><text x="8" y="12" text-anchor="middle" font-size="11" fill="%s">%s</text>`,
			fills[p.Party], ink(p.Party), letter(p.Party)),
			fmt.Sprintf("%s %s %s（%s）", p.Name, p.Party, d.Spell(p.Working), d.Percent(p.Share)))
	}
	entry(`<rect width="16" height="15" fill="#8899aa"/><rect width="16" height="15" fill="url(#strip-stop)"/>`, "停表 limit's clock stands")
	return line + 1
}
