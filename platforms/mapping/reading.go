package mapping

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/width"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

// The fields of ours that a request may be read from. A layout for requests
// allows them; what makes a request must be mapped.
var requestFields = []string{
	"key!", "project", "utility", "service", "applicant.kind", "applicant.name!", "applicant.credit_code",
	"resident_id", "contact.name!", "contact.phone!", "site.district", "site.address!",
	"demand.use", "demand.daily_volume", "demand.diameter", "demand.wanted_on", "demand.build_from", "demand.build_to",
	"demand.digs_road", "demand.occupies_way", "demand.uses_green", "remark",
}

// RequestFields are the fields of ours that a layout of requests may map; with
// what an adapter reads besides.
func RequestFields(besides ...string) []string {
	return append(slices.Clone(requestFields), besides...)
}

// Optional are the fields of a layout of which some need not be mapped.
func Optional(fields []string, may ...string) []string {
	all := slices.Clone(fields)
	for i, f := range all {
		if bare := strings.TrimSuffix(f, "!"); slices.Contains(may, bare) {
			all[i] = bare
		}
	}
	return all
}

// RequestCodes are the tables of codes that requests are read with; with what
// an adapter needs besides.
func RequestCodes(besides map[string]func(string) error) map[string]func(string) error {
	codes := map[string]func(string) error{
		"site.district": IsDistrict, "utility": IsUtility, "service": IsService, "applicant.kind": IsApplicantKind,
		"demand.use": IsText, "demand.diameter": IsDiameter, "truth": IsTruth, Document: IsDocument,
	}
	maps.Copy(codes, besides)
	return codes
}

// Reading reads one message by a layout. Nothing stops it: it collects the
// faults of all fields, each under the sender's own name of the field.
type Reading struct {
	file   *File
	layout Layout
	root   *Value
	prefix string            // of the sender's names in faults: where root stands in the message
	from   map[string]string // our field → theirs that it was read from
	notes  []fieldNote
	faults []casework.FieldFault
}

type fieldNote struct {
	field string
	text  casework.Text
}

// Read begins to read a message by a layout.
func (f *File) Read(layout string, root *Value) *Reading {
	return &Reading{file: f, layout: f.layouts[layout], root: root, from: map[string]string{}}
}

// Below says where in the message the root of the reading stands.
func (r *Reading) Below(path string) *Reading {
	r.prefix = path
	return r
}

// FieldOf gives the sender's name of a field of ours: of the one that was
// read, or the first that could have been.
func (r *Reading) FieldOf(field string) string {
	switch from := r.layout.Fields[field]; {
	case r.from[field] != "":
		return Join(r.prefix, r.from[field])
	case len(from) > 0:
		return Join(r.prefix, from[0])
	case field == "site.district": // looked for in the address
		return r.FieldOf("site.address")
	}
	return Join(r.prefix, field)
}

// Fault records why a field keeps the message. The first fault of a field
// stands: what follows from it tells nobody anything new.
func (r *Reading) Fault(field string, t casework.Text) { r.faultAt(r.FieldOf(field), t) }

// FaultAt is Fault for a field of theirs that is none of ours.
func (r *Reading) FaultAt(path string, t casework.Text) { r.faultAt(Join(r.prefix, path), t) }

func (r *Reading) faultAt(name string, t casework.Text) {
	if !slices.ContainsFunc(r.faults, func(f casework.FieldFault) bool { return f.Field == name }) {
		r.faults = append(r.faults, casework.FieldFault{Field: name, Text: t})
	}
}

// Adopt takes over the faults of the reading of a part.
func (r *Reading) Adopt(part *Reading) {
	for _, f := range part.faults {
		r.faultAt(f.Field, f.Text)
	}
}

// Err is nil, or the fault with every field that could not be understood.
func (r *Reading) Err() error {
	var c casework.Check
	for _, f := range r.faults {
		c.Field(f.Field, f.Text)
	}
	return notUnderstood(&c)
}

// Notes say what was read otherwise than it was written.
func (r *Reading) Notes() []casework.Text {
	var notes []casework.Text
	for _, n := range r.notes {
		notes = append(notes, n.text)
	}
	return notes
}

