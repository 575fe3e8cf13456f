package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

// CalendarStore is what the api reads and writes of the calendar. An import
// adds a version; the cases are told of it through the [CalendarDesk].
type CalendarStore interface {
	Notices(ctx context.Context) (calendar.Notices, error)
	NoticesAt(ctx context.Context, version string) (calendar.Notices, error)
	CalendarVersions(ctx context.Context, p casework.Page) ([]casework.CalendarVersion, string, error)
	CalendarVersion(ctx context.Context, version string) (casework.CalendarVersion, error)
	// CalendarMoves shows each case with a live deadline, in the order of numbers
	// behind the one given, with the deadlines that the notices move.
	CalendarMoves(ctx context.Context, n calendar.Notices, behind string, each func(number string, moves []casework.DeadlineMove) error) error
	ProvisionalDeadlines(ctx context.Context) (int64, error)
	// ImportNotices makes a plan the table in force; the key makes a repeated
	// call give the first one's version, which ImportedAs tells too.
	ImportNotices(ctx context.Context, p casework.CalendarPlan, i casework.CalendarImport, by, key string) (version string, err error)
	ImportedAs(ctx context.Context, key string) (version string, err error)
}

// CalendarDesk tells the cases of a new version.
type CalendarDesk interface {
	// TellOfCalendar has every case told that a version of the calendar moves.
	// It returns as soon as that can't be lost any more.
	TellOfCalendar(ctx context.Context, version string) error
}

// CalendarImporter brings holiday notices in, for the api and the command line
// alike.
type CalendarImporter struct {
	Store CalendarStore
	Desk  CalendarDesk
	Now   func() time.Time
}

// CalendarPreview is what an import would do, or did.
type CalendarPreview struct {
	casework.CalendarPlan
	Counts calendar.Counts
	Cases  int // that would move
	Moved  int // deadlines that would move
}

// Preview works an import out and changes nothing. Each deadline that would move
// is shown; the refusals are those of [casework.CalendarImport.Plan].
func (c CalendarImporter) Preview(ctx context.Context, i casework.CalendarImport, each func(casework.DeadlineMove) error) (CalendarPreview, error) {
	inForce, err := c.Store.Notices(ctx)
	if err != nil {
		return CalendarPreview{}, err
	}
	plan, err := i.Plan(inForce, versionName(c.Now(), "preview"))
	if err != nil {
		return CalendarPreview{}, err
	}
	p := CalendarPreview{CalendarPlan: plan, Counts: calendar.Count(plan.Changes)}
	err = c.Store.CalendarMoves(ctx, plan.Notices, "", func(_ string, moves []casework.DeadlineMove) error {
		if len(moves) > 0 {
			p.Cases++
		}
		for _, m := range moves {
			p.Moved++
			if err := each(m); err != nil {
				return err
			}
		}
		return nil
	})
	return p, err
}

// Import makes a file the calendar in force and has the cases told. Asked again
// with its key it does nothing twice and gives the same version.
func (c CalendarImporter) Import(ctx context.Context, i casework.CalendarImport, by, key string) (string, error) {
	version, err := c.Store.ImportedAs(ctx, key)
	if err == nil && version == "" {
		version, err = c.put(ctx, i, by, key)
	}
	if err != nil {
		return "", err
	}
	return version, c.Desk.TellOfCalendar(ctx, version)
}

func (c CalendarImporter) put(ctx context.Context, i casework.CalendarImport, by, key string) (string, error) {
	inForce, err := c.Store.Notices(ctx)
	if err != nil {
		return "", err
	}
	plan, err := i.Plan(inForce, versionName(c.Now(), key))
	if err != nil {
		return "", err
	}
	if err := plan.Accept(i.AcceptWarnings); err != nil {
		return "", err
	}
	return c.Store.ImportNotices(ctx, plan, i, by, key)
}

// versionName names a version after the day of its import, with enough behind it
// to tell the imports of one day apart.
func versionName(now time.Time, key string) string {
	sum := sha256.Sum256([]byte(key))
	return calendar.DateOf(now).String() + "-" + hex.EncodeToString(sum[:3])
}

