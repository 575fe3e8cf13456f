// Package demo plays the staff of a small utility through the HTTP API: it
// takes in a real list of requests and works the cases as people would, well
// and badly, so that a newcomer sees the whole process within minutes.
package demo

import (
	"fmt"
	"hash/fnv"
	"time"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

// Answer is what a member of staff enters to complete a task, and the papers
// that must be on file before.
type Answer struct {
	Input  any
	Papers []casework.DocumentKind
	// Checked are the items of the task's checklist that are confirmed.
	Checked []string
	// Customer tells that the customer must confirm the finished work first.
	Customer bool
}

// Choices steer an answer where the process branches. The zero value goes the
// straight way: adequate network, connectable at once, no permit, satisfied.
type Choices struct {
	PauseGoesOn   bool                  // the review of a pause lets it go on
	Upgrade       bool                  // the assessment finds that the network must be upgraded
	NotYet        bool                  // the survey or follow-up finds that it can't be connected yet
	Permits       []casework.PermitNeed // the survey finds these permits necessary
	RefusePermit  bool                  // the authority refuses
	DesignLater   bool                  // the customer confirms the design online, not on the spot
	MeterFails    bool                  // the meter fails its acceptance
	Unreached     bool                  // the callback does not get through
	Dissatisfied  bool                  // the callback finds a dissatisfied customer
	LeadDropped   bool                  // the customer of a lead needs no supply any more
	EvidencePaper string                // ID of the paper that proves a rectification
	Checklist     []string              // what the task's checklist asks to confirm

	Gas        bool                // the case is a connection to gas
	Large      bool                // gas: beyond the small standardised connection
	CardPaid   bool                // gas: the meter is paid for ahead, with a card
	Hazard     bool                // gas: the safety check finds a hazard
	Revise     bool                // gas: the customer wants another design than the one that was priced
	Agreement  bool                // arrears are not paid but agreed upon
	PassOn     casework.Department // an order of 12345 belongs to this department
	Account    string              // the account's number, where nobody knew it
	CertNumber string              // the number of a certificate that was missing; else one is made up
	AskAgain   bool                // what billing could not do was put right, and it is asked again
	FinalRead  float64             // what the meter shows; 0: 1234
}

// AnswerTo gives a valid answer to a task at a moment. The same task gets the
// same serial numbers, whoever asks.
func AnswerTo(t casework.Task, c Choices, now time.Time) Answer {
	a := answerTo(t, c, now)
	if gas, ok := answerToGas(t, c, now); ok {
		a = gas
	}
	fails := c.MeterFails && t.Kind == casework.AcceptMeter || c.Hazard && t.Kind == casework.CommissionSupply
	if !fails {
		a.Checked = c.Checklist
	}
	return a
}

func answerTo(t casework.Task, c Choices, now time.Time) Answer {
	now = now.Truncate(time.Second)
	n := number(t.ID)
	switch t.Kind {
	case casework.ContactCustomer:
		return plain(casework.ContactInput{By: "phone", Use: "生产经营用水", Diameter: 50, DailyVolume: 30, Note: "已电话对接，了解建设周期"})
	case casework.AssessNetwork:
		return plain(assessment(c))
	case casework.BriefCustomer:
		return plain(casework.BriefingInput{Delivered: "online"})
	case casework.FollowUpLead:
		if c.LeadDropped {
			return plain(casework.FollowUpLeadInput{Result: "dropped", Note: "项目已取消"})
		}
		return plain(casework.FollowUpLeadInput{Result: "waiting", NextOn: calendar.DateOf(now).AddDays(7), Note: "企业尚在办理前期手续"})
	case casework.ScheduleSurvey:
		return plain(casework.AppointmentInput{SurveyAt: now.Add(2 * time.Second),
			Attendees: []casework.Department{casework.Department(casework.Taskforce), casework.Department(casework.Engineering), casework.Department(casework.Network)}})
	case casework.ConductSurvey:
		return plain(survey(c, n, now))
	case casework.FollowUp:
		if c.NotYet {
			return plain(casework.FollowUpInput{Result: casework.NotYetConnectable, NextOn: calendar.DateOf(now).AddDays(3), Note: "市政道路尚未完工"})
		}
		return plain(casework.FollowUpInput{Result: casework.Connectable, Note: "道路已完工，可以接水"})
	case casework.UploadSurvey:
		return Answer{Input: casework.UploadInput{}, Papers: []casework.DocumentKind{casework.SurveyRecord, casework.ConstructionDrawing}}
	case casework.PrepareMaterials:
		return plain(casework.MaterialsInput{Items: []casework.Material{
			{Code: "SB-50", Name: "远传水表 DN50", Quantity: 1, Unit: "只"}, {Code: "PE-63", Name: "PE 给水管 de63", Quantity: 35.5, Unit: "米"}}})
	case casework.FilePermit:
		return plain(casework.FilingInput{FiledAt: now, FilingNumber: fmt.Sprintf("SZ%06d", n)})
	case casework.RecordPermitResult:
		if c.RefusePermit {
			return plain(casework.PermitResultInput{DecidedAt: now, Reason: "占道时间与赛事冲突，请调整后重新申报"})
		}
		return Answer{Input: casework.PermitResultInput{Granted: true, DecidedAt: now, ReceiptNumber: fmt.Sprintf("HZ%06d", n)},
			Papers: []casework.DocumentKind{casework.PermitReceipt}}
	case casework.EnterSite:
		return plain(casework.SiteEntryInput{EnteredAt: now, Crew: "施工一班"})
	case casework.InstallMeter:
		return plain(casework.MeterInput{Serial: fmt.Sprintf("WH%08d", n), Seal: fmt.Sprintf("F%06d", n), Diameter: 50, Reading: 0, InstalledAt: now})
	case casework.TurnOnSupply:
		return plain(casework.SupplyInput{SuppliedAt: now, Pressure: 0.28})
	case casework.CompleteEntry:
		return Answer{Input: casework.EntryInput{}, Papers: []casework.DocumentKind{casework.PriceControlSheet}, Customer: true}
	case casework.AcceptMeter:
		if c.MeterFails {
			return plain(casework.MeterAcceptanceInput{Note: "表具渗漏，需更换"})
		}
		// The engineering side accepts with the hall (measures 2.2.6).
		return plain(casework.MeterAcceptanceInput{Passed: true, Witness: "eng-01"})
	case casework.OpenAccount:
		return plain(casework.AccountInput{AccountNumber: fmt.Sprintf("30%08d", n)})
	case casework.EnrolReading:
		return plain(casework.ReadingInput{Book: fmt.Sprintf("CB-%03d", n%1000), Cycle: "monthly"})
	case casework.Callback:
		return plain(callback(c, now))
	case casework.Rectify:
		return Answer{Input: casework.RectificationInput{Measures: "已上门修复路面并致歉", Evidence: c.EvidencePaper},
			Papers: []casework.DocumentKind{casework.Evidence}}
	case casework.HomeVisit:
		return plain(casework.HomeVisitInput{VisitedAt: now, Reasons: "施工当天未提前告知停水，已当面说明并致歉", Resolved: true})
	case casework.DesignUpgrade:
		return plain(casework.UpgradeDesignInput{Scheme: "沿路新建 DN200 球墨铸铁管", Diameter: 200, Length: 320})
	case casework.BuildUpgrade:
		return plain(casework.UpgradeBuildInput{BuiltAt: now})
	case casework.CommissionUpgrade:
		return plain(casework.UpgradeCommissionInput{CommissionedAt: now, Pressure: 0.32, WaterPassed: true})
	case casework.ReviewPause:
		if c.PauseGoesOn {
			return plain(casework.PauseReviewInput{Decision: casework.ContinuePause, PlannedEnd: now.AddDate(0, 0, 14), Note: "客户厂房仍在建设"})
		}
		return plain(casework.PauseReviewInput{Decision: casework.EndPause, Note: "客户已具备条件"})
	default:
		return serviceAnswer(t, c, n, now)
	}
}

func plain(input any) Answer { return Answer{Input: input} }

func assessment(c Choices) casework.AssessmentInput {
	a := casework.AssessmentInput{Result: casework.Adequate, MainDiameter: 300, Pressure: 0.32, Distance: 18, Source: "二水厂"}
	if c.Upgrade {
		a.Result, a.MainDiameter, a.Pressure, a.Plan = casework.UpgradeNeeded, 100, 0.16, "周边 DN100 管道压力不足，需改造为 DN200"
	}
	return a
}

func survey(c Choices, n int, now time.Time) casework.SurveyInput {
	if c.NotYet {
		return casework.SurveyInput{ConductedAt: now, CustomerPresent: true, NotYet: &casework.NotYet{
			Reason: "市政道路尚未完工，暂无接水条件", Explained: true, FollowUpOn: calendar.DateOf(now).AddDays(3)}}
	}
	return casework.SurveyInput{
		ConductedAt: now, Connectable: true, CustomerPresent: n%3 == 0, InformationChecked: true, ApplicationCompleted: true,
		Design:          &casework.Design{Atlas: fmt.Sprintf("WS-%02d", n%8+1), MeterDiameter: 50, PipeMaterial: "PE100", PipeLength: 35.5},
		DesignConfirmed: !c.DesignLater, Permits: c.Permits,
	}
}

func callback(c Choices, now time.Time) casework.CallbackInput {
	switch {
	case c.Unreached:
		return casework.CallbackInput{CalledAt: now}
	case c.Dissatisfied:
		return casework.CallbackInput{Reached: true, CalledAt: now, Satisfaction: casework.Dissatisfied, Comment: "路面恢复不平整",
			Responsible: casework.Department(casework.Engineering)}
	}
	return casework.CallbackInput{Reached: true, CalledAt: now, Satisfaction: casework.Satisfied}
}

func number(id string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id))
	return int(h.Sum32() % 1_000_000)
}