// Note adds a note on a field.
func (r *Reading) Note(field string, t casework.Text) {
	if !slices.ContainsFunc(r.notes, func(n fieldNote) bool { return n.field == field }) {
		r.notes = append(r.notes, fieldNote{field, t})
	}
}

// readAs notes how a field was read, unless it was read as it is written.
func (r *Reading) readAs(field, written, canonical string) {
	if written != canonical {
		r.Note(field, casework.Sayf("%s“%s”读作“%s”", "%s: %q was read as %q", r.FieldOf(field), written, canonical))
	}
}

// value finds the part of the message that holds a field of ours.
func (r *Reading) value(field string) *Value {
	for _, path := range r.layout.Fields[field] {
		if v := r.root.At(path); !v.Silent() {
			r.from[field] = path
			return v
		}
	}
	return nil
}

// Part is the part of the message that holds a field of ours, for what is no
// single text.
func (r *Reading) Part(field string) *Value { return r.value(field) }

// Text reads a text; a number is taken as it is written.
func (r *Reading) Text(field string) string {
	v := r.value(field)
	if v == nil {
		return r.layout.Always[field]
	}
	if v.kind != text && v.kind != number {
		r.Fault(field, casework.Say("应为文字", "it should be a text"))
		return ""
	}
	v.read = true
	return v.Text()
}

// Required is Text for a field that must say something.
func (r *Reading) Required(field string) string {
	t := r.Text(field)
	if t == "" {
		r.Fault(field, casework.Say("不能为空", "it is missing"))
	}
	return t
}

// maxKey is how long the sender's own number may be, in characters, with room
// for what is put behind it.
const maxKey = 80

// Key reads the sender's own number of a thing.
func (r *Reading) Key(field string) string {
	key := r.Required(field)
	if len([]rune(key)) > maxKey {
		r.Fault(field, casework.Sayf("编号过长，最多 %d 个字", "too long: at most %d characters", maxKey))
	}
	return key
}

// Code reads a code by its table. Of several fields that may say it the first
// holds whose code is known; where none is known, the first is at fault. An
// empty answer without a fault means that nothing was said.
func (r *Reading) Code(field, table string) string {
	first := ""
	for _, path := range r.layout.Fields[field] {
		v := r.root.At(path)
		if v.Silent() {
			continue
		}
		if !v.Scalar() {
			r.faultAt(Join(r.prefix, path), casework.Say("应为代码", "it should be a code"))
			return ""
		}
		if meaning, ok := r.file.Code(table, v.Text()); ok {
			v.read = true
			r.from[field] = path
			return meaning
		}
		if first == "" {
			first = path
		}
	}
	if first == "" {
		return r.layout.Always[field]
	}
	r.from[field] = first
	r.Fault(field, casework.Sayf("“%s”不在代码表中；可用：%s", "%q is not in the table of codes; allowed: %s",
		r.root.At(first).Text(), strings.Join(r.file.Table(table), "、")))
	return ""
}

// District reads a division by its code, or by its name as people write it.
// Where the message names none, it is looked for in the address, if that names
// exactly one.
func (r *Reading) District(field, address string) casework.District {
	first := ""
	for _, path := range r.layout.Fields[field] {
		v := r.root.At(path)
		if v.Silent() {
			continue
		}
		d, found, fault := r.district(v.Text())
		if found {
			v.read = true
			r.from[field] = path
			if fault != nil {
				r.Fault(field, fault.Text)
				return ""
			}
			if d != "" {
				return d
			}
			continue // the city as a whole: perhaps another field says more
		}
		if first == "" {
			first = path
		}
	}
	if first != "" {
		r.from[field] = first
		_, err := casework.DistrictNamed(r.root.At(first).Text())
		r.Fault(field, casework.AsFault(err).Text)
		return ""
	}
	if d := districtIn(address); d != "" {
		r.Note(field, casework.Sayf("区县“%s”取自地址", "the district %q was taken from the address", d.Name()))
		return d
	}
	return casework.District(r.layout.Always[field])
}

