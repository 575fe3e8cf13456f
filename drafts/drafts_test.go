package drafts_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/drafts"
	"github.com/curbstop/curbstop/reports"
)

var out = flag.String("out", "", "also write the papers into this folder, for looking at them")

// monday is 2026-11-23 09:00 in Shanghai, given in UTC: papers show Shanghai's
// time whatever a moment carries.
var monday = time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)

var terms = casework.Terms{
	PolicyVersion: "2026-1", Lane: casework.Lane101, Hours: calendar.Hours{Spans: []calendar.Span{{From: 8*60 + 30, To: 17*60 + 30}}},
	Limits: map[casework.LimitName]calendar.Budget{
		casework.LaneLimit(casework.Lane101): {Unit: calendar.WorkingDays, Days: 1},
		"upload_survey":                      {Unit: calendar.WorkingDays, Days: 1},
		"callback":                           {Unit: calendar.WorkingDays, Days: 5},
	},
	Ladder:       []casework.Rung{{Name: casework.RungBreach, To: casework.TaskforceOffice, Level: 1}},
	PauseReasons: []casework.PauseReason{casework.CustomerNotReady},
}

func request() casework.Request {
	return casework.Request{
		Utility: casework.Water, Channel: casework.ProjectApproval, ExternalNumber: "2026-340207-01-000123",
		Applicant: casework.Applicant{Name: "芜湖江城精密制造有限公司", CreditCode: "91340200MA8N004320"},
		Contact:   casework.Contact{Name: "王晓燕", Phone: "13800138000"},
		Site:      casework.Site{District: "340207", Address: "鸠江区江北大道与通江路交叉口东南角 3 号地块"},
		Demand: casework.Demand{
			Use: "生产及生活用水", DailyVolume: 120.5, Diameter: 100, DigsRoad: true,
			WantedOn: date(2026, 12, 20), BuildFrom: date(2026, 12, 1), BuildTo: date(2027, 10, 31),
		},
		Remark: "厂区北门施工，进场请先联系。",
		Extra:  map[string]json.RawMessage{"projectStage": json.RawMessage(`{"name":"施工许可","code":3}`)},
	}
}

func date(y int, m time.Month, d int) calendar.Date {
	return calendar.Date{Year: y, Month: m, Day: d}
}

// story is a case on its way, with the events so far and a clock.
type story struct {
	t      *testing.T
	k      *casework.Case
	events []casework.Event
	now    time.Time
}

func begin(t *testing.T, r casework.Request) *story {
	t.Helper()
	office := casework.Actor{ID: "project_approval", Roles: []casework.Role{casework.Platform}}
	s := &story{t: t, now: monday, k: casework.NewCase("W20261123-00001", r, terms, office, monday)}
	s.commit()
	return s
}

// commit does what a workflow does after each decision: work out what is due
// and take the changes.
func (s *story) commit() {
	s.t.Helper()
	notices, err := calendar.NewNotices("test", nil)
	require.NoError(s.t, err)
	cal, err := calendar.New(notices, s.k.Terms.Hours)
	require.NoError(s.t, err)
	var worked []casework.Deadline
	for _, d := range s.k.Unworked() {
		worked = append(worked, d.WorkOut(cal, "test"))
	}
	s.k.Worked(worked, s.k.ReceivedAt)
	s.events = append(s.events, s.k.TakeChanges().Events...)
}

func (s *story) do(a casework.Action) {
	s.t.Helper()
	next, err := s.k.Try(a, s.now)
	require.NoError(s.t, err)
	s.k = next
	s.now = s.now.Add(10 * time.Minute)
	s.commit()
}

// done opens a task and completes it.
func (s *story) done(kind casework.TaskKind, qualifier string, input any) {
	s.t.Helper()
	s.k.Need(kind, qualifier, 1, s.now, s.now)
	task, ok := s.k.Live(kind, qualifier)
	require.True(s.t, ok)
	s.commit()
	raw, err := json.Marshal(input)
	require.NoError(s.t, err)
	s.do(casework.CompleteTask{By: staff(task.Role), Task: task.ID, Input: raw})
}

func (s *story) attach(kind casework.DocumentKind) {
	s.t.Helper()
	s.do(casework.AttachDocument{By: staff(casework.Taskforce), Document: casework.Document{
		ID: string(kind), Key: "key/" + string(kind), Kind: kind, Title: kind.Name() + ".pdf", SHA256: strings.Repeat("0a1b2c3d", 8),
	}})
}

func staff(r casework.Role) casework.By {
	return casework.By{Actor: casework.Actor{
		ID: string(r) + "-01", Name: "李明", Roles: []casework.Role{r}, Districts: []casework.District{casework.AllDistricts},
	}}
}

