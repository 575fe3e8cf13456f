// Package drafts writes the documents that the system knows enough to write
// itself, so that nobody is asked for what the case already holds (measures
// part 2, section 2, item 5). They are HTML pages that print on A4 and need
// nothing from outside.
//
// The package is pure: the same case at the same time gives the same bytes,
// which lets an activity that drafts be repeated.
package drafts

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"time"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/reports"
)

//go:embed papers/*.html
var files embed.FS

// Each paper is the sheet, which has the look and the frame, with its own
// title and body: a file of its own that can be reworded without Go.
var (
	sheet = template.Must(template.New("sheet.html").Funcs(words).ParseFS(files, "papers/sheet.html", "papers/parts.html"))

	papers = map[casework.DocumentKind]*template.Template{
		casework.Booking:                paper("booking"),
		casework.NoticeOfAcceptance:     paper("notice_of_acceptance"),
		casework.MaterialRequisition:    paper("material_requisition"),
		casework.CommencementReport:     paper("commencement_report"),
		casework.AcceptanceConfirmation: paper("acceptance_confirmation"),
		casework.Briefing:               paper("briefing"),
		casework.Quotation:              paper("quotation"),
		casework.ConnectionContract:     paper("connection_contract"),
		casework.SupplyContract:         paper("supply_contract"),
		casework.CommissioningRecord:    paper("commissioning_record"),
	}
	printout = paper("printout")
)

func paper(name string) *template.Template {
	return template.Must(template.Must(sheet.Clone()).ParseFS(files, "papers/"+name+".html"))
}

// Write drafts a document of a case and names it, such as
// 受理通知单-W20261123-00001.html. A fact that is not known yet shows as a dash.
// A kind that people make, such as a drawing, is an error.
//
// The customer's contact stands in it in full: these are the customer's own
// papers. Who may open them is for the api to say.
func Write(kind casework.DocumentKind, k *casework.Case, now time.Time) (title string, html []byte, err error) {
	t, ok := papers[kind]
	if !ok {
		return "", nil, fmt.Errorf("drafts: %q is not a document that the system writes", kind)
	}
	html, err = fill(t, k, nil, reports.Clock{}, now)
	return kind.NameFor(k.Request.Utility) + "-" + k.Number + ".html", html, err
}

// Printout puts everything that is known of a case on paper: its facts, what
// is open and due, who held its clock, and its history by the events given. It
// holds personal data in full, and is for those who may see that.
func Printout(k *casework.Case, events []casework.Event, clock reports.Clock, now time.Time) ([]byte, error) {
	return fill(printout, k, events, clock, now)
}

// view is what the papers see of a case. Facts not known yet are zero instead
// of nil, so that a paper names a fact without asking for it first.
type view struct {
	*casework.Case
	Now    time.Time
	Events []casework.Event

	Limit calendar.Budget   // of the case's lane
	Clock casework.Deadline // of the lane, while it runs
	Held  reports.Clock     // who held the clock
	Flow  string            // what flows: 水 or 气
	Class casework.CustomerClass

	Quote              casework.Quote
	ConnectionContract casework.Contract
	SupplyContract     casework.Contract
	Commissioning      casework.CommissioningInput
	Remedy             casework.RemedyInput
	Card               casework.CardInput
	Tightness          casework.Tightness // that the policy asks for
	Checked            []string           // what was confirmed at commissioning

	Contacted     casework.ContactInput
	Assessment    casework.AssessmentInput
	Upgrade       casework.UpgradeFact
	Briefed       casework.BriefingInput
	Appointment   casework.AppointmentInput
	Survey        casework.SurveyInput
	NotYet        casework.NotYet
	Design        casework.Design
	Materials     casework.MaterialsInput
	SiteEntry     casework.SiteEntryInput
	Meter         casework.MeterInput
	Supply        casework.SupplyInput
	MeterAccepted casework.MeterAcceptanceInput
	Account       casework.AccountInput
	Reading       casework.ReadingInput
	UpgradeDesign casework.UpgradeDesignInput
	UpgradeBuild  casework.UpgradeBuildInput
	Commission    casework.UpgradeCommissionInput
}

func fill(t *template.Template, k *casework.Case, events []casework.Event, held reports.Clock, now time.Time) ([]byte, error) {
	lane, _ := k.Deadline(casework.LaneDeadline)
	survey := known(k.Survey)
	v := view{
		Case: k, Now: now, Events: events,
		Limit: k.Terms.Limits[k.LaneLimit()], Clock: known(lane), Held: held, Flow: k.Request.Utility.Flow(), Class: k.Request.Class(),
		Quote: known(k.Gas.Quote), ConnectionContract: known(k.Contract(casework.ConnectionContractKind)), SupplyContract: known(k.Contract(casework.SupplyContractKind)),
		Commissioning: known(k.Gas.Commissioning), Remedy: known(k.Gas.Remedy), Card: known(k.Gas.Card),
		Tightness: k.Terms.Gas.Class(k.Request.Class()).Tightness, Checked: k.Checklist(casework.CommissionSupply),
		Contacted: known(k.Contacted), Assessment: known(k.Assessment), Upgrade: known(k.Upgrade), Briefed: known(k.Briefed),
		Appointment: known(k.Appointment), Survey: survey, NotYet: known(survey.NotYet), Design: known(k.ChosenDesign()),
		Materials: known(k.Materials), SiteEntry: known(k.SiteEntry), Meter: known(k.Meter), Supply: known(k.Supply),
		MeterAccepted: known(k.MeterAccepted), Account: known(k.Account), Reading: known(k.Reading),
		UpgradeDesign: known(k.UpgradeWork.Design), UpgradeBuild: known(k.UpgradeWork.Build), Commission: known(k.UpgradeWork.Commission),
	}
	var b bytes.Buffer
	if err := t.Execute(&b, v); err != nil {
		return nil, fmt.Errorf("drafts: %w", err)
	}
	return b.Bytes(), nil
}

func known[T any](fact *T) (value T) {
	if fact != nil {
		value = *fact
	}
	return value
}
