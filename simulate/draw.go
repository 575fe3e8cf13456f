package simulate

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

// Drawing is a part of the picture of a result.
type Drawing struct {
	Name   string // a file's name without its ending
	height float64
	body   string
}

// SVG puts drawings below each other into one SVG file.
func SVG(drawings ...Drawing) []byte {
	var b strings.Builder
	height := margin
	for _, d := range drawings {
		height += d.height + margin
	}
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" font-family="'Noto Sans CJK SC','Source Han Sans SC','Microsoft YaHei','PingFang SC',sans-serif" font-size="13" fill="#222">`+"\n",
		drawingWidth, height, drawingWidth, height)
	fmt.Fprintf(&b, `<rect width="%.0f" height="%.0f" fill="#fff"/>`+"\n", drawingWidth, height)
	y := margin
	for _, d := range drawings {
		fmt.Fprintf(&b, `<g transform="translate(0 %.0f)">`+"\n%s</g>\n", y, d.body)
		y += d.height + margin
	}
	b.WriteString("</svg>\n")
	return []byte(b.String())
}

// Sizes in pixels: of a drawing, its title, and the plot within.
const (
	drawingWidth = 960.0
	margin       = 24.0
	left         = 76.0
	right        = 64.0
	plotWidth    = drawingWidth - left - right
	head         = 64.0 // title and legend
	foot         = 30.0 // names below the axis
)

// Colours that people with any colour vision tell apart (Okabe and Ito), and greys.
const (
	blue   = "#0072b2"
	orange = "#d55e00"
	amber  = "#e69f00" // gas beside the blue of water
	pale   = "#dfe7ee"
	grid   = "#e3e3e3"
	grey   = "#666"
)

// pen draws into a string.
type pen struct{ strings.Builder }

func (p *pen) line(x1, y1, x2, y2 float64, colour string) {
	fmt.Fprintf(p, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>`+"\n", x1, y1, x2, y2, colour)
}

func (p *pen) rect(x, y, w, h float64, colour string) {
	fmt.Fprintf(p, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`+"\n", x, y, w, h, colour)
}

// text writes at a point; anchor is start, middle or end.
func (p *pen) text(x, y float64, anchor, colour, text string) {
	fmt.Fprintf(p, `<text x="%.1f" y="%.1f" text-anchor="%s" fill="%s">%s</text>`+"\n", x, y, anchor, colour, html.EscapeString(text))
}

func (p *pen) title(zh, en string) {
	fmt.Fprintf(p, `<text x="%.1f" y="18" font-size="17" font-weight="bold">%s <tspan font-size="13" font-weight="normal" fill="%s">%s</tspan></text>`+"\n",
		left, html.EscapeString(zh), grey, html.EscapeString(en))
}

func (p *pen) path(points []string, colour string) {
	fmt.Fprintf(p, `<path d="%s" fill="none" stroke="%s" stroke-width="2" stroke-linejoin="round"/>`+"\n", strings.Join(points, ""), colour)
}

func (p *pen) dot(x, y float64, colour string) {
	fmt.Fprintf(p, `<circle cx="%.1f" cy="%.1f" r="2.5" fill="%s"/>`+"\n", x, y, colour)
}

// span is the time axis of a result.
type span struct{ from, to calendar.Date }

func (s span) x(d calendar.Date) float64 {
	days := func(from, to calendar.Date) float64 { return to.At(0).Sub(from.At(0)).Hours() / 24 }
	share := days(s.from, d) / (days(s.from, s.to) + 1)
	return left + plotWidth*min(max(share, 0), 1)
}

// months draws a line where each month begins, and its name in the middle of
// it; of a long run only some.
func (s span) months(p *pen, top, bottom float64, named bool) {
	count := (s.to.Year-s.from.Year)*12 + int(s.to.Month-s.from.Month) + 1
	every := (count + 23) / 24
	for i, d := 0, (calendar.Date{Year: s.from.Year, Month: s.from.Month, Day: 1}); !s.to.Before(d); i++ {
		next := d.AddDays(31)
		next.Day = 1
		if s.from.Before(d) {
			p.line(s.x(d), top, s.x(d), bottom, grid)
		}
		if named && i%every == 0 {
			label := fmt.Sprintf("%d月", int(d.Month))
			if d.Month == time.January || i == 0 {
				label = fmt.Sprintf("%d年%s", d.Year, label)
			}
			p.text((s.x(d)+s.x(next))/2, bottom+20, "middle", grey, label)
		}
		d = next
	}
}

// Drawings are the result as pictures: on time by week, for each utility where
// both were played; queues; load.
func (r Result) Drawings() []Drawing {
	if len(r.Utilities) == 0 {
		return []Drawing{r.drawOnTime("on-time", "受理至"+r.flow()+"按时率", r.Figures), r.drawQueues(), r.drawLoad()}
	}
	var all []Drawing
	for _, p := range r.Utilities {
		title := p.Utility.Name() + "：受理至通" + p.Utility.Flow() + "按时率"
		all = append(all, r.drawOnTime("on-time-"+string(p.Utility), title, p.Figures))
	}
	return append(all, r.drawQueues(), r.drawLoad())
}

