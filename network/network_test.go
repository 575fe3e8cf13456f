package network_test

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/simplifiedchinese"
	"pgregory.net/rapid"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/network"
)

// haversine is the plain formula of the distance between two places.
func haversine(a, b casework.Position) float64 {
	const earth = 6_371_008.8
	rad := func(d float64) float64 { return d * math.Pi / 180 }
	h := math.Pow(math.Sin(rad(b.Lat-a.Lat)/2), 2) + math.Cos(rad(a.Lat))*math.Cos(rad(b.Lat))*math.Pow(math.Sin(rad(b.Lon-a.Lon)/2), 2)
	return 2 * earth * math.Asin(math.Sqrt(h))
}

// plainDistance walks along a main in small steps.
func plainDistance(m network.Main, p casework.Position) float64 {
	nearest := math.Inf(1)
	for _, line := range m.Lines {
		for i := 1; i < len(line); i++ {
			const steps = 2000
			for s := range steps + 1 {
				f := float64(s) / steps
				q := casework.Position{Lon: line[i-1].Lon + f*(line[i].Lon-line[i-1].Lon), Lat: line[i-1].Lat + f*(line[i].Lat-line[i-1].Lat)}
				nearest = min(nearest, haversine(p, q))
			}
		}
	}
	return nearest
}

func place(t *rapid.T, label string) casework.Position {
	return casework.Position{
		Lon: rapid.Float64Range(118.30, 118.42).Draw(t, label+" lon"),
		Lat: rapid.Float64Range(31.25, 31.37).Draw(t, label+" lat"),
	}
}

func anyMain(t *rapid.T, id string) network.Main {
	m := network.Main{ID: id, Utility: casework.Water}
	for range rapid.IntRange(1, 2).Draw(t, "lines") {
		line := network.Line{place(t, "from")}
		for range rapid.IntRange(1, 4).Draw(t, "places") {
			last := line[len(line)-1]
			line = append(line, casework.Position{
				Lon: last.Lon + rapid.Float64Range(-0.01, 0.01).Draw(t, "east"), Lat: last.Lat + rapid.Float64Range(-0.01, 0.01).Draw(t, "north"),
			})
		}
		m.Lines = append(m.Lines, line)
	}
	return m
}

func TestDistanceAgreesWithAPlainFormula(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m, p := anyMain(t, "m"), place(t, "site")
		plain := plainDistance(m, p)
		// The walk steps over at most a metre, and flatness costs a thousandth.
		require.InDelta(t, plain, m.Distance(p), 1+plain*0.002)
	})
}

func TestNearestAgreesWithLookingAtAll(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var mains []network.Main
		for i := range rapid.IntRange(0, 30).Draw(t, "mains") {
			mains = append(mains, anyMain(t, fmt.Sprintf("m%02d", i)))
		}
		p, most := place(t, "site"), rapid.IntRange(1, 8).Draw(t, "most")
		ids := make([]string, len(mains))
		for i, m := range mains {
			ids[i] = m.ID
		}
		slices.SortFunc(ids, func(a, b string) int {
			at := func(id string) float64 {
				return mains[slices.IndexFunc(mains, func(m network.Main) bool { return m.ID == id })].Distance(p)
			}
			return cmp.Or(cmp.Compare(at(a), at(b)), cmp.Compare(a, b))
		})
		got := []string{}
		for _, n := range network.Nearest(mains, p, most) {
			got = append(got, n.ID)
		}
		require.Equal(t, ids[:min(most, len(ids))], got)
	})
}

// What is within reach has bounds that touch the box around the place.
func TestAroundMissesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m, p := anyMain(t, "m"), place(t, "site")
		metres := m.Distance(p) + 0.01
		a, b := network.Around(p, metres), m.Bounds()
		require.True(t, b.West <= a.East && a.West <= b.East && b.South <= a.North && a.South <= b.North)
	})
}

const header = "管线编号,用能类型,所属区县,状态,管材,管径(mm),压力,余量(立方米/日),年份,走向,坐标系\n"