// surveyed is a case whose application was just accepted.
func surveyed(t *testing.T, r casework.Request) *story {
	t.Helper()
	s := begin(t, r)
	s.done(casework.ContactCustomer, "", casework.ContactInput{By: "phone", Note: "年底前试生产"})
	s.done(casework.AssessNetwork, "", casework.AssessmentInput{
		Result: casework.Adequate, MainDiameter: 300, Pressure: 0.32, Distance: 45.5, Source: "二水厂", Note: "内部备注：夜间水压偏低",
	})
	s.done(casework.BriefCustomer, "", casework.BriefingInput{Delivered: "online"})
	s.k.Enter(casework.JointSurvey, s.now)
	s.done(casework.ScheduleSurvey, "", casework.AppointmentInput{
		SurveyAt: s.now.Add(time.Hour), Attendees: []casework.Department{"taskforce", "engineering", "network"},
	})
	s.done(casework.ConductSurvey, "", casework.SurveyInput{
		ConductedAt: s.now, CustomerPresent: true, Connectable: true, InformationChecked: true, ApplicationCompleted: true, DesignConfirmed: true,
		Design:  &casework.Design{Atlas: "WH-GS-03", MeterDiameter: 100, PipeMaterial: "球墨铸铁管", PipeLength: 48},
		Permits: []casework.PermitNeed{{Kind: casework.RoadExcavation}, {Kind: casework.RoadOccupation, AffectsTraffic: true}},
	})
	return s
}

// connected is a case with supply on, in which nearly everything is known.
func connected(t *testing.T, r casework.Request) *story {
	t.Helper()
	s := surveyed(t, r)
	s.attach(casework.SurveyRecord)
	s.attach(casework.ConstructionDrawing)
	s.done(casework.UploadSurvey, "", casework.UploadInput{})
	s.done(casework.PrepareMaterials, "", casework.MaterialsInput{Note: "随车配送", Items: []casework.Material{
		{Code: "DI-100-6", Name: "球墨铸铁管 DN100", Quantity: 8, Unit: "根"},
		{Code: "GV-100", Name: "闸阀 DN100", Quantity: 1, Unit: "只"},
		{Code: "WM-100-R", Name: "远传水表 DN100", Quantity: 1, Unit: "只"},
		{Code: "SAND", Name: "中粗砂", Quantity: 2.5, Unit: "m³"},
	}})
	for _, p := range []casework.PermitKind{casework.RoadExcavation, casework.RoadOccupation} {
		s.done(casework.FilePermit, string(p), casework.FilingInput{FiledAt: s.now, FilingNumber: "SZ-2026-1123-" + string(p[5])})
		s.done(casework.RecordPermitResult, string(p), casework.PermitResultInput{Granted: true, DecidedAt: s.now, ReceiptNumber: "HZ-2026-0457"})
		s.done(casework.HandOverPermit, string(p), casework.NoteInput{})
	}
	s.k.TaskOrderAt = s.now
	s.k.Enter(casework.Construction, s.now)
	s.done(casework.EnterSite, "", casework.SiteEntryInput{EnteredAt: s.now, Crew: "江北施工一班"})
	s.done(casework.InstallMeter, "", casework.MeterInput{Serial: "WM2026-004512", Seal: "F-88123", Diameter: 100, InstalledAt: s.now})
	s.done(casework.TurnOnSupply, "", casework.SupplyInput{SuppliedAt: s.now, Pressure: 0.28})
	s.do(casework.ConfirmAcceptance{By: casework.By{Actor: casework.AsCustomer()}})
	s.do(casework.Rate{By: casework.By{Actor: casework.AsCustomer()}, Level: 5, Comment: "快"})
	s.k.Need(casework.OpenAccount, "", 1, s.now, s.now)
	s.k.Need(casework.Callback, "", 1, s.now, s.now)
	s.commit()
	return s
}

// held is who held the case's clock: first the taskforce, then the customer.
func (s *story) held() reports.Clock {
	s.t.Helper()
	notices, err := calendar.NewNotices("test", nil)
	require.NoError(s.t, err)
	cal, err := calendar.New(notices, s.k.Terms.Hours)
	require.NoError(s.t, err)
	turn := monday.Add(90 * time.Minute)
	return reports.ClockOf(s.k, []casework.Holding{
		{N: 1, Party: "taskforce", From: monday, To: turn, Working: 90 * time.Minute},
		{N: 2, Party: casework.PartyCustomer, Stopped: true, From: turn},
	}, nil, cal, s.now)
}