func (a *API) registerCalendar() {
	handle(a, route{
		id: "get-calendar", method: http.MethodGet, path: "/v1/calendar", tag: "calendar", access: forStaff(),
		summary: casework.Say("现行日历：已有放假通知的年份、放假和调休的日子", "the calendar in force: years with notice, holidays and make-up days"),
	}, a.getCalendar)
	handle(a, route{
		id: "list-calendar-versions", method: http.MethodGet, path: "/v1/calendar/versions", tag: "calendar", access: forStaff(),
		summary: casework.Say("日历各版本：何人、何时、依据何通知导入", "versions of the calendar: who imported which notice and when"),
	}, a.listCalendarVersions)
	handle(a, route{
		id: "get-calendar-version", method: http.MethodGet, path: "/v1/calendar/versions/{version}", tag: "calendar", access: forStaff(),
		summary: casework.Say("一个日历版本：改了哪些日子，已通知多少案件", "a version of the calendar: the days that it changed, and how many cases were told"),
	}, a.getCalendarVersion)
	file := map[string]*huma.MediaType{
		"text/csv": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
		// Without a schema: huma would read a body that is said to be JSON as such,
		// whatever its type.
		"application/json": {},
	}
	handle(a, route{
		id: "import-calendar", method: http.MethodPost, path: "/v1/calendar/imports", tag: "calendar",
		access: forRoles(casework.TaskforceOffice),
		summary: casework.Say("导入放假通知（CSV 或 holiday-cn JSON）；试运行只列出变化和将移动的时限",
			"import a holiday notice (CSV or holiday-cn JSON); a dry run only lists what would change and which deadlines would move"),
		reads: true, body: &huma.RequestBody{Required: true, Content: file},
		responses: map[string]*huma.Response{
			"200": {Description: "试运行结果 the dry run", Content: map[string]*huma.MediaType{"application/json": {Schema: schemaOf[calendarPreview](a.huma)}}},
			"202": {Description: "已生效，正在通知案件；进展见 Location in force, the cases are being told; see Location", Content: map[string]*huma.MediaType{"application/json": {Schema: schemaOf[calendarVersionView](a.huma)}}},
		},
	}, a.importCalendar)
}

// calendarView is the table in force.
type calendarView struct {
	Version string         `json:"version"`
	Years   []calendarYear `json:"years"`
	// MissingYears are this year and, from 15 November, the next, where their
	// notice is not there.
	MissingYears         []int          `json:"missing_years" doc:"应有而未导入通知的年份 years whose notice is missing by now"`
	ProvisionalDeadlines int64          `json:"provisional_deadlines" doc:"暂定的时限：所跨年份尚无通知 live deadlines that count through a year without notice"`
	Days                 []calendar.Day `json:"days" doc:"放假与调休 holidays and make-up days"`
}

type calendarYear struct {
	Year     int `json:"year"`
	Holidays int `json:"holidays" doc:"放假 days off by notice"`
	Workdays int `json:"workdays" doc:"调休上班 make-up days"`
}

type calendarQuery struct {
	Year int `query:"year" minimum:"1" maximum:"9999" doc:"只列此年的日子 the days of this year only"`
}

func (a *API) getCalendar(ctx context.Context, in *calendarQuery) (*reply[calendarView], error) {
	notices, err := a.store.Notices(ctx)
	if err != nil {
		return nil, err
	}
	v := calendarView{Version: notices.Version()}
	years := map[int]*calendarYear{}
	for _, y := range notices.Years() {
		v.Years = append(v.Years, calendarYear{Year: y})
	}
	for i := range v.Years {
		years[v.Years[i].Year] = &v.Years[i]
	}
	for _, d := range notices.Days() {
		y := years[d.Date.Year]
		switch {
		case y == nil: // December days of the first notice
		case d.Kind == calendar.Workday:
			y.Workdays++
		default:
			y.Holidays++
		}
		if in.Year == 0 || d.Date.Year == in.Year {
			v.Days = append(v.Days, d)
		}
	}
	today := calendar.DateOf(a.now())
	for year := today.Year; year <= casework.LatestNotice(today); year++ {
		if !notices.HasYear(year) {
			v.MissingYears = append(v.MissingYears, year)
		}
	}
	v.ProvisionalDeadlines, err = a.store.ProvisionalDeadlines(ctx)
	return answer(v, err)
}

func (a *API) listCalendarVersions(ctx context.Context, in *Paging) (*reply[page[casework.CalendarVersion]], error) {
	versions, next, err := a.store.CalendarVersions(ctx, in.page())
	return answer(page[casework.CalendarVersion]{versions, next}, err)
}

type calendarVersionView struct {
	casework.CalendarVersion
	Counts  calendar.Counts   `json:"counts"`
	Changes []calendar.Change `json:"changes" doc:"与所修改版本相比 compared with the version that it changed"`
}

type versionAddress struct {
	Version string `path:"version" maxLength:"64" doc:"日历版本 version"`
}

func (a *API) getCalendarVersion(ctx context.Context, in *versionAddress) (*reply[calendarVersionView], error) {
	return answer(a.viewCalendarVersion(ctx, in.Version))
}

