package network

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/width"

	"github.com/curbstop/curbstop/casework"
)

// Read reads a register: GeoJSON (RFC 7946), or CSV in UTF-8 or GB18030 with a
// header. It is all or nothing: the Invalid [casework.Fault] of a file that is
// wrong names each line and field.
func Read(file []byte) (Register, error) {
	if err := casework.CheckZero(file); err != nil {
		return Register{}, err
	}
	r := reader{seen: map[string]int{}}
	plain := bytes.TrimSpace(bytes.TrimPrefix(file, []byte("\uFEFF")))
	switch {
	case len(plain) == 0:
		return Register{}, casework.Refuse(casework.Invalid, "empty_register", casework.Say("文件为空", "the file is empty"))
	case plain[0] == '{' || plain[0] == '[':
		r.geoJSON(file)
	default:
		r.csv(file)
	}
	if err := r.err(); err != nil {
		return Register{}, err
	}
	if len(r.register.Mains) == 0 {
		return Register{}, casework.Refuse(casework.Invalid, "empty_register", casework.Say("文件里没有管线", "there is no main in the file"))
	}
	if r.converted > 0 {
		r.register.Notes = append(r.register.Notes, casework.Sayf("%d 条管线由 GCJ-02 换算为 WGS84", "%d mains were converted from GCJ-02 to WGS84", r.converted))
	}
	return r.register, nil
}

// maxFaults is how many faults of a file are told; whoever mends those reads it
// again.
const maxFaults = 100

// reader gathers the mains of a file and what is wrong with it.
type reader struct {
	register  Register
	seen      map[string]int // lines of the numbers, by utility
	faults    []casework.FieldFault
	more      int
	converted int
}

func (r *reader) fault(line int, field string, text casework.Text) {
	if len(r.faults) == maxFaults {
		r.more++
		return
	}
	name := fmt.Sprintf("line %d", line)
	if field != "" {
		name += "." + field
	}
	r.faults = append(r.faults, casework.FieldFault{Field: name, Text: text})
}

func (r *reader) err() error {
	if len(r.faults) == 0 {
		return nil
	}
	text := casework.Say("管网文件有误，未导入任何内容；请按行修改后重新导入", "the file is wrong and nothing of it was imported; mend the lines and import it again")
	if r.more > 0 {
		text.ZH += fmt.Sprintf("（另有 %d 处未列出）", r.more)
		text.EN += fmt.Sprintf(" (%d more faults are not listed)", r.more)
	}
	return &casework.Fault{Kind: casework.Invalid, Code: "bad_register", Text: text, Fields: r.faults}
}

// field is something that a register says of a main.
type field string

// The fields, as they are called in a file, and as headers in Chinese.
const (
	fieldID       field = "id"
	fieldUtility  field = "utility"
	fieldDistrict field = "district"
	fieldState    field = "state"
	fieldMaterial field = "material"
	fieldDiameter field = "diameter"
	fieldPressure field = "pressure"
	fieldCapacity field = "capacity"
	fieldYear     field = "year"
	fieldGeometry field = "geometry"
	fieldSystem   field = "coordinates"
)

var headers = []struct {
	field    field
	names    []string // beside the field's own
	required bool     // in the header of a CSV file
}{
	{fieldID, []string{"管线编号"}, true},
	{fieldUtility, []string{"用能类型"}, true},
	{fieldDistrict, []string{"所属区县"}, true},
	{fieldState, []string{"状态"}, true},
	{fieldMaterial, []string{"管材"}, false},
	{fieldDiameter, []string{"管径(mm)", "管径"}, false},
	{fieldPressure, []string{"压力"}, false},
	{fieldCapacity, []string{"余量(立方米/日)", "余量"}, false},
	{fieldYear, []string{"年份"}, false},
	{fieldGeometry, []string{"走向"}, true},
	{fieldSystem, []string{"坐标系"}, false},
}

// fieldNamed finds the field that a header means.
func fieldNamed(header string) (field, bool) {
	written := strings.Join(strings.Fields(width.Fold.String(header)), "")
	for _, h := range headers {
		if strings.EqualFold(written, string(h.field)) || slices.Contains(h.names, written) {
			return h.field, true
		}
	}
	return "", false
}

