package parklist

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/width"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

// reading is what one row says and what was made of it.
type reading struct {
	cells  [columnCount]string // trimmed; empty where the list has no such column
	notes  []cellNote
	faults []casework.FieldFault
}

// cellNote is a note on a cell; it holds only if the cell has no fault.
type cellNote struct {
	column column
	text   casework.Text
}

func (r *reading) note(c column, text casework.Text) {
	r.notes = append(r.notes, cellNote{c, text})
}

// fault records why a cell keeps the row. The first fault of a cell stands:
// what follows from it tells the clerk nothing new.
func (r *reading) fault(field string, text casework.Text) {
	if !slices.ContainsFunc(r.faults, func(f casework.FieldFault) bool { return f.Field == field }) {
		r.faults = append(r.faults, casework.FieldFault{Field: field, Text: text})
	}
}

// readAs notes how a cell was read, unless it was read as it is written.
func (r *reading) readAs(c column, canonical string) {
	if r.cells[c] != canonical {
		r.note(c, casework.Sayf("%s“%s”读作“%s”", "%s: %q was read as %q", headers[c], r.cells[c], canonical))
	}
}

// outcome gives notes and faults in the order of the columns.
func (r *reading) outcome() (notes []casework.Text, faults []casework.FieldFault) {
	place := func(field string) int { return slices.Index(headers[:], field) }
	slices.SortStableFunc(r.faults, func(a, b casework.FieldFault) int { return place(a.Field) - place(b.Field) })
	slices.SortStableFunc(r.notes, func(a, b cellNote) int { return int(a.column - b.column) })
	for _, n := range r.notes {
		if !slices.ContainsFunc(r.faults, func(f casework.FieldFault) bool { return f.Field == headers[n.column] }) {
			notes = append(notes, n.text)
		}
	}
	return notes, r.faults
}

// requests makes one request for each utility that the row asks for. Only
// where the reading has no faults afterwards are all of them valid.
func (r *reading) requests(list, ownNumber string) []casework.Request {
	if ownNumber == "" {
		r.fault(headers[number], casework.Say("请填写序号", "the row's number is missing"))
	}
	request := casework.Request{
		Channel:   casework.IndustrialPark,
		Applicant: casework.Applicant{Name: r.cells[applicant], CreditCode: r.creditCode()},
		Contact:   casework.Contact{Name: r.cells[contact], Phone: r.phone()},
		Site:      casework.Site{District: r.district(), Address: r.cells[address]},
		Demand: casework.Demand{
			Use: r.cells[use], DailyVolume: r.volume(), Diameter: r.diameter(), WantedOn: r.date(wantedOn),
			DigsRoad: r.yes(digsRoad), UsesGreen: r.yes(usesGreen),
		},
		Project: fold(r.cells[project]), Remark: r.cells[remark],
	}
	var requests []casework.Request
	for _, u := range r.utilities() {
		request := request
		request.Utility = u
		request.ExternalNumber = fmt.Sprintf("%s/%s/%s", list, ownNumber, u)
		request = request.Normalise()
		r.judge(request)
		requests = append(requests, request)
		if u == casework.Gas && request.Applicant.CreditCode == "" {
			r.note(creditCode, casework.Say("未填统一社会信用代码，用气容缺受理，签订合同前补齐",
				"no unified social credit code: gas is accepted all the same, the code is due before the contract"))
		}
	}
	return requests
}

// judge takes over what casework finds wrong with a request, under the header
// that the clerk sees.
func (r *reading) judge(request casework.Request) {
	fault, ok := errors.AsType[*casework.Fault](request.Validate())
	if !ok {
		return
	}
	for _, f := range fault.Fields {
		field := WholeLine
		if c, ok := columnOf[f.Field]; ok {
			field = headers[c]
		}
		r.fault(field, f.Text)
	}
}

// columnOf says from which column a field of a request comes.
var columnOf = map[string]column{
	"external_number": number, "applicant.name": applicant, "applicant.credit_code": creditCode,
	"contact.name": contact, "contact.phone": phone, "site.district": district, "site.address": address,
	"utility": utility, "demand.use": use, "demand.daily_volume": volume, "demand.diameter": diameter,
	"demand.wanted_on": wantedOn, "project": project, "remark": remark,
}