// district reads one text as a division. Codes of towns and streets below a
// district, and those written out to twelve digits, begin with the district's.
// A division that is known but abolished comes with the fault that names its
// successor.
func (r *Reading) district(written string) (d casework.District, found bool, fault *casework.Fault) {
	code := fold(written)
	for _, c := range []string{code, code[:min(6, len(code))]} {
		if meaning, ok := r.file.codes["site.district"][c]; ok && (len(code) <= 6 || len(code) == 9 || len(code) == 12) {
			d := casework.District(meaning)
			if meaning == "" {
				return "", true, nil
			}
			if err := d.Check(); err != nil {
				return "", true, casework.AsFault(err)
			}
			return d, true, nil
		}
	}
	named, err := casework.DistrictNamed(written)
	if err == nil {
		return named, true, nil
	}
	if f := casework.AsFault(err); f.Code == "abolished_district" {
		return "", true, f
	}
	return "", false, nil
}

// districtIn finds the one division of today that an address names in full.
func districtIn(address string) casework.District {
	var found casework.District
	for _, d := range casework.Wuhu().Divisions {
		if d.Successor == "" && strings.Contains(address, d.Name) {
			if found != "" {
				return ""
			}
			found = d.Code
		}
	}
	return found
}

// Truth reads yes or no by the table of truths; nothing said is no.
func (r *Reading) Truth(field string) bool { return r.Code(field, "truth") == yes }

// Phone reads a number to call. A note shows only its ends: notes are read by
// more people than the number is meant for.
func (r *Reading) Phone(field string) string {
	written := r.Text(field)
	digits := casework.NormalisePhone(written)
	if digits != written && casework.CheckPhone(digits) == nil {
		r.Note(field, casework.Sayf("%[1]s去掉空格、短横线或全角字符后读作“%[2]s****%[3]s”",
			"%[1]s: without blanks, dashes and full-width digits read as \"%[2]s****%[3]s\"", r.FieldOf(field), digits[:3], digits[7:]))
	}
	return digits
}

// Mobile is Phone for a field that must hold a mobile number if it says anything.
func (r *Reading) Mobile(field string) string {
	digits := r.Phone(field)
	if digits != "" {
		r.Nested(field, casework.CheckPhone(digits))
	}
	return digits
}

// CreditCode reads a unified social credit code.
func (r *Reading) CreditCode(field string) string {
	written := r.Text(field)
	code := casework.NormaliseCreditCode(written)
	r.readAs(field, written, code)
	return code
}

// ResidentID reads the number of an identity card. It is no note's matter how
// it was written: notes are read by more people than the number is meant for.
func (r *Reading) ResidentID(field string) string {
	id := casework.NormaliseCreditCode(r.Text(field)) // the same plain spelling
	if id != "" {
		r.Nested(field, casework.CheckResidentID(id))
	}
	return id
}

// residentIDs judges every number of an identity card that a message brings,
// whoever it belongs to. We have no field for them: they stay where they are.
func (r *Reading) residentIDs(field string) {
	for _, path := range r.layout.Fields[field] {
		if v := r.root.At(path); !v.Silent() {
			if err := casework.CheckResidentID(v.Text()); err != nil {
				r.faultAt(Join(r.prefix, path), casework.AsFault(err).Text)
			}
		}
	}
}

// Nested takes a refusal over under the sender's name of a field.
func (r *Reading) Nested(field string, err error) {
	if err != nil {
		r.Fault(field, casework.AsFault(err).Text)
	}
}

// Limit refuses a text that is longer than people write.
func (r *Reading) Limit(field, text string, characters int) {
	if len([]rune(text)) > characters {
		r.Fault(field, casework.Sayf("文字过长，最多 %d 个字", "too long: at most %d characters", characters))
	}
}

// Content reads bytes in Base64; a data URL ("image/png;base64,…") names its
// type.
func (r *Reading) Content(field string) (content []byte, contentType string) {
	v := r.value(field)
	if v == nil {
		return nil, ""
	}
	content, contentType, err := Content(v)
	if err != nil {
		r.Fault(field, casework.AsFault(err).Text)
	}
	return content, contentType
}