func allowedHeaders() string {
	names := make([]string, len(headers))
	for i, h := range headers {
		names[i] = h.names[0] + " " + string(h.field)
	}
	return strings.Join(names, "、")
}

// take makes a main of what a line says. Its course comes with it, or is read
// from the text of a CSV file.
func (r *reader) take(line int, said map[field]string, lines []Line) {
	known := len(r.faults) + r.more
	m := Main{ID: said[fieldID], Material: said[fieldMaterial], Lines: lines}
	m.Utility = r.utility(line, said[fieldUtility])
	m.State = r.state(line, said[fieldState])
	m.District = r.district(line, said[fieldDistrict])
	m.Diameter = int(r.number(line, fieldDiameter, diameterForm, said[fieldDiameter]))
	m.Year = int(r.number(line, fieldYear, yearForm, said[fieldYear]))
	m.Pressure, m.Class = r.pressure(line, m.Utility, said[fieldPressure])
	if said[fieldCapacity] != "" {
		capacity := r.number(line, fieldCapacity, numberForm, said[fieldCapacity])
		m.Capacity = &capacity
	}
	if lines == nil {
		m.Lines = r.course(line, said[fieldGeometry])
	}
	gcj := r.system(line, said[fieldSystem])
	if len(r.faults)+r.more > known {
		return
	}
	if err := m.Check(); err != nil {
		for _, f := range casework.AsFault(err).Fields {
			r.fault(line, f.Field, f.Text)
		}
		return
	}
	if gcj {
		r.converted++
		for _, l := range m.Lines {
			for i := range l {
				l[i] = fromGCJ(l[i])
			}
		}
	}
	key := string(m.Utility) + " " + m.ID
	if before, twice := r.seen[key]; twice {
		r.fault(line, string(fieldID), casework.Sayf("管线编号 %s 与第 %d 行重复", "the number %s was used on line %d already", m.ID, before))
		return
	}
	r.seen[key] = line
	r.register.Mains = append(r.register.Mains, m)
}

func (r *reader) utility(line int, s string) casework.Utility {
	switch strings.ToLower(s) {
	case "water", "水", "用水", "给水", "供水":
		return casework.Water
	case "gas", "气", "用气", "燃气", "天然气":
		return casework.Gas
	}
	r.fault(line, string(fieldUtility), casework.Sayf("“%s”应为 water（水）或 gas（气）", "%q must be water (水) or gas (气)", s))
	return ""
}

func (r *reader) state(line int, s string) State {
	switch strings.ToLower(s) {
	case "in_service", "在用":
		return InService
	case "planned", "规划", "在建":
		return Planned
	case "abandoned", "废弃", "停用":
		return Abandoned
	}
	r.fault(line, string(fieldState), casework.Sayf("“%s”应为 in_service（在用）、planned（规划）或 abandoned（废弃）", "%q must be in_service (在用), planned (规划) or abandoned (废弃)", s))
	return ""
}

// district takes a code or a name.
func (r *reader) district(line int, s string) casework.District {
	d := casework.District(s)
	if d.Check() == nil {
		return d
	}
	d, err := casework.DistrictNamed(s)
	if err != nil {
		r.fault(line, string(fieldDistrict), casework.AsFault(err).Text)
	}
	return d
}

var (
	numberForm   = regexp.MustCompile(`^([+-]?\d+(?:\.\d+)?)$`)
	yearForm     = regexp.MustCompile(`^(\d{4})(?:\.0+)?年?$`)
	diameterForm = regexp.MustCompile(`(?i)^(?:DN|φ)?(\d{1,5})(?:\.0+)?(?:mm)?$`)
	waterForm    = regexp.MustCompile(`(?i)^(\d+(?:\.\d+)?)(mpa)?$`)
	gasForm      = regexp.MustCompile(`(?i)^(\d+(?:\.\d+)?)(kpa|mpa)$`)
)

// number reads a figure; an empty one is 0, not known.
func (r *reader) number(line int, f field, form *regexp.Regexp, s string) float64 {
	if s == "" {
		return 0
	}
	m := form.FindStringSubmatch(s)
	if m == nil {
		r.fault(line, string(f), casework.Sayf("“%s”不是数字", "%q is no number", s))
		return 0
	}
	v, _ := strconv.ParseFloat(m[1], 64) // the form has judged it
	return v
}