// drafted lists what the system writes.
func drafted() []casework.DocumentKind {
	var kinds []casework.DocumentKind
	for _, kind := range casework.DocumentKinds() {
		if kind.Drafted() {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

func write(t *testing.T, kind casework.DocumentKind, k *casework.Case, now time.Time) string {
	t.Helper()
	title, html, err := drafts.Write(kind, k, now)
	require.NoError(t, err)
	require.Equal(t, kind.NameFor(k.Request.Utility)+"-"+k.Number+".html", title)
	show(t, title, html)
	return string(html)
}

// show writes a paper where a person can look at it, if one asked for that.
func show(t *testing.T, title string, html []byte) {
	t.Helper()
	if *out != "" {
		require.NoError(t, os.WriteFile(filepath.Join(*out, strings.ReplaceAll(t.Name(), "/", "-")+"-"+title), html, 0o600))
	}
}

// contains checks facts one by one: a whole page in a failure helps nobody.
func contains(t *testing.T, html string, facts ...string) {
	t.Helper()
	for _, f := range facts {
		if !strings.Contains(html, f) {
			t.Errorf("the paper does not say %q", f)
		}
	}
}

// lacks checks that a paper says nothing that matches.
func lacks(t *testing.T, html string, patterns ...string) {
	t.Helper()
	for _, p := range patterns {
		if found := regexp.MustCompile(p).FindString(html); found != "" {
			t.Errorf("the paper says %q", found)
		}
	}
}

func TestWriteSaysWhatIsKnown(t *testing.T) {
	t.Parallel()
	s := connected(t, request())
	everywhere := []string{
		"W20261123-00001", "用水报装", "芜湖江城精密制造有限公司", "鸠江区", "江北大道与通江路交叉口", "制单时间 Printed 2026-11-23 ",
	}
	says := map[casework.DocumentKind][]string{
		casework.Booking: {
			"客户预约报装信息", "91340200MA8N004320", "王晓燕", "13800138000", "生产及生活用水", "120.5 m³/日", "100 mm", "2026-12-20",
			"2026-12-01 至 2027-10-31", "挖掘城市道路", "工程建设项目审批平台", "2026-340207-01-000123", "2026-11-23 09:00", "厂区北门施工",
		},
		casework.NoticeOfAcceptance: {
			"受理通知单", "贵单位", "2026-11-23 09:40", "101：一个环节、零材料", "1 个工作日", "WH-GS-03", "球墨铸铁管", "48 m",
			"挖掘城市道路（市政联合审批承诺备案）", "临时占用城市道路（一般审批）", "国办函〔2020〕129号", "13800138000", "2026年11月23日",
		},
		casework.MaterialRequisition: {
			"领料单", "DI-100-6", "闸阀 DN100", "2.5", "m³", "随车配送", "WH-GS-03", "工程管理部", "领料 Received",
		},
		casework.CommencementReport: {
			"开工报告", "江北施工一班", "HZ-2026-0457", "批准", "已备 4 项", "不涉及", "工程管理部（盖章）",
		},
		casework.AcceptanceConfirmation: {
			"客户验收确认单", "WM2026-004512", "F-88123", "0.000 m³", "0.28 MPa", "客户凭查询码在线确认", "无 none",
		},
		casework.Briefing: {
			"供水现状告知书", "二水厂", "300 mm", "0.32 MPa", "45.5 m", "满足用水需求", "现状管网可满足上述需求",
		},
	}
	for _, kind := range drafted() {
		if slices.Contains(gasPapers(), kind) {
			continue
		}
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			require.Contains(t, says, kind)
			html := write(t, kind, s.k, s.now)
			contains(t, html, everywhere...)
			contains(t, html, says[kind]...)
			lacks(t, html, "内部备注") // what colleagues note for each other is not for the customer
			lacks(t, html, `(?i)https?:|url\(|@import|src=|href=`)
		})
	}
}

func TestWriteDashesWhatIsUnknown(t *testing.T) {
	t.Parallel()
	person := casework.Request{
		Utility: casework.Water, Channel: casework.WeChat, Applicant: casework.Applicant{Name: "赵某", Person: true},
		Site: casework.Site{District: "340202", Address: "北京路 1 号"},
	}
	s := begin(t, person)
	for _, kind := range drafted() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			html := write(t, kind, s.k, s.now)
			contains(t, html, "—", "赵某", "镜湖区")
			lacks(t, html, `0001-01-01|1970|nil|&lt;|%!`, `\b0(\.0+)? (mm|m|MPa|m³)`, "贵单位")
		})
	}
}

func TestNoticeTellsTheDueMoment(t *testing.T) {
	t.Parallel()
	s := surveyed(t, request())
	contains(t, write(t, casework.NoticeOfAcceptance, s.k, s.now), "1 个工作日，至 2026-11-24 17:30（暂定）")
	s.do(casework.PauseCase{By: staff(casework.Taskforce), Reason: casework.CustomerNotReady, Evidence: "来函", PlannedEnd: s.now.AddDate(0, 0, 7)})
	contains(t, write(t, casework.NoticeOfAcceptance, s.k, s.now), "1 个工作日，暂停计时中")
}