// Content decodes a text of Base64, with or without the type in front. What was
// decoded to the last bit is spent: it need not be kept beside its bytes.
func Content(v *Value) (content []byte, contentType string, err error) {
	written := v.Text()
	bare := strings.TrimPrefix(written, "data:")
	plain, typed := bare, false
	if before, after, found := strings.Cut(bare, ";base64,"); found {
		contentType, plain, typed = before, after, true
	}
	plain = oneLine.Replace(plain)
	content, err = base64.StdEncoding.DecodeString(plain)
	if err != nil || v.kind != text || plain == "" {
		return nil, "", casework.Refuse(casework.Invalid, "bad_base64", casework.Say("不是有效的 Base64 内容", "not valid Base64"))
	}
	if base64.StdEncoding.EncodeToString(content) == plain && (typed || bare == written) {
		v.spent = true
	}
	return content, contentType, nil
}

// oneLine takes away the ends of lines at which mail programs break Base64.
var oneLine = strings.NewReplacer("\r", "", "\n", "")

var (
	quantity = regexp.MustCompile(`^(?:约)?(\d{1,9}(?:\.\d{1,6})?)(?:立方米|立方|方|m3|m³)?(?:/[天日d])?$`)
	caliber  = regexp.MustCompile(`^(?:DN|dn|Dn|φ|Φ)?(\d{1,4})(?:mm|MM|毫米)?$`)
	day      = regexp.MustCompile(`^(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?$`)
	moment   = regexp.MustCompile(`^(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?[T ]?(\d{1,2})[:时](\d{2})(?:[:分](\d{2})(?:\.\d{1,9})?秒?|分)?$`)
	digits   = regexp.MustCompile(`^\d+$`)
)

// Quantity reads a number that is not negative; nothing said is 0.
func (r *Reading) Quantity(field string) float64 {
	written := r.Text(field)
	if written == "" {
		return 0
	}
	m := quantity.FindStringSubmatch(closeUp(written))
	if m == nil {
		r.Fault(field, casework.Sayf("“%s”不是数量；请填数字，如 120", "%q is no quantity; give a number, such as 120", written))
		return 0
	}
	q, _ := strconv.ParseFloat(m[1], 64) // nine digits at most
	r.readAs(field, written, strconv.FormatFloat(q, 'f', -1, 64))
	return q
}

// Diameter reads a nominal diameter in millimetres, by its table or as people
// write it (DN100); nothing said is 0.
func (r *Reading) Diameter(field string) int {
	written := r.Text(field)
	if written == "" {
		return 0
	}
	plain := closeUp(written)
	if known, ok := r.file.Code("demand.diameter", plain); ok {
		plain = known
	}
	m := caliber.FindStringSubmatch(plain)
	if m == nil {
		r.Fault(field, casework.Sayf("“%s”不是口径；如 DN100", "%q is no diameter; write it like DN100", written))
		return 0
	}
	d, _ := strconv.Atoi(m[1]) // four digits at most
	r.readAs(field, written, strconv.Itoa(d))
	return d
}

// Use reads what the supply is for: by its table if that knows the word, as it
// is written if not.
func (r *Reading) Use(field string) string {
	written := r.Text(field)
	if known, ok := r.file.Code("demand.use", written); ok && known != written {
		r.readAs(field, written, known)
		return known
	}
	return written
}

// Time reads a moment, in Asia/Shanghai unless it names its zone; nothing said
// is the zero time.
func (r *Reading) Time(field string) time.Time {
	written := r.Text(field)
	if written == "" {
		return time.Time{}
	}
	t, ok := parseTime(written)
	if !ok {
		r.Fault(field, casework.Sayf("“%s”不是时间；请填如 2026-11-20 09:00:00", "%q is no time; write it like 2026-11-20 09:00:00", written))
		return time.Time{}
	}
	return t
}

// Day reads a date, or the date of a moment.
func (r *Reading) Day(field string) calendar.Date {
	written := r.Text(field)
	if written == "" {
		return calendar.Date{}
	}
	t, ok := parseTime(written)
	if !ok {
		r.Fault(field, casework.Sayf("“%s”不是日期；请填如 2026-12-08", "%q is no date; write it like 2026-12-08", written))
		return calendar.Date{}
	}
	d := calendar.DateOf(t)
	if !strings.HasPrefix(written, d.String()) || !strings.HasSuffix(written, "00:00:00") { // as databases write a date
		r.readAs(field, written, d.String())
	}
	return d
}

