package simulate

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

// customer is a request that will come in, and what the customer is like.
type customer struct {
	index     int
	stream    string // names its streams of random numbers
	utility   casework.Utility
	at        time.Time
	number    string
	channel   casework.Channel
	district  casework.District
	place     int // of the district, in order of the codes
	lane      casework.Lane
	upgrade   bool
	permits   []casework.PermitNeed
	withdraws bool

	withdrawsIn time.Duration // working time

	with  *customer // the same customer's request for gas, in a joint request
	joint string    // the number of the joint request

	// Of a request for gas.
	organisation, noCode, designed, card bool
}

// creditCode is the code of every organisation that has one.
const creditCode = "91340200MA8N004320" //nolint:gosec // an organisation's public code

// applicant is who asks: for water alone always a person, which is all the same
// to the process.
func (c *customer) applicant() casework.Applicant {
	switch {
	case c.with != nil:
		return c.with.applicant()
	case !c.organisation:
		return casework.Applicant{Name: "模拟客户", Person: true}
	case c.noCode:
		return casework.Applicant{Name: "模拟客户"}
	}
	return casework.Applicant{Name: "模拟客户", CreditCode: creditCode}
}

// maxCases bounds a run.
const maxCases = 1_000_000

// arrivals draws the requests in the order in which they come in. Their number
// is what the rates make of the period, so runs can be compared; how they fall
// on days and channels is random, as independent customers are.
func (y *year) arrivals() ([]customer, error) {
	days, expected := y.days(y.Requests)
	n := int(math.Round(expected))
	var gasDays urn[calendar.Date]
	gas := 0
	if y.Gas != nil {
		var expectedGas float64
		gasDays, expectedGas = y.days(y.Gas.Requests)
		gas = int(math.Round(expectedGas))
		if y.Cases > 0 && expectedGas > 0 {
			gas = int(math.Round(float64(y.Cases) * expectedGas / (expected + expectedGas)))
		}
	}
	if y.Cases > 0 {
		n = y.Cases - gas
	}
	if n+gas < 1 || n > 0 && len(days.keys) == 0 {
		return nil, errors.New("此期间没有来件 no request comes in during this period: 请核对日期、倍数和来件数 check dates, factors and rates")
	}
	if n+gas > maxCases {
		return nil, fmt.Errorf("来件 %d 件，最多 %d 件 %[1]d requests are too many, at most %[2]d", n+gas, maxCases)
	}
	draw := demand{year: y, districts: newUrn(y.Districts), lanes: newUrn(y.Lanes)}
	all := make([]customer, 0, n+gas)
	draw.channels, draw.days = newUrn(y.Requests.PerWorkingDay), days
	for i := range n {
		all = append(all, draw.water(i))
	}
	if gas > 0 {
		draw.channels, draw.days = newUrn(y.Gas.Requests.PerWorkingDay), gasDays
		for i := range gas {
			all = append(all, draw.gas(i))
		}
	}
	// Those of one moment come in as they were drawn, water first.
	slices.SortStableFunc(all, func(a, b customer) int { return a.at.Compare(b.at) })
	last := map[string]int{}
	number := func(letter string, c *customer) string {
		last[letter]++
		return fmt.Sprintf("%s%s-%06d", letter, c.at.In(calendar.Shanghai).Format("20060102"), last[letter])
	}
	for i := range all {
		c := &all[i]
		c.number = number(letters[c.utility], c)
		if c.with != nil {
			c.with.number, c.joint = number(letters[casework.Gas], c), number("J", c)
		}
	}
	return all, nil
}

// letters begin the numbers of cases.
var letters = map[casework.Utility]string{casework.Water: "W", casework.Gas: "G"}

// demand draws customers.
type demand struct {
	*year
	days      urn[calendar.Date]
	channels  urn[casework.Channel]
	districts urn[casework.District]
	lanes     urn[casework.Lane]
}

// customer draws what customers of both utilities are like.
func (y *demand) customer(u casework.Utility, i int, r *rand.Rand) customer {
	c := customer{index: i, utility: u}
	c.at = y.during(y.days.draw(r), r.Float64())
	c.channel, c.district, c.lane = y.channels.draw(r), y.districts.draw(r), y.lanes.draw(r)
	c.place = slices.Index(y.year.districts, c.district)
	c.upgrade = r.Float64() < y.Shares.Upgrade
	for _, kind := range casework.PermitKinds() {
		needed, ordinary := r.Float64() < y.Shares.Permits[kind], r.Float64() < y.Shares.Ordinary
		if needed {
			c.permits = append(c.permits, casework.PermitNeed{Kind: kind, AffectsTraffic: ordinary})
		}
	}
	c.withdraws = r.Float64() < y.Shares.Withdrawn
	c.withdrawsIn = y.Customers.Withdraw.draw(r)
	return c
}