func TestReadCSV(t *testing.T) {
	t.Parallel()
	text := header +
		"JS-1,水,镜湖区,在用,球墨铸铁,DN300,0.32,1200,2018,\"LINESTRING(118.37 31.33, 118.38 31.33)\",\n" +
		"\n" +
		"RQ-1,燃气,340207,规划,PE,200,中压,,,118.40 31.35;118.41 31.36 5;118.42 31.36,WGS-84\n" +
		"RQ-2,gas,340207,in_service,,,200kPa,0,,\"MULTILINESTRING((118.4 31.3,118.41 31.3),(118.42 31.3,118.43 31.3))\",EPSG:4490\n"
	want := []network.Main{
		{ID: "JS-1", Utility: casework.Water, District: "340202", State: network.InService, Material: "球墨铸铁", Diameter: 300, Pressure: 0.32, Capacity: new(1200.0), Year: 2018,
			Lines: []network.Line{{{Lon: 118.37, Lat: 31.33}, {Lon: 118.38, Lat: 31.33}}}},
		{ID: "RQ-1", Utility: casework.Gas, District: "340207", State: network.Planned, Material: "PE", Diameter: 200, Class: network.Medium,
			Lines: []network.Line{{{Lon: 118.40, Lat: 31.35}, {Lon: 118.41, Lat: 31.36}, {Lon: 118.42, Lat: 31.36}}}},
		{ID: "RQ-2", Utility: casework.Gas, District: "340207", State: network.InService, Pressure: 0.2, Class: network.Medium, Capacity: new(0.0),
			Lines: []network.Line{{{Lon: 118.4, Lat: 31.3}, {Lon: 118.41, Lat: 31.3}}, {{Lon: 118.42, Lat: 31.3}, {Lon: 118.43, Lat: 31.3}}}},
	}
	gb, err := simplifiedchinese.GB18030.NewEncoder().String(text)
	require.NoError(t, err)
	for name, file := range map[string]string{"UTF-8": text, "with a mark": "\uFEFF" + text, "GB18030": gb, "CRLF": strings.ReplaceAll(text, "\n", "\r\n")} {
		got, err := network.Read([]byte(file))
		require.NoError(t, err, name)
		require.Equal(t, network.Register{Mains: want}, got, name)
		require.Equal(t, []casework.Utility{casework.Water, casework.Gas}, got.Utilities())
	}
}

const collection = `{"type":"FeatureCollection",%s"features":[
  {"type":"Feature","id":"JS-1","properties":{"utility":"water","district":"镜湖区","state":"in_service","diameter":300.0,"pressure":"0.32","capacity":1200,"owner":{"x":1}},
   "geometry":{"type":"LineString","coordinates":[[118.37,31.33],[118.38,31.33,4.5]]}},
  {"type":"Feature","properties":{"管线编号":"JS-2","用能类型":"水","所属区县":"镜湖区","状态":"废弃","管径":null},
   "geometry":{"type":"MultiLineString","coordinates":[[[118.37,31.33],[118.38,31.34]]]}}
]}`

func TestReadGeoJSON(t *testing.T) {
	t.Parallel()
	want := []network.Main{
		{ID: "JS-1", Utility: casework.Water, District: "340202", State: network.InService, Diameter: 300, Pressure: 0.32, Capacity: new(1200.0),
			Lines: []network.Line{{{Lon: 118.37, Lat: 31.33}, {Lon: 118.38, Lat: 31.33}}}},
		{ID: "JS-2", Utility: casework.Water, District: "340202", State: network.Abandoned, Lines: []network.Line{{{Lon: 118.37, Lat: 31.33}, {Lon: 118.38, Lat: 31.34}}}},
	}
	for _, frame := range []string{"", `"crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:OGC:1.3:CRS84"}},`, `"coordinates":"cgcs2000",`} {
		got, err := network.Read(fmt.Appendf(nil, collection, frame))
		require.NoError(t, err, frame)
		require.Equal(t, network.Register{Mains: want}, got)
	}
}

// GCJ-02 lies some hundred metres beside WGS84; a register in it is brought back
// to within a centimetre of where its mains are.
func TestGCJ02IsConverted(t *testing.T) {
	t.Parallel()
	// A place and where GCJ-02 draws it, as published tables of both have it.
	drawn := `"coordinates":"gcj02","features":[{"type":"Feature","properties":{"id":"B-1","utility":"water","district":"镜湖区","state":"在用"},
		"geometry":{"type":"LineString","coordinates":[[116.41024449916938,39.91640428150164],[116.41024449916938,39.91640428150164]]}}]}`
	got, err := network.Read([]byte(`{"type":"FeatureCollection",` + drawn))
	require.NoError(t, err)
	at := got.Mains[0].Lines[0][0]
	require.InDelta(t, 116.404, at.Lon, 1e-7)
	require.InDelta(t, 39.915, at.Lat, 1e-7)
	require.Len(t, got.Notes, 1)
}

