package simulate

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/curbstop/curbstop/casework"
)

// Distribution says how long something takes, in minutes of working time.
// Exactly one of its fields is given; the zero value takes no time.
type Distribution struct {
	Fixed       *float64   `yaml:"fixed" json:"fixed,omitempty"`             // always the same
	Uniform     []float64  `yaml:"uniform" json:"uniform,omitempty"`         // least, most
	Triangular  []float64  `yaml:"triangular" json:"triangular,omitempty"`   // least, most often, most
	Lognormal   *Lognormal `yaml:"lognormal" json:"lognormal,omitempty"`     // mostly near the mean, now and then far above
	Exponential *float64   `yaml:"exponential" json:"exponential,omitempty"` // the mean; short is most likely
}

// Lognormal is a distribution by what people know of it: the mean, and the
// standard deviation around it.
type Lognormal struct {
	Mean   float64 `yaml:"mean" json:"mean"`
	Spread float64 `yaml:"spread" json:"spread"`
}

// maxMinutes bounds a duration at about twenty working years, so that a slip
// of the pen is refused and no sum overflows.
const maxMinutes = 2_000_000

// draw gives a duration in whole seconds.
func (d Distribution) draw(r *rand.Rand) time.Duration {
	minutes := 0.0
	switch {
	case d.Fixed != nil:
		minutes = *d.Fixed
	case len(d.Uniform) == 2:
		minutes = d.Uniform[0] + r.Float64()*(d.Uniform[1]-d.Uniform[0])
	case len(d.Triangular) == 3:
		minutes = triangular(d.Triangular[0], d.Triangular[1], d.Triangular[2], r.Float64())
	case d.Lognormal != nil:
		ratio := d.Lognormal.Spread / d.Lognormal.Mean
		sigma2 := math.Log1p(ratio * ratio)
		minutes = math.Exp(math.Log(d.Lognormal.Mean) - sigma2/2 + math.Sqrt(sigma2)*r.NormFloat64())
	case d.Exponential != nil:
		minutes = *d.Exponential * r.ExpFloat64()
	}
	return time.Duration(min(minutes, maxMinutes)*60) * time.Second
}

// triangular is the inverse of the triangular distribution function at u.
func triangular(least, mode, most, u float64) float64 {
	if most == least {
		return least
	}
	if left := (mode - least) / (most - least); u < left {
		return least + math.Sqrt(u*(most-least)*(mode-least))
	}
	return most - math.Sqrt((1-u)*(most-least)*(most-mode))
}

func (d Distribution) check(c *casework.Check, field string) {
	given := 0
	for _, is := range []bool{d.Fixed != nil, d.Uniform != nil, d.Triangular != nil, d.Lognormal != nil, d.Exponential != nil} {
		if is {
			given++
		}
	}
	if given != 1 {
		c.Field(field, casework.Say("请写明且只写一种分布：fixed、uniform、triangular、lognormal 或 exponential",
			"give exactly one of fixed, uniform, triangular, lognormal, exponential"))
		return
	}
	var numbers []float64
	switch {
	case d.Fixed != nil:
		numbers = []float64{*d.Fixed}
	case d.Exponential != nil:
		numbers = []float64{*d.Exponential}
	case d.Uniform != nil:
		numbers = d.Uniform
		c.Require(len(numbers) == 2, field+".uniform", casework.Say("应为两个数：[最少, 最多]", "must be two numbers: [least, most]"))
	case d.Triangular != nil:
		numbers = d.Triangular
		c.Require(len(numbers) == 3, field+".triangular", casework.Say("应为三个数：[最少, 最常见, 最多]", "must be three numbers: [least, most often, most]"))
	case d.Lognormal != nil:
		numbers = []float64{d.Lognormal.Mean}
		c.Require(d.Lognormal.Mean > 0, field+".lognormal.mean", casework.Say("均值应大于 0", "the mean must be above 0"))
		c.Require(upTo(d.Lognormal.Spread, maxMinutes), field+".lognormal.spread", casework.Say("标准差不能为负", "the spread must not be negative"))
	}
	previous := 0.0
	for _, n := range numbers {
		c.Require(upTo(n, maxMinutes), field, casework.Sayf("应在 0 至 %d 分钟之间", "must be between 0 and %d minutes", maxMinutes))
		c.Require(n >= previous, field, casework.Say("应由小到大排列", "must not fall from one number to the next"))
		previous = n
	}
}

// upTo tells whether x lies between 0 and most. It refuses what is no number,
// too: NaN is neither above nor below.
func upTo(x, most float64) bool { return x >= 0 && x <= most }