func (r *reading) creditCode() string {
	code := casework.NormaliseCreditCode(r.cells[creditCode])
	r.readAs(creditCode, code)
	return code
}

// phone notes that a number was read otherwise than it is written, but shows
// only its ends: notes are read by more people than the number is meant for.
func (r *reading) phone() string {
	digits := casework.NormalisePhone(r.cells[phone])
	if digits != r.cells[phone] && casework.CheckPhone(digits) == nil {
		r.note(phone, casework.Sayf("%[1]s去掉空格、短横线或全角字符后读作“%[2]s****%[3]s”",
			"%[1]s: without blanks, dashes and full-width digits read as \"%[2]s****%[3]s\"", headers[phone], digits[:3], digits[7:]))
	}
	return digits
}

func (r *reading) district() casework.District {
	d, err := casework.DistrictNamed(r.cells[district])
	if err != nil {
		r.fault(headers[district], casework.AsFault(err).Text)
	}
	return d
}

// utilities gives water before gas, whichever stands first.
func (r *reading) utilities() []casework.Utility {
	letters := strings.Map(func(c rune) rune {
		if strings.ContainsRune("、,，/和及 ", c) {
			return -1
		}
		return c
	}, fold(r.cells[utility]))
	switch letters {
	case "水":
		r.readAs(utility, "水")
		return []casework.Utility{casework.Water}
	case "气":
		r.readAs(utility, "气")
		return []casework.Utility{casework.Gas}
	case "水气", "气水":
		r.readAs(utility, "水、气")
		return []casework.Utility{casework.Water, casework.Gas}
	case "":
		r.fault(headers[utility], casework.Say("请填写用能类型：水，气，或 水、气", "the utility is missing: 水, 气 or 水、气"))
	default:
		r.fault(headers[utility], casework.Sayf("“%s”不在受理范围；可填：水，气，或 水、气",
			"%q is not served; allowed: 水, 气 or 水、气", r.cells[utility]))
	}
	return nil
}

var (
	// A quantity a day, with the words that people put around the figure.
	quantity = regexp.MustCompile(`^(?:每[天日])?(?:约|大约|大概)?(\d+|\d{1,3}(?:,\d{3})+)(\.\d+)?(?:立方米|立方|方|m3|m³)?(?:/[天日d]|每[天日])?(?:左右)?$`)
	caliber  = regexp.MustCompile(`^(?:DN|dn|Dn|φ|Φ)?(\d{1,4})(?:mm|MM|毫米)?$`)
	day      = regexp.MustCompile(`^(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})(?:日|号)?(?:0{1,2}:00(?::00)?)?$`)
	serial   = regexp.MustCompile(`^\d{5}$`)
)

// volume is in cubic metres a day; an empty cell is 0, "not known".
func (r *reading) volume() float64 {
	written := r.cells[volume]
	if written == "" {
		return 0
	}
	m := quantity.FindStringSubmatch(closeUp(written))
	if m == nil {
		r.fault(headers[volume], casework.Sayf("“%s”不是数量；请填每日立方米数，如 120", "%q is no quantity; give cubic metres a day, such as 120", written))
		return 0
	}
	v, err := strconv.ParseFloat(strings.ReplaceAll(m[1], ",", "")+m[2], 64)
	if err != nil {
		r.fault(headers[volume], casework.Sayf("“%s”太大", "%q is too large", written))
		return 0
	}
	r.readAs(volume, strconv.FormatFloat(v, 'f', -1, 64))
	return v
}

// diameter is in millimetres; an empty cell is 0, "not known".
func (r *reading) diameter() int {
	written := r.cells[diameter]
	if written == "" {
		return 0
	}
	m := caliber.FindStringSubmatch(closeUp(written))
	if m == nil {
		r.fault(headers[diameter], casework.Sayf("“%s”不是口径；请填毫米数，如 100", "%q is no diameter; give millimetres, such as 100", written))
		return 0
	}
	d, _ := strconv.Atoi(m[1]) // four digits at most
	r.readAs(diameter, strconv.Itoa(d))
	return d
}