func (a *API) viewCalendarVersion(ctx context.Context, version string) (calendarVersionView, error) {
	v, err := a.store.CalendarVersion(ctx, version)
	if err != nil {
		return calendarVersionView{}, err
	}
	after, err := a.store.NoticesAt(ctx, version)
	if err != nil {
		return calendarVersionView{}, err
	}
	var before calendar.Notices
	if v.BasedOn != "" {
		if before, err = a.store.NoticesAt(ctx, v.BasedOn); err != nil {
			return calendarVersionView{}, err
		}
	}
	changes := calendar.Diff(before, after)
	return calendarVersionView{v, calendar.Count(changes), changes}, nil
}

type calendarUpload struct {
	DryRun         bool   `query:"dry_run" doc:"只试运行，不作更改 change nothing"`
	Year           int    `query:"year" minimum:"0" maximum:"9999" doc:"应为哪一年的通知；其他年份的日子将被拒绝 the year whose notice it is meant to be; days of another are refused"`
	Amend          bool   `query:"amend" doc:"仅修改文件中的日子，其余不变；否则文件即为该年完整通知 change only the days of the file; without it the file is the whole notice of its years"`
	AcceptWarnings bool   `query:"accept_warnings" doc:"接受异常 import what is unusual all the same"`
	Name           string `query:"name" maxLength:"200" doc:"文件名，留作记录 name of the file, for the record"`

	body io.Reader
}

// Resolve takes the body as it comes: it has two forms, one of which is no JSON.
func (in *calendarUpload) Resolve(ctx huma.Context) []error {
	in.body = humagin.Unwrap(ctx).Request.Body
	return nil
}

// maxMoves bounds how many moves an answer lists; all are counted.
const maxMoves = 1000

// calendarPreview is the answer to a dry run.
type calendarPreview struct {
	BasedOn  string             `json:"based_on" doc:"现行版本 the version in force"`
	Source   string             `json:"source" doc:"文件所依据的通知 the notices that the file names"`
	Counts   calendar.Counts    `json:"counts"`
	Changes  []calendar.Change  `json:"changes" doc:"新增、变更、取消的日子 days added, changed and removed"`
	Warnings []calendar.Warning `json:"warnings" doc:"异常，导入时须接受 unusual; must be accepted to import"`
	Cases    int                `json:"cases" doc:"将移动时限的案件数 cases with a deadline that would move"`
	Moved    int                `json:"moved" doc:"将移动的时限数 deadlines that would move"`
	Moves    []movedView        `json:"moves" doc:"将移动的时限，最多 1000 条 the deadlines that would move, at most 1000"`
}

type movedView struct {
	casework.DeadlineMove
	LimitTitle string `json:"limit_name"`
}

type importReply struct {
	Status   int
	Location string `header:"Location"`
	Body     any
}

func (a *API) importCalendar(ctx context.Context, in *calendarUpload) (*importReply, error) {
	file, err := io.ReadAll(in.body)
	if tooBig := new(http.MaxBytesError); errors.As(err, &tooBig) {
		return nil, casework.Refuse(casework.TooLarge, "body_too_large", casework.Say("文件过大", "the file is too large"))
	}
	if err != nil {
		return nil, err
	}
	if err := a.bindKey(ctx); err != nil {
		return nil, err
	}
	i := casework.CalendarImport{Name: in.Name, File: file, Year: in.Year, Amend: in.Amend, AcceptWarnings: in.AcceptWarnings}
	importer := CalendarImporter{Store: a.store, Desk: a.desk, Now: a.now}
	if in.DryRun {
		v, err := a.preview(ctx, importer, i)
		return &importReply{Status: http.StatusOK, Body: v}, err
	}
	version, err := importer.Import(ctx, i, actorOf(ctx).ID, callOf(ctx).updateID)
	if err != nil {
		return nil, err
	}
	v, err := a.viewCalendarVersion(ctx, version)
	return &importReply{Status: http.StatusAccepted, Location: a.link("/v1/calendar/versions/%s", version), Body: v}, err
}

func (a *API) preview(ctx context.Context, importer CalendarImporter, i casework.CalendarImport) (calendarPreview, error) {
	var moves []movedView
	p, err := importer.Preview(ctx, i, func(m casework.DeadlineMove) error {
		if len(moves) < maxMoves {
			moves = append(moves, movedView{m, m.Limit.Name()})
		}
		return nil
	})
	return calendarPreview{
		BasedOn: p.BasedOn, Source: p.Source, Counts: p.Counts, Changes: p.Changes, Warnings: p.Warnings,
		Cases: p.Cases, Moved: p.Moved, Moves: moves,
	}, err
}