// A date of a request outside these years is a slip of the pen.
const firstYear, lastYear = 2000, 2099

func parseTime(written string) (time.Time, bool) {
	plain := strings.Join(strings.Fields(fold(written)), " ")
	var t time.Time
	var err error
	switch m := moment.FindStringSubmatch(plain); {
	case m != nil:
		seconds := m[6]
		if seconds == "" {
			seconds = "0"
		}
		t, err = time.ParseInLocation("2006-1-2 15:4:5", fmt.Sprintf("%s-%s-%s %s:%s:%s", m[1], m[2], m[3], m[4], m[5], seconds), calendar.Shanghai)
	case day.MatchString(plain):
		m := day.FindStringSubmatch(plain)
		t, err = time.ParseInLocation("2006-1-2", m[1]+"-"+m[2]+"-"+m[3], calendar.Shanghai)
	case digits.MatchString(plain):
		t, err = parseDigits(plain)
	default:
		t, err = time.Parse(time.RFC3339Nano, plain)
	}
	t = t.In(calendar.Shanghai)
	return t, err == nil && t.Year() >= firstYear && t.Year() <= lastYear
}

// parseDigits reads a moment that is written without anything between its
// digits: a day, a second, or a count of seconds or milliseconds since 1970.
func parseDigits(plain string) (time.Time, error) {
	switch len(plain) {
	case 8:
		return time.ParseInLocation("20060102", plain, calendar.Shanghai)
	case 14:
		return time.ParseInLocation("20060102150405", plain, calendar.Shanghai)
	case 10:
		n, err := strconv.ParseInt(plain, 10, 64)
		return time.Unix(n, 0), err
	case 13:
		n, err := strconv.ParseInt(plain, 10, 64)
		return time.UnixMilli(n), err
	}
	return time.Time{}, errors.New("no time has so many digits")
}

// fold makes full-width characters half-width and trims blanks.
func fold(s string) string { return strings.TrimSpace(width.Fold.String(s)) }

// closeUp is fold without any blanks.
func closeUp(s string) string { return strings.Join(strings.Fields(fold(s)), "") }

// Request reads a connection request; its utility may be given where the
// message does not say it in one place. The request is normalised and judged;
// its Extra is put in by [Reading.Keep], when the whole item is known.
func (r *Reading) Request(channel casework.Channel, utility casework.Utility, lead bool) casework.Request {
	q := casework.Request{
		Utility: utility, Channel: channel, Lead: lead, ExternalNumber: r.Key("key"),
		Applicant: casework.Applicant{Name: r.Text("applicant.name")},
		Contact:   casework.Contact{Name: r.Text("contact.name"), Phone: r.Phone("contact.phone")},
		Site:      casework.Site{Address: r.Text("site.address")},
		Demand: casework.Demand{
			Use: r.Use("demand.use"), DailyVolume: r.Quantity("demand.daily_volume"), Diameter: r.Diameter("demand.diameter"),
			WantedOn: r.Day("demand.wanted_on"), BuildFrom: r.Day("demand.build_from"), BuildTo: r.Day("demand.build_to"),
			DigsRoad: r.Truth("demand.digs_road"), OccupiesWay: r.Truth("demand.occupies_way"), UsesGreen: r.Truth("demand.uses_green"),
		},
		Remark: r.Text("remark"), Project: r.Text("project"),
	}
	if q.Applicant.Person = r.Code("applicant.kind", "applicant.kind") == person; q.Applicant.Person {
		r.ResidentID("applicant.credit_code") // the same field holds the number of a person's card
		if v := r.value("applicant.credit_code"); v != nil {
			v.read = false
		}
	} else {
		q.Applicant.CreditCode = r.organisation()
	}
	if q.Site.Address != "" && r.from["site.address"] == "" {
		r.Note("site.address", casework.Say("来件没有用能地址，联系客户时补录", "the message has no address; it is asked for when the customer is contacted"))
	}
	q.Site.District = r.District("site.district", q.Site.Address)
	r.residentIDs("resident_id")
	q = q.Normalise()
	r.judge(q)
	return q
}

