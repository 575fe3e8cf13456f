package parklist

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/curbstop/curbstop/casework"
)

// ReadPlots gives the rows of a list of planned plots (规划地块) one by one, as
// [Read] gives those of a list of requests. Each plot is a lead for each utility
// that the row names, or, where it names none, for each that is served. A plot is
// opened once for a utility, in whichever list it comes.
func ReadPlots(r io.Reader, o Options, served []casework.Utility) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		l := list{seen: register{}}
		columns, err := l.openPlots(r, o)
		if err != nil {
			yield(Row{}, err)
			return
		}
		for rows := 0; ; rows++ {
			row, err := l.nextPlot(columns, served)
			if errors.Is(err, io.EOF) && rows > 0 {
				return
			}
			if errors.Is(err, io.EOF) {
				err = empty()
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}

// openPlots reads the header of a list of plots.
func (l *list) openPlots(r io.Reader, o Options) ([]int, error) {
	header, err := l.begin(r, o)
	if err != nil {
		return nil, err
	}
	return columnsOf(header.cells, plotHeaders[:], int(plotOptional))
}

// nextPlot gives the next row, or io.EOF.
func (l *list) nextPlot(columns []int, served []casework.Utility) (Row, error) {
	row, cells, err := l.cells(len(columns))
	if err != nil || cells == nil {
		return row, err
	}
	var said plotReading
	for i, c := range columns {
		row.Cells = append(row.Cells, Cell{Header: plotHeaders[c], Text: cells[i]})
		said.cells[c] = strings.TrimSpace(cells[i])
	}
	row.Number = fold(said.cells[plotNumber])
	said.read(served)
	said.recognise(l.seen, row.Line)
	row.Notes, row.Faults = said.notes, said.faults
	if !row.Kept() {
		row.Requests = said.requests
	}
	return row, nil
}

// plotColumn is one of the columns that a list of plots may have.
type plotColumn int

// The columns; those before plotOptional make a lead.
const (
	plotNumber plotColumn = iota
	plotName
	plotDistrict
	plotAddress
	plotUtility
	plotUse
	plotBuildFrom
	plotLon
	plotLat
	plotProject
	plotRemark
	plotColumnCount
)

const plotOptional = plotUtility

var plotHeaders = [plotColumnCount]string{
	plotNumber: "地块编号", plotName: "地块名称", plotDistrict: "所属区县", plotAddress: "地块位置", plotUtility: "用能类型",
	plotUse: "规划用途", plotBuildFrom: "计划开工日期", plotLon: "经度", plotLat: "纬度", plotProject: "项目代码", plotRemark: "备注",
}

// plotReading is what one row says and what was made of it.
type plotReading struct {
	cells    [plotColumnCount]string
	requests []casework.Request
	notes    []casework.Text
	faults   []casework.FieldFault
}

func (r *plotReading) fault(c plotColumn, text casework.Text) {
	field := plotHeaders[c]
	if !slices.ContainsFunc(r.faults, func(f casework.FieldFault) bool { return f.Field == field }) {
		r.faults = append(r.faults, casework.FieldFault{Field: field, Text: text})
	}
}

func (r *plotReading) read(served []casework.Utility) {
	lead := casework.Request{
		Lead: true, Channel: casework.IndustrialPark, Project: fold(r.cells[plotProject]), Remark: r.cells[plotRemark],
		Site:   casework.Site{Plot: fold(r.cells[plotNumber]), Address: r.cells[plotAddress], Position: r.position()},
		Demand: casework.Demand{Use: r.cells[plotUse]},
	}
	if lead.Site.Plot == "" {
		r.fault(plotNumber, casework.Say("请填写地块编号", "the number of the plot is missing"))
	}
	if name := r.cells[plotName]; name != "" {
		lead.Remark = strings.TrimSpace("地块名称：" + name + "\n" + lead.Remark)
		if lead.Site.Address == "" {
			lead.Site.Address = name
		}
	}
	d, err := casework.DistrictNamed(r.cells[plotDistrict])
	if err != nil {
		r.fault(plotDistrict, casework.AsFault(err).Text)
	}
	lead.Site.District = d
	if written := r.cells[plotBuildFrom]; written != "" {
		date, how := dateOf(written)
		switch {
		case how == noDate:
			r.fault(plotBuildFrom, casework.Sayf("“%s”不是日期；请填如 2026-12-08", "%q is no date; write it like 2026-12-08", written))
		case date.String() != written:
			r.notes = append(r.notes, casework.Sayf("%s“%s”读作“%s”", "%s: %q was read as %q", plotHeaders[plotBuildFrom], written, date))
		}
		lead.Demand.BuildFrom = date
	}
	for _, u := range r.utilities(served) {
		one := lead
		one.Utility = u
		one.ExternalNumber = fmt.Sprintf("plot/%s/%s/%s", d, lead.Site.Plot, u)
		one = one.Normalise()
		r.judge(one)
		r.requests = append(r.requests, one)
	}
}

// position reads the two columns, which come together or not at all.
func (r *plotReading) position() *casework.Position {
	if r.cells[plotLon] == "" && r.cells[plotLat] == "" {
		return nil
	}
	var p casework.Position
	for _, c := range []struct {
		column plotColumn
		into   *float64
	}{{plotLon, &p.Lon}, {plotLat, &p.Lat}} {
		v, err := strconv.ParseFloat(closeUp(r.cells[c.column]), 64)
		if err != nil {
			r.fault(c.column, casework.Sayf("“%s”不是经纬度；请填 WGS84 度数，如 118.37", "%q is no longitude or latitude; give degrees (WGS84), such as 118.37", r.cells[c.column]))
		}
		*c.into = v
	}
	if len(r.faults) > 0 {
		return nil
	}
	return &p
}

func (r *plotReading) utilities(served []casework.Utility) []casework.Utility {
	written := closeUp(r.cells[plotUtility])
	if written == "" {
		return served
	}
	var us []casework.Utility
	for _, u := range []struct {
		letter  string
		utility casework.Utility
	}{{"水", casework.Water}, {"气", casework.Gas}} {
		if strings.Contains(written, u.letter) {
			us = append(us, u.utility)
		}
	}
	if strings.Trim(written, "水气、,/和及用") != "" || len(us) == 0 {
		r.fault(plotUtility, casework.Sayf("“%s”不在受理范围；可填：水，气，或 水、气", "%q is not served; allowed: 水, 气 or 水、气", r.cells[plotUtility]))
		return nil
	}
	return us
}

// plotColumnOf says from which column a field of a lead comes.
var plotColumnOf = map[string]plotColumn{
	"applicant.name": plotNumber, "site.plot": plotNumber, "external_number": plotNumber, "site.district": plotDistrict, "site.address": plotAddress,
	"demand.use": plotUse, "project": plotProject, "remark": plotRemark, "site.position": plotLon,
}

// judge takes over what casework finds wrong with a lead, under the header that
// the clerk sees.
func (r *plotReading) judge(lead casework.Request) {
	err := lead.Validate()
	if err == nil {
		return
	}
	for _, f := range casework.AsFault(err).Fields {
		if c, ok := plotColumnOf[f.Field]; ok {
			r.fault(c, f.Text)
		} else {
			r.faults = append(r.faults, casework.FieldFault{Field: WholeLine, Text: f.Text})
		}
	}
}

// recognise keeps a row whose plot came before in the same list: of two that
// differ nobody knows which is right.
func (r *plotReading) recognise(seen register, line int) {
	for _, q := range r.requests {
		if before, ok := seen.before(earlier{line: line}, "plot", string(q.Site.District), q.Site.Plot, string(q.Utility)); ok {
			r.fault(plotNumber, casework.Sayf("地块编号与第%d行重复", "the plot is on line %d already", before.line))
		}
	}
}
