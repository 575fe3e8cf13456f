package network

import (
	"cmp"
	"math"
	"slices"

	"github.com/curbstop/curbstop/casework"
)

// earth is the mean radius in metres.
const earth = 6_371_008.8

func radians(degrees float64) float64 { return degrees * math.Pi / 180 }

// Distance is how far a main is from a place, in metres. Around the place the
// earth is taken as flat, which is off by less than a thousandth within the
// kilometres of which an assessment asks.
func (m Main) Distance(p casework.Position) float64 {
	nearest := math.Inf(1)
	shrink := math.Cos(radians(p.Lat)) // of a degree of longitude
	flat := func(q casework.Position) (x, y float64) {
		return radians(q.Lon-p.Lon) * shrink * earth, radians(q.Lat-p.Lat) * earth
	}
	for _, line := range m.Lines {
		for i := 1; i < len(line); i++ {
			ax, ay := flat(line[i-1])
			bx, by := flat(line[i])
			nearest = min(nearest, toSegment(ax, ay, bx, by))
		}
	}
	return nearest
}

// toSegment is how far the origin is from a segment.
func toSegment(ax, ay, bx, by float64) float64 {
	dx, dy := bx-ax, by-ay
	t := 0.0
	if length := dx*dx + dy*dy; length > 0 {
		t = max(0, min(1, -(ax*dx+ay*dy)/length))
	}
	return math.Hypot(ax+t*dx, ay+t*dy)
}

// Box is a stretch of longitude and latitude.
type Box struct{ West, South, East, North float64 }

// Bounds is the least box around a main.
func (m Main) Bounds() Box {
	b := Box{West: math.Inf(1), South: math.Inf(1), East: math.Inf(-1), North: math.Inf(-1)}
	for _, line := range m.Lines {
		for _, p := range line {
			b.West, b.East = min(b.West, p.Lon), max(b.East, p.Lon)
			b.South, b.North = min(b.South, p.Lat), max(b.North, p.Lat)
		}
	}
	return b
}

// Around is a box that holds everything within some metres of a place, and a
// little more: what is within reach has bounds that touch it.
func Around(p casework.Position, metres float64) Box {
	high := metres / earth * 180 / math.Pi * 1.01
	wide := high / math.Cos(radians(p.Lat))
	return Box{West: p.Lon - wide, South: p.Lat - high, East: p.Lon + wide, North: p.Lat + high}
}

// Near is a main and how far it is from the place that was asked about.
type Near struct {
	Main
	Metres float64 `json:"distance"`
}

// Nearest gives the mains nearest to a place, at most so many, the nearest
// first; of mains that are equally near the one whose number comes first.
func Nearest(mains []Main, p casework.Position, most int) []Near {
	near := make([]Near, len(mains))
	for i, m := range mains {
		near[i] = Near{Main: m, Metres: m.Distance(p)}
	}
	slices.SortFunc(near, func(a, b Near) int { return cmp.Or(cmp.Compare(a.Metres, b.Metres), cmp.Compare(a.ID, b.ID)) })
	return near[:min(most, len(near))]
}

// Commitment is what open cases have been promised of a main.
type Commitment struct {
	Volume float64 `json:"committed"` // m³ a day
	Cases  int     `json:"cases"`
}

// Proposed is the main as a proposal shows it.
func (n Near) Proposed(c Commitment) casework.ProposedMain {
	return casework.ProposedMain{
		ID: n.ID, Distance: math.Round(n.Metres*10) / 10, Diameter: n.Diameter, Pressure: n.Pressure, Class: string(n.Class),
		Material: n.Material, State: string(n.State), Capacity: n.Capacity, Committed: c.Volume, Cases: c.Cases,
	}
}

// GCJ-02 draws each place beside itself by some hundred metres. Its formulas
// were never published; these are the ones in general use, which agree with what
// maps draw to a metre or two.
const (
	gcjAxis         = 6_378_245.0
	gcjEccentricity = 0.00669342162296594323
)

// toGCJ is where GCJ-02 draws a place.
func toGCJ(p casework.Position) casework.Position {
	x, y := p.Lon-105, p.Lat-35
	north := -100 + 2*x + 3*y + 0.2*y*y + 0.1*x*y + 0.2*math.Sqrt(math.Abs(x)) + ripple(x) +
		(20*math.Sin(y*math.Pi)+40*math.Sin(y/3*math.Pi))*2/3 + (160*math.Sin(y/12*math.Pi)+320*math.Sin(y*math.Pi/30))*2/3
	east := 300 + x + 2*y + 0.1*x*x + 0.1*x*y + 0.1*math.Sqrt(math.Abs(x)) + ripple(x) +
		(20*math.Sin(x*math.Pi)+40*math.Sin(x/3*math.Pi))*2/3 + (150*math.Sin(x/12*math.Pi)+300*math.Sin(x/30*math.Pi))*2/3
	sin := math.Sin(radians(p.Lat))
	magic := 1 - gcjEccentricity*sin*sin
	root := math.Sqrt(magic)
	return casework.Position{
		Lon: p.Lon + east*180/(gcjAxis/root*math.Cos(radians(p.Lat))*math.Pi),
		Lat: p.Lat + north*180/(gcjAxis*(1-gcjEccentricity)/(magic*root)*math.Pi),
	}
}

func ripple(x float64) float64 {
	return (20*math.Sin(6*x*math.Pi) + 20*math.Sin(2*x*math.Pi)) * 2 / 3
}

// fromGCJ is the place that GCJ-02 draws at p. The displacement changes slowly,
// so a few steps lead there.
func fromGCJ(p casework.Position) casework.Position {
	q := p
	for range 8 {
		drawn := toGCJ(q)
		q.Lon += p.Lon - drawn.Lon
		q.Lat += p.Lat - drawn.Lat
	}
	return q
}