// drawOnTime: bars for how many were judged, a line for how many of them were
// on time.
func (r Result) drawOnTime(name, title string, f Figures) Drawing {
	const height = 230.0
	var p pen
	axis := span{r.From, r.To}
	top, bottom := head, head+height
	p.title(title, "supply-on within the limit, by week of acceptance · "+r.Scenario)
	p.line(left, 40, left+22, 40, blue)
	p.dot(left+11, 40, blue)
	p.text(left+28, 44, "start", "#222", fmt.Sprintf("按时率 on time（合计 all %s）", percent(f.Lane.Share(), 2)))
	p.rect(left+300, 34, 12, 12, pale)
	p.text(left+318, 44, "start", "#222", "计入案件数 cases judged（右轴 right axis）")
	most := 0
	for _, w := range f.Weeks {
		most = max(most, w.Judged)
	}
	scale := nice(float64(most))
	var points []string
	var dots pen
	for _, w := range f.Weeks {
		monday, err := calendar.ParseDate(w.Name)
		if err != nil {
			continue
		}
		from, to := axis.x(monday), axis.x(monday.AddDays(7))
		h := height * float64(w.Judged) / scale
		p.rect(from+1, bottom-h, max(to-from-2, 0.5), h, pale)
		if w.Judged == 0 {
			continue
		}
		x, y := (from+to)/2, bottom-height*w.Share()
		points = append(points, point(len(points) == 0, x, y))
		dots.dot(x, y, blue)
	}
	axis.months(&p, top, bottom, true)
	for i := range 6 {
		y := bottom - height*float64(i)/5
		p.line(left, y, left+plotWidth, y, grid)
		p.text(left-8, y+4, "end", grey, fmt.Sprintf("%d%%", i*20))
		p.text(left+plotWidth+8, y+4, "start", grey, short(scale*float64(i)/5))
	}
	p.path(points, blue)
	p.WriteString(dots.String())
	return Drawing{name, bottom + foot, p.String()}
}

func point(first bool, x, y float64) string {
	command := "L"
	if first {
		command = "M"
	}
	return fmt.Sprintf("%s%.1f %.1f", command, x, y)
}

// drawQueues: a strip for each department with a scale of its own, for one may
// have a hundred times the queue of another. Gas lies on top of water.
func (r Result) drawQueues() Drawing {
	const height, gap = 64.0, 34.0
	var p pen
	axis := span{r.From, r.To}
	p.title("下班时排队的任务", "tasks waiting at the close of each working day; each department has its own scale")
	y := 56.0
	if len(r.Utilities) > 0 {
		for i, u := range r.Utilities {
			p.rect(left+150*float64(i), 30, 12, 12, colourOf(u.Utility))
			p.text(left+18+150*float64(i), 41, "start", "#222", u.Utility.Name()+" "+string(u.Utility))
		}
		y += 18
	}
	for i, d := range r.Departments {
		most := 0
		for _, day := range r.Days {
			most = max(most, day.Left[i])
		}
		scale := nice(float64(most))
		top, bottom := y, y+height
		p.text(left, top-6, "start", "#222", fmt.Sprintf("%s %s", d.Department.Name(), d.Department))
		p.text(left+plotWidth, top-6, "end", grey, fmt.Sprintf("%d 人 people · 最多 most %d", d.People, d.LongestQueue))
		axis.months(&p, top, bottom, i == len(r.Departments)-1)
		for _, share := range []float64{0, 0.5, 1} {
			at := bottom - height*share
			p.line(left, at, left+plotWidth, at, grid)
			if share != 0.5 {
				p.text(left-8, at+4, "end", grey, short(scale*share))
			}
		}
		// The whole is drawn in the colour of the last utility, what lies below
		// it over that.
		areas := []struct {
			days   []Day
			colour string
		}{{r.Days, blue}}
		if n := len(r.Utilities); n > 0 {
			areas[0].colour = colourOf(r.Utilities[n-1].Utility)
			areas = append(areas, areas[0])
			areas[1].days, areas[1].colour = r.Utilities[0].Days, colourOf(r.Utilities[0].Utility)
		}
		for _, a := range areas {
			area := []string{point(true, axis.x(r.From), bottom)}
			for n, day := range a.days {
				next := r.To.AddDays(1)
				if n+1 < len(a.days) {
					next = a.days[n+1].Date
				}
				h := bottom - height*float64(day.Left[i])/scale
				area = append(area, point(false, axis.x(day.Date), h), point(false, axis.x(next), h))
			}
			area = append(area, point(false, axis.x(r.To.AddDays(1)), bottom), "Z")
			fmt.Fprintf(&p, `<path d="%s" fill="%s" fill-opacity="%s"/>`+"\n", strings.Join(area, ""), a.colour, r.opacity())
		}
		y = bottom + gap
	}
	return Drawing{"queues", y - gap + foot, p.String()}
}