// pressure is in MPa for water. For gas it is a class, or a figure with its
// unit: a bare one could be either.
func (r *reader) pressure(line int, u casework.Utility, s string) (float64, Class) {
	if s == "" {
		return 0, ""
	}
	if u != casework.Gas {
		m := waterForm.FindStringSubmatch(s)
		if m == nil {
			r.fault(line, string(fieldPressure), casework.Sayf("水压“%s”应为 MPa 数值，如 0.32", "the pressure %q of a water main must be a figure in MPa, such as 0.32", s))
			return 0, ""
		}
		v, _ := strconv.ParseFloat(m[1], 64)
		return v, ""
	}
	switch strings.ToLower(s) {
	case "low", "低压":
		return 0, Low
	case "medium", "中压", "中压a", "中压b":
		return 0, Medium
	case "high", "高压", "次高压":
		return 0, High
	}
	m := gasForm.FindStringSubmatch(s)
	if m == nil {
		r.fault(line, string(fieldPressure), casework.Sayf("燃气压力“%s”应为 low（低压）、medium（中压）、high（高压），或带单位的数值，如 200kPa",
			"the pressure %q of a gas main must be low, medium or high, or a figure with its unit, such as 200kPa", s))
		return 0, ""
	}
	v, _ := strconv.ParseFloat(m[1], 64)
	if strings.EqualFold(m[2], "kpa") {
		v /= 1000
	}
	return v, ClassOf(v)
}

// system tells whether positions are in GCJ-02. CGCS2000 and WGS84 are the same
// within a few centimetres.
func (r *reader) system(line int, s string) (gcj bool) {
	name := strings.ToUpper(s)
	name = name[strings.LastIndexAny(name, ":/")+1:] // urn:ogc:def:crs:EPSG::4326
	switch strings.NewReplacer("-", "", "_", "", " ", "").Replace(name) {
	case "", "WGS84", "CRS84", "4326", "CGCS2000", "4490":
		return false
	case "GCJ02", "火星坐标":
		return true
	}
	r.fault(line, string(fieldSystem), casework.Sayf("不支持坐标系“%s”；可用 wgs84、cgcs2000 或 gcj02（自动换算）", "the coordinates %q are not supported; wgs84, cgcs2000, or gcj02, which is converted", s))
	return false
}

// course reads a course written as WKT (LINESTRING, MULTILINESTRING), or as
// positions set apart by semicolons.
func (r *reader) course(line int, s string) []Line {
	lines, ok := courseOf(s)
	if !ok {
		r.fault(line, string(fieldGeometry), casework.Say("走向应写作 LINESTRING(118.37 31.33, 118.38 31.33)，或 118.37 31.33;118.38 31.33（先经度后纬度）",
			"must be written LINESTRING(118.37 31.33, 118.38 31.33), or 118.37 31.33;118.38 31.33, longitude first"))
	}
	return lines
}

func courseOf(s string) (lines []Line, ok bool) {
	text := strings.ToUpper(strings.TrimSpace(s))
	separator := ","
	var parts []string
	switch {
	case text == "":
		return nil, false
	case strings.HasPrefix(text, "MULTILINESTRING"):
		inner, ok := within(strings.TrimSpace(strings.TrimPrefix(text, "MULTILINESTRING")))
		if !ok {
			return nil, false
		}
		for _, part := range strings.SplitAfter(inner, ")") {
			if part = strings.Trim(part, ", "); part == "" {
				continue
			}
			one, ok := within(part)
			if !ok {
				return nil, false
			}
			parts = append(parts, one)
		}
	case strings.HasPrefix(text, "LINESTRING"):
		inner, ok := within(strings.TrimSpace(strings.TrimPrefix(text, "LINESTRING")))
		if !ok {
			return nil, false
		}
		parts = []string{inner}
	default:
		parts, separator = []string{text}, ";"
	}
	for _, part := range parts {
		var l Line
		for place := range strings.SplitSeq(strings.Trim(part, separator+" "), separator) {
			p, ok := position(place)
			if !ok {
				return nil, false
			}
			l = append(l, p)
		}
		lines = append(lines, l)
	}
	return lines, true
}