// date reads the forms in use in offices, and the day numbers that remain
// where a spreadsheet lost the format of a cell. An empty cell is no date.
func (r *reading) date(c column) calendar.Date {
	written := r.cells[c]
	if written == "" {
		return calendar.Date{}
	}
	d, how := dateOf(written)
	switch how {
	case dayNumber:
		r.note(c, casework.Sayf("%s“%s”按电子表格日期序号读作“%s”", "%s: %q was read as a spreadsheet's day number, %q", headers[c], written, d))
	case dateWritten:
		r.readAs(c, d.String())
	case noDate:
		r.fault(headers[c], casework.Sayf("“%s”不是日期；请填如 2026-12-08", "%q is no date; write it like 2026-12-08", written))
	}
	return d
}

// dating says how a date was found in a text.
type dating int

const (
	noDate dating = iota
	dateWritten
	dayNumber // the count of a spreadsheet
)

func dateOf(written string) (calendar.Date, dating) {
	plain := closeUp(written)
	if serial.MatchString(plain) {
		n, _ := strconv.Atoi(plain) // five digits
		if d := dayOne.AddDays(n); d.Year >= firstYear && d.Year <= lastYear {
			return d, dayNumber
		}
	}
	if m := day.FindStringSubmatch(plain); m != nil {
		d, err := calendar.ParseDate(fmt.Sprintf("%s-%02s-%02s", m[1], m[2], m[3]))
		if err == nil && d.Year >= firstYear && d.Year <= lastYear {
			return d, dateWritten
		}
	}
	return calendar.Date{}, noDate
}

// A date of a connection outside these years is a slip of the pen.
const firstYear, lastYear = 2000, 2099

// dayOne is day 0 of the spreadsheets' count: they take 1900 for a leap year,
// so that from March 1900 the count fits from this day (ECMA-376, part 1,
// section 18.17.4, the 1900 date system).
var dayOne = calendar.Date{Year: 1899, Month: 12, Day: 30}

// yes reads 是 or 否; an empty cell is no.
func (r *reading) yes(c column) bool {
	switch r.cells[c] {
	case "是":
		return true
	case "否", "":
	default:
		r.fault(headers[c], casework.Sayf("“%s”应为 是 或 否", "%q should be 是 (yes) or 否 (no)", r.cells[c]))
	}
	return false
}

// fold makes full-width characters half-width and trims blanks.
func fold(s string) string { return strings.TrimSpace(width.Fold.String(s)) }

// closeUp is fold without any blanks.
func closeUp(s string) string { return strings.Join(strings.Fields(fold(s)), "") }

// register remembers numbers and requests of the rows before, as fingerprints,
// so that a long list takes little memory.
type register map[[16]byte]earlier

type earlier struct {
	number string
	line   int
}

// recognise keeps a row whose number or request came before, and remembers
// both. A row that was itself kept counts as coming before: once it is mended,
// the request would be there twice. A number that comes twice would make the
// second row look like the first one sent again, and so be lost.
func (seen register) recognise(r *reading, requests []casework.Request, here earlier) {
	here.number = strings.Clone(here.number) // a part of the row's text would keep all of it alive
	if here.number != "" {
		if before, ok := seen.before(here, "number", here.number); ok {
			r.fault(headers[number], casework.Sayf("序号%s与第%d行重复", "number %s was used on line %d already", here.number, before.line))
		}
	}
	for _, q := range requests {
		site := closeUp(q.Site.Address)
		who := [...]string{"code " + q.Applicant.CreditCode, "name " + closeUp(q.Applicant.Name)}
		for _, w := range who {
			if site == "" || strings.HasSuffix(w, " ") {
				continue
			}
			if before, ok := seen.before(here, w, site, string(q.Utility)); ok {
				r.fault(WholeLine, casework.Sayf("与序号%s（第%d行）是同一申请：单位、用能地址、用能类型都相同",
					"the same request as number %s (line %d): applicant, address and utility are the same", before.number, before.line))
			}
		}
	}
}

// before tells where the parts came first; if that is here, it remembers so.
func (seen register) before(here earlier, parts ...string) (earlier, bool) {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	key := [16]byte(sum[:])
	first, ok := seen[key]
	if !ok {
		seen[key] = here
	}
	return first, ok
}