// opacity lets the grid shine through one area; of two, the upper one must hide
// the lower.
func (r Result) opacity() string {
	if len(r.Utilities) > 0 {
		return "1"
	}
	return "0.75"
}

func colourOf(u casework.Utility) string {
	if u == casework.Gas {
		return amber
	}
	return blue
}

// bar is a row of the drawing of loads.
type bar struct {
	title, colour string
	Load
}

// bars are a row for each department, or for each of its utilities where both
// were played.
func (r Result) bars() []bar {
	var all []bar
	for i, d := range r.Departments {
		title := fmt.Sprintf("%s %s", d.Department.Name(), d.Department)
		if len(r.Utilities) == 0 {
			all = append(all, bar{title, blue, d})
		}
		for n, p := range r.Utilities {
			if n > 0 {
				title = ""
			}
			all = append(all, bar{strings.TrimSpace(title + " " + p.Utility.Name()), colourOf(p.Utility), p.Departments[i]})
		}
	}
	return all
}

// drawLoad: a bar for each department, full where its people always had a task
// in hand.
func (r Result) drawLoad() Drawing {
	const row, thick = 34.0, 18.0
	begin, length := left+150, 430.0
	if len(r.Utilities) > 0 {
		begin, length = left+190, 390
	}
	bars := r.bars()
	var p pen
	p.title("部门负荷", "share of working time with a task in hand; wait from ready to begun, working hours")
	top := 56.0
	bottom := top + row*float64(len(bars))
	for i := range 6 {
		x := begin + length*float64(i)/5
		p.line(x, top-4, x, bottom, grid)
		p.text(x, bottom+18, "middle", grey, fmt.Sprintf("%d%%", i*20))
	}
	p.text(begin+length+90, 44, "end", grey, "人数 people")
	p.text(begin+length+190, 44, "end", grey, "平均等待 wait")
	p.text(begin+length+250, 44, "end", grey, "P95")
	for i, d := range bars {
		y := top + row*float64(i)
		colour := d.colour
		if d.Utilisation > 0.9 {
			colour = orange
		}
		p.text(begin-10, y+18, "end", "#222", d.title)
		p.rect(begin, y+5, length*min(d.Utilisation, 1), thick, colour)
		p.text(begin+length*min(d.Utilisation, 1)+6, y+18, "start", "#222", percent(d.Utilisation, 0))
		p.text(begin+length+90, y+18, "end", "#222", number(d.People))
		p.text(begin+length+190, y+18, "end", "#222", hours(d.MeanWait)+" h")
		p.text(begin+length+250, y+18, "end", "#222", hours(d.P95Wait)+" h")
	}
	return Drawing{"load", bottom + foot, p.String()}
}

// DrawTrials draws the on-time rate over the number of people.
func DrawTrials(q Question, trials []Trial) Drawing {
	const height = 230.0
	var p pen
	top, bottom := head, head+height
	p.title(q.subject()+"人数与按时率", "on-time rate by number of "+q.Teams()+" people or crews")
	p.line(left, 40, left+22, 40, blue)
	during := "全年 whole run"
	if len(q.Months) > 0 {
		during = months(q.Months) + " 月 months"
	}
	p.text(left+28, 44, "start", "#222", "按时率 on time（"+during+"）")
	for i := range 6 {
		y := bottom - height*float64(i)/5
		p.line(left, y, left+plotWidth, y, grid)
		p.text(left-8, y+4, "end", grey, fmt.Sprintf("%d%%", i*20))
	}
	if q.Keep > 0 {
		y := bottom - height*q.Keep
		fmt.Fprintf(&p, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-dasharray="6 4"/>`+"\n", left, y, left+plotWidth, y, orange)
		p.text(left+plotWidth+6, y+4, "start", orange, percent(q.Keep, 2))
	}
	step := plotWidth / float64(len(trials)+1)
	every := max((len(trials)+29)/30, 1)
	var points []string
	for i, t := range trials {
		x, y := left+step*float64(i+1), bottom-height*q.Share(t.Result)
		points = append(points, point(i == 0, x, y))
		colour := blue
		if q.Keep > 0 && q.Reached(t.Result) {
			colour = orange
		}
		p.dot(x, y, colour)
		if i%every == 0 || i == len(trials)-1 {
			p.text(x, bottom+20, "middle", grey, number(t.People))
		}
	}
	p.path(points, blue)
	p.line(left, top, left, bottom, grid)
	return Drawing{"trials", bottom + foot, p.String()}
}

// nice is a round number at or above x, for the end of a scale that is divided
// by five.
func nice(x float64) float64 {
	if x <= 5 {
		return 5
	}
	unit := math.Pow(10, math.Floor(math.Log10(x)))
	steps := []float64{1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10}
	i := slices.IndexFunc(steps, func(s float64) bool { return x <= s*unit })
	return steps[max(i, 0)] * unit
}

func short(x float64) string {
	if x != math.Trunc(x) {
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.0f", x)
}