func within(s string) (string, bool) {
	return strings.TrimSuffix(strings.TrimPrefix(s, "("), ")"), strings.HasPrefix(s, "(") && strings.HasSuffix(s, ")")
}

// position reads longitude and latitude; a height behind them is let go.
func position(s string) (casework.Position, bool) {
	figures := strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' || r == '\t' })
	if len(figures) < 2 || len(figures) > 3 {
		return casework.Position{}, false
	}
	lon, err := strconv.ParseFloat(figures[0], 64)
	lat, err2 := strconv.ParseFloat(figures[1], 64)
	return casework.Position{Lon: lon, Lat: lat}, err == nil && err2 == nil
}

// csv reads a table. The encoding is told by its first bytes that are not plain
// ASCII, which stand in the header where that is Chinese.
func (r *reader) csv(file []byte) {
	file = bytes.TrimPrefix(file, []byte("\uFEFF"))
	if !utf8.Valid(file) {
		decoded, err := simplifiedchinese.GB18030.NewDecoder().Bytes(file)
		if err != nil || bytes.ContainsRune(decoded, utf8.RuneError) {
			r.fault(1, "", casework.Say("无法识别文件编码；请另存为 CSV（UTF-8 或 GB18030）", "the file is neither UTF-8 nor GB18030; save it as CSV in one of these"))
			return
		}
		file = decoded
	}
	table := csv.NewReader(bytes.NewReader(file))
	table.FieldsPerRecord = -1
	table.TrimLeadingSpace = true
	header, err := table.Read()
	if err != nil {
		r.unreadable(err)
		return
	}
	columns := r.header(header)
	if columns == nil {
		return
	}
	for {
		cells, err := table.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			r.unreadable(err)
			return
		}
		line, _ := table.FieldPos(0)
		if len(cells) != len(columns) {
			r.fault(line, "", casework.Sayf("应有 %d 格，实有 %d 格", "the line should have %d cells, it has %d", len(columns), len(cells)))
			continue
		}
		said := map[field]string{}
		for i, f := range columns {
			said[f] = plainCell(cells[i])
		}
		r.take(line, said, nil)
	}
}

// plainCell is a cell as it is read: half-width, without blanks around it.
func plainCell(s string) string { return strings.TrimSpace(width.Fold.String(s)) }

func (r *reader) unreadable(err error) {
	line := 1
	if broken, ok := errors.AsType[*csv.ParseError](err); ok {
		line = broken.Line
	}
	r.fault(line, "", casework.Say("不是 CSV：引号不成对或位置不对", "no CSV: a quote is unpaired or out of place"))
}

// header gives the field of each column; nil where it is wrong.
func (r *reader) header(cells []string) []field {
	columns := make([]field, len(cells))
	for i, cell := range cells {
		f, known := fieldNamed(cell)
		switch {
		case !known:
			r.fault(1, strings.TrimSpace(cell), casework.Sayf("不认识的表头；可用：%s", "unknown header; allowed: %s", allowedHeaders()))
		case slices.Contains(columns[:i], f):
			r.fault(1, string(f), casework.Say("表头重复", "the header occurs twice"))
		}
		columns[i] = f
	}
	for _, h := range headers {
		if h.required && !slices.Contains(columns, h.field) {
			r.fault(1, string(h.field), casework.Sayf("缺少表头“%s”", "the header %q is missing", h.names[0]))
		}
	}
	if len(r.faults) > 0 {
		return nil
	}
	return columns
}

// feature is a feature of GeoJSON.
type feature struct {
	Type       string                     `json:"type"`
	ID         json.RawMessage            `json:"id"`
	Properties map[string]json.RawMessage `json:"properties"`
	Geometry   *struct {
		Type        string          `json:"type"`
		Coordinates json.RawMessage `json:"coordinates"`
	} `json:"geometry"`
}