func TestBriefingTellsWhatTheAssessmentFound(t *testing.T) {
	t.Parallel()
	for result, sentence := range map[casework.NetworkResult]string{
		casework.UpgradeNeeded: "将由供水企业先行改造", casework.NoMain: "将由供水企业先行新建",
	} {
		s := begin(t, request())
		s.done(casework.AssessNetwork, "", casework.AssessmentInput{
			Result: result, MainDiameter: 100, Pressure: 0.12, Plan: "沿通江路新敷 DN300 管 600 米\n与江北大道干管连通",
		})
		html := write(t, casework.Briefing, s.k, s.now)
		contains(t, html, sentence, "沿通江路新敷 DN300", "0 m")
		lacks(t, html, "现状管网可满足")
	}
}

func TestPapersEscape(t *testing.T) {
	t.Parallel()
	const evil = `</title><script>alert("1")</script>`
	r := request()
	r.Applicant.Name, r.Contact.Name, r.Site.Address, r.Remark = evil, evil, evil, evil
	r.Extra = map[string]json.RawMessage{evil: json.RawMessage(`"</td><script>"`)}
	s := connected(t, r)
	s.k.Number = `W1"}</style><script>` // never happens; the style holds the number, so try it
	all := map[string]string{}
	for _, kind := range drafted() {
		_, html, err := drafts.Write(kind, s.k, s.now)
		require.NoError(t, err)
		all[string(kind)] = string(html)
	}
	printed, err := drafts.Printout(s.k, s.events, s.held(), s.now)
	require.NoError(t, err)
	all["printout"] = string(printed)
	for name, html := range all {
		lacks(t, html, "<script")
		contains(t, html, "&lt;script&gt;")
		require.Equal(t, 1, strings.Count(html, "</style>"), name)
	}
}

func TestWriteRefusesWhatPeopleMake(t *testing.T) {
	t.Parallel()
	k := begin(t, request()).k
	for _, kind := range append(casework.DocumentKinds(), "poem") {
		_, _, err := drafts.Write(kind, k, monday)
		if kind.Drafted() {
			require.NoError(t, err, kind)
		} else {
			require.ErrorContains(t, err, string(kind))
		}
	}
}

func TestWriteIsPure(t *testing.T) {
	t.Parallel()
	s := connected(t, request())
	before := s.k.Clone()
	require.Equal(t, write(t, casework.Booking, s.k, s.now), write(t, casework.Booking, before, s.now))
	require.Equal(t, before, s.k.Clone())
}

func TestPrintoutHoldsEverything(t *testing.T) {
	t.Parallel()
	s := connected(t, request())
	s.do(casework.PauseCase{By: staff(casework.Taskforce), Reason: casework.CustomerNotReady, Evidence: "客户来函 2026-18", PlannedEnd: s.now.AddDate(0, 0, 7)})
	s.do(casework.ProposeCharge{By: staff(casework.Engineering), Charge: casework.Charge{Kind: casework.InsideProperty, Amount: 123450, Note: "红线内管道，按协议"}})
	html, err := drafts.Printout(s.k, s.events, s.held(), s.now)
	require.NoError(t, err)
	show(t, "案件全卷.html", html)
	contains(t, string(html),
		"接入报装", "已暂停", "王晓燕", "13800138000", "projectStage", "name：施工许可；code：3", "内部备注", "营商专班、工程管理部、管网运行部",
		"HZ-2026-0457", "DI-100-6", "WM2026-004512", "5 / 7", "零见面、零费用", "5 分",
		"W20261123-00001-T", "立户", "回访", "5 个工作日", "暂停计时", "客户来函 2026-18", "1234.50 元", "红线内工程", "勘察记录.pdf",
		"计时归属", "<svg ", "1.5 小时", "完成任务：联系客户", "年底前试生产", "design.atlas：WH-GS-03", "permits.2.kind：road_occupation", "conducted_at：2026-11-23 09:40", // the timeline, with what was entered
	)
	for _, e := range s.events {
		contains(t, string(html), e.Note.ZH)
	}

	upgrade := casework.NewUpgrade("U20261123-00001", s.k, s.now)
	upgrade.UpgradeWork.Design = &casework.UpgradeDesignInput{Scheme: "新敷干管", Diameter: 300, Length: 600}
	html, err = drafts.Printout(upgrade, nil, reports.Clock{}, s.now)
	require.NoError(t, err)
	show(t, "管网改造.html", html)
	contains(t, string(html), "W20261123-00001", "新敷干管", "600 m")
	lacks(t, string(html), "13800138000")
}