// organisation reads the credit code of an organisation. Some senders put the
// number of a person's card there: that is no credit code, and stays where it is.
func (r *Reading) organisation() string {
	code := r.CreditCode("applicant.credit_code")
	if code != "" && casework.CheckCreditCode(code) != nil && casework.CheckResidentID(code) == nil {
		r.value("applicant.credit_code").read = false
		r.notes = slices.DeleteFunc(r.notes, func(n fieldNote) bool { return n.field == "applicant.credit_code" })
		r.Note("applicant.credit_code", casework.Sayf("%s是身份证号码，不是统一社会信用代码", "%s is the number of an identity card and no credit code", r.FieldOf("applicant.credit_code")))
		return ""
	}
	return code
}

// judge takes over what casework finds wrong with a request under the sender's
// names. The utility is the caller's to judge, who may have read it from
// several fields.
func (r *Reading) judge(q casework.Request) {
	fault, ok := errors.AsType[*casework.Fault](q.Validate())
	if !ok {
		return
	}
	for _, f := range fault.Fields {
		if f.Field != "utility" {
			r.Fault(f.Field, f.Text)
		}
	}
}

// Extra is what the message says beyond the item.
func (r *Reading) Extra(item any) map[string]json.RawMessage { return r.root.Rest(item) }

// Account reads what a request about an account says beside its holder's data:
// which service, of which utility, at which address.
func (r *Reading) Account(service casework.CaseKind, channel casework.Channel) casework.ServiceRequest {
	s := casework.ServiceRequest{
		Service: service, Utility: casework.Utility(r.Code("utility", "utility")), Channel: channel, ExternalNumber: r.Key("key"),
		Address: r.Text("site.address"), Account: r.Text("account"), Reason: r.Text("reason"),
	}
	s.District = r.District("site.district", s.Address)
	if !s.Utility.Valid() {
		r.Fault("utility", casework.Say("请填写用能类型", "the utility is missing"))
	}
	if s.District != "" {
		r.Nested("site.district", s.District.Check())
	}
	r.Limit("account", s.Account, maxKey)
	r.Limit("site.address", s.Address, maxName)
	r.Limit("reason", s.Reason, maxText)
	return s
}

// Applicant reads who applies as the holder of an account.
func (r *Reading) Applicant() casework.AccountHolder {
	h := casework.AccountHolder{Name: r.Text("applicant.name"), Phone: r.Mobile("contact.phone")}
	r.Limit("applicant.name", h.Name, maxName)
	if r.Code("applicant.kind", "applicant.kind") == person {
		h.ResidentID = r.ResidentID("applicant.credit_code")
	} else if h.CreditCode = r.CreditCode("applicant.credit_code"); h.CreditCode != "" {
		r.Nested("applicant.credit_code", casework.CheckCreditCode(h.CreditCode))
	}
	return h
}

// Holder reads a holder of an account.
func (r *Reading) Holder(field string) casework.AccountHolder {
	h := casework.AccountHolder{Name: r.Text(field + ".name"), Phone: r.Mobile(field + ".phone")}
	r.Limit(field+".name", h.Name, maxName)
	switch number := casework.NormaliseCreditCode(r.Text(field + ".number")); {
	case number == "":
	case number[0] == '9' && casework.CheckCreditCode(number) == nil:
		h.CreditCode = number
	default:
		h.ResidentID = r.ResidentID(field + ".number")
	}
	return h
}

// Limits of free text in characters, as those of requests.
const (
	maxName = 200
	maxText = 2000
)

// AccountFields are the fields of ours that a layout of requests about an
// account may map.
func AccountFields(besides ...string) []string {
	return append([]string{
		"key!", "utility!", "account", "site.district", "site.address", "reason",
		"holder.name", "holder.phone", "holder.number", "new_holder.name", "new_holder.phone", "new_holder.number",
	}, besides...)
}