// geoJSON reads a collection of features one by one, so that each is known by
// the line on which it begins. Coordinates are WGS84 (RFC 7946, section 4)
// unless the file says otherwise, in "crs" or in "coordinates" beside the
// features.
func (r *reader) geoJSON(file []byte) {
	file = bytes.TrimPrefix(file, []byte("\uFEFF"))
	var frame struct {
		Type        string                                      `json:"type"`
		Coordinates string                                      `json:"coordinates"`
		Features    *elements                                   `json:"features"`
		CRS         *struct{ Properties struct{ Name string } } `json:"crs"`
	}
	if err := json.Unmarshal(file, &frame); err != nil {
		r.fault(lineOfError(file, err), "", casework.Say("不是 GeoJSON：JSON 有误", "no GeoJSON: the JSON is broken"))
		return
	}
	if frame.Type != "FeatureCollection" || frame.Features == nil {
		r.fault(1, "type", casework.Say("GeoJSON 应为 FeatureCollection", "must be a FeatureCollection"))
		return
	}
	system := frame.Coordinates
	if system == "" && frame.CRS != nil {
		system = frame.CRS.Properties.Name
	}
	if r.system(1, system); len(r.faults) > 0 {
		return
	}
	at, line := 0, 1
	for _, raw := range frame.Features.list {
		// Each is found behind the one before it: the bytes are the file's own.
		start := at + max(bytes.Index(file[at:], raw), 0)
		line += bytes.Count(file[at:start], []byte("\n"))
		r.feature(line, system, raw)
		line += bytes.Count(raw, []byte("\n"))
		at = start + len(raw)
	}
}

// elements are the elements of a list as they stand in the file.
type elements struct{ list []json.RawMessage }

// UnmarshalJSON implements [json.Unmarshaler].
func (e *elements) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &e.list) }

func lineOfError(file []byte, err error) int {
	offset := int64(0)
	if broken, ok := errors.AsType[*json.SyntaxError](err); ok {
		offset = broken.Offset
	} else if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		offset = wrong.Offset
	}
	return 1 + bytes.Count(file[:min(int(offset), len(file))], []byte("\n"))
}

func (r *reader) feature(line int, system string, raw json.RawMessage) {
	var f feature
	if err := json.Unmarshal(raw, &f); err != nil || f.Type != "Feature" || f.Geometry == nil {
		r.fault(line, "", casework.Say("应为带 geometry 的 Feature", "must be a Feature with a geometry"))
		return
	}
	said := map[field]string{fieldSystem: system}
	for name, value := range f.Properties {
		known, ok := fieldNamed(name)
		if !ok || known == fieldGeometry {
			continue // systems export columns of their own, which are none of the register's
		}
		text, ok := scalar(value)
		if !ok {
			r.fault(line, string(known), casework.Say("应为文字或数字", "must be text or a number"))
			return
		}
		if known != fieldSystem || text != "" {
			said[known] = plainCell(text)
		}
	}
	if said[fieldID] == "" {
		said[fieldID], _ = scalar(f.ID)
	}
	lines := r.lines(line, f.Geometry.Type, f.Geometry.Coordinates)
	if lines == nil {
		return
	}
	r.take(line, said, lines)
}

func (r *reader) lines(line int, kind string, raw json.RawMessage) []Line {
	var courses [][][]float64
	var err error
	switch kind {
	case "LineString":
		courses = make([][][]float64, 1)
		err = json.Unmarshal(raw, &courses[0])
	case "MultiLineString":
		err = json.Unmarshal(raw, &courses)
	default:
		r.fault(line, string(fieldGeometry), casework.Sayf("“%s”应为 LineString 或 MultiLineString", "%q must be a LineString or MultiLineString", kind))
		return nil
	}
	lines := make([]Line, len(courses))
	for i, course := range courses {
		for _, place := range course {
			if len(place) < 2 {
				err = errors.New("a position has a longitude and a latitude")
				break
			}
			lines[i] = append(lines[i], casework.Position{Lon: place[0], Lat: place[1]})
		}
	}
	if err != nil || len(lines) == 0 {
		r.fault(line, string(fieldGeometry), casework.Say("坐标应为 [经度, 纬度] 的列表", "coordinates must be a list of [longitude, latitude]"))
		return nil
	}
	return lines
}

// scalar is a text or number as people would write it into a cell; nothing is
// empty.
func scalar(raw json.RawMessage) (string, bool) {
	if len(raw) == 0 || string(raw) == "null" {
		return "", true
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s, true
	}
	var n json.Number
	if json.Unmarshal(raw, &n) == nil {
		return n.String(), true
	}
	return "", false
}