func TestABadRegisterNamesItsLines(t *testing.T) {
	t.Parallel()
	good := "JS-1,水,镜湖区,在用,,,,,,118.37 31.33;118.38 31.33,\n"
	for name, c := range map[string]struct {
		file string
		want []string
	}{
		"fields": {header + good + "JS 2,电,火星区,好,,DN7,高,多,昨年,118.37,百度\n" + good,
			[]string{"line 3.utility", "line 3.state", "line 3.district", "line 3.year", "line 3.pressure", "line 3.capacity", "line 3.geometry", "line 3.coordinates", "line 4.id"}},
		"sizes":        {header + "JS 2,水,镜湖区,在用,,7,20,-1,1800,118.37 31.33;31.33 118.37,\n", []string{"line 2.id", "line 2.diameter", "line 2.pressure", "line 2.capacity", "line 2.year", "line 2.geometry"}},
		"cells":        {header + "JS-1,水\n", []string{"line 2"}},
		"quotes":       {header + good + "\"JS-2,水\n", []string{"line 3"}},
		"headers":      {"管线编号,颜色,管线编号\n", []string{"line 1.颜色", "line 1.id", "line 1.utility", "line 1.district", "line 1.state", "line 1.geometry"}},
		"gas pressure": {header + "R1,气,镜湖区,在用,,,0.2,,,118.37 31.33;118.38 31.33,\n", []string{"line 2.pressure"}},
		"broken JSON":  {"{\n\"type\": FeatureCollection}", []string{"line 2"}},
		"no features":  {`{"type":"Feature"}`, []string{"line 1.type"}},
		"a projection": {`{"type":"FeatureCollection","crs":{"properties":{"name":"EPSG:4547"}},"features":[]}`, []string{"line 1.coordinates"}},
		"geometry": {"{\"type\":\"FeatureCollection\",\"features\":[\n{\"type\":\"Feature\",\"properties\":{},\"geometry\":{\"type\":\"Point\",\"coordinates\":[1,2]}},\n" +
			"{\"type\":\"Feature\",\"properties\":{\"id\":\"x\"},\"geometry\":{\"type\":\"LineString\",\"coordinates\":[[1],2]}}]}", []string{"line 2.geometry", "line 3.geometry"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := network.Read([]byte(c.file))
			require.Empty(t, got, "nothing half read")
			f := casework.AsFault(err)
			require.Equal(t, "bad_register", f.Code)
			names := []string{}
			for _, field := range f.Fields {
				require.NotEmpty(t, field.ZH)
				require.NotEmpty(t, field.EN)
				names = append(names, field.Field)
			}
			require.Equal(t, c.want, names, "%v", f)
		})
	}
	for _, file := range []string{"", " \n", header, `{"type":"FeatureCollection","features":[]}`} {
		_, err := network.Read([]byte(file))
		require.Equal(t, "empty_register", casework.AsFault(err).Code, file)
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	main := func(u casework.Utility, id string, diameter int) network.Main {
		return network.Main{ID: id, Utility: u, Diameter: diameter, State: network.InService, District: "340202", Lines: []network.Line{{{Lon: 118.3, Lat: 31.3}, {Lon: 118.4, Lat: 31.3}}}}
	}
	recorded := []network.Main{main("water", "a", 100), main("water", "b", 100), main("water", "c", 100), main("gas", "a", 100)}
	file := []network.Main{main("water", "a", 100), main("water", "b", 200), main("water", "d", 300)}
	said := func(partial bool) []string {
		var lines []string
		for _, c := range network.Compare(recorded, file, partial) {
			lines = append(lines, c.Kind()+" "+string(c.Main().Utility)+" "+c.Main().ID+": "+c.What())
		}
		return lines
	}
	require.Equal(t, []string{"changed water b: diameter 100 → 200", "removed water c: DN100 in_service 镜湖区", "added water d: DN300 in_service 镜湖区"}, said(false),
		"the file has no gas, so it says nothing of it")
	require.Equal(t, []string{"changed water b: diameter 100 → 200", "added water d: DN300 in_service 镜湖区"}, said(true))
}

// The demo's own register is sound.
func TestDemoRegister(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("../demo/network.geojson")
	require.NoError(t, err)
	r, err := network.Read(file)
	require.NoError(t, err)
	require.Greater(t, len(r.Mains), 20)
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(header + "JS-1,水,镜湖区,在用,,,,,,118.37 31.33;118.38 31.33,\n"))
	f.Add(fmt.Appendf(nil, collection, ""))
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := network.Read(file)
		if err != nil {
			require.Equal(t, casework.Invalid, casework.AsFault(err).Kind)
			return
		}
		for _, m := range r.Mains {
			if len(r.Notes) == 0 { // what was converted may lie a little outside
				require.NoError(t, m.Check())
			}
		}
	})
}

// No record keeps a zero character, so that the file is refused whole.
func TestARegisterWithAZeroCharacterIsRefused(t *testing.T) {
	t.Parallel()
	for _, file := range []string{
		"管线编号,用能类型,所属区县,状态,走向\nJ\x001,水,镜湖区,在用,\"118.37 31.33, 118.38 31.33\"\n", `{"type":"FeatureCollection","name":"\u0000","features":[]}`,
	} {
		_, err := network.Read([]byte(file))
		require.Equal(t, "zero_character", casework.AsFault(err).Code, file)
	}
}