// water draws a customer who asks for water, and with it, now and then, for gas.
func (y *demand) water(i int) customer {
	stream := strconv.Itoa(i)
	r := draws(y.Seed, stream)
	c := y.customer(casework.Water, i, r)
	c.stream = stream
	if y.Gas == nil || r.Float64() >= y.Gas.Shares.Joint {
		return c
	}
	stream = "joint/" + stream
	r = draws(y.Seed, stream)
	g := y.customer(casework.Gas, i, r)
	g.stream = stream
	y.gasFate(&g, r)
	// One customer asks at one moment for one place, where both lie in one
	// trench; who asks for water has a credit code.
	g.at, g.channel, g.district, g.place, g.lane, g.permits, g.noCode = c.at, c.channel, c.district, c.place, c.lane, c.permits, false
	c.with = &g
	return c
}

// gas draws a customer who asks for gas alone.
func (y *demand) gas(i int) customer {
	stream := "gas/" + strconv.Itoa(i)
	r := draws(y.Seed, stream)
	c := y.customer(casework.Gas, i, r)
	c.stream = stream
	y.gasFate(&c, r)
	return c
}

// gasFate draws what only a connection to gas knows.
func (y *demand) gasFate(c *customer, r *rand.Rand) {
	of := &y.Gas.Shares
	c.organisation = r.Float64() >= of.Residential
	c.noCode = r.Float64() < of.NoCreditCode
	c.designed = r.Float64() < of.Designed
	c.card = r.Float64() < of.CardMeter
}

// days are the working days of the period with their share of the requests,
// and the number of requests that the rates make of them.
func (y *year) days(of Requests) (urn[calendar.Date], float64) {
	rate, expected := of.rate(), 0.0
	var days urn[calendar.Date]
	for d := y.From; !y.To.Before(d); d = d.AddDays(1) {
		factor, given := of.Months[int(d.Month)]
		if !given {
			factor = 1
		}
		if y.cal.Working(d) && factor > 0 {
			days.add(d, factor)
			expected += factor * rate
		}
	}
	return days, expected
}

// during is the moment of a working day after a share of its working time.
func (y *year) during(d calendar.Date, share float64) time.Time {
	open := y.cal.Between(d.At(0), d.AddDays(1).At(0))
	worked := time.Duration(share * float64(open)).Truncate(time.Second)
	return y.opening(y.cal.Add(d.At(0), max(worked, time.Second)).Add(-time.Second))
}

// urn holds things of different weight to draw from.
type urn[K comparable] struct {
	keys []K
	upTo []float64 // sum of the weights up to each
}

func newUrn[K ~string](weights map[K]float64) urn[K] {
	var u urn[K]
	for _, key := range sorted(weights) {
		if weights[key] > 0 {
			u.add(key, weights[key])
		}
	}
	return u
}

func (u *urn[K]) add(key K, weight float64) {
	sum := weight
	if n := len(u.upTo); n > 0 {
		sum += u.upTo[n-1]
	}
	u.keys, u.upTo = append(u.keys, key), append(u.upTo, sum)
}

// draw gives one of the things; the zero value from an empty urn.
func (u *urn[K]) draw(r *rand.Rand) K {
	share := r.Float64()
	if len(u.keys) == 0 {
		var none K
		return none
	}
	i, _ := slices.BinarySearch(u.upTo, share*u.upTo[len(u.upTo)-1])
	return u.keys[min(i, len(u.keys)-1)]
}

// draws gives the stream of random numbers that a name owns. What a customer
// does and how long a task takes hangs on the seed and on the name alone, so
// another number of crews meets the very same customers and the very same work
// (common random numbers), and the difference that is seen is the crews'.
func draws(seed uint64, name string) *rand.Rand {
	sum := sha256.Sum256([]byte(strconv.FormatUint(seed, 10) + "/" + name))
	return rand.New(rand.NewPCG(binary.BigEndian.Uint64(sum[:8]), binary.BigEndian.Uint64(sum[8:16])))
}
