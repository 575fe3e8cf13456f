package simulate

import (
	"cmp"
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
	index     int // names its streams of random numbers
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
}

// maxCases bounds a run.
const maxCases = 1_000_000

// arrivals draws the requests in the order in which they come in. Their number
// is what the rates make of the period, so runs can be compared; how they fall
// on days and channels is random, as independent customers are.
func (y *year) arrivals() ([]customer, error) {
	days, expected := y.days()
	n := y.Cases
	if n == 0 {
		n = int(math.Round(expected))
	}
	if len(days.keys) == 0 || n < 1 {
		return nil, errors.New("此期间没有来件 no request comes in during this period: 请核对日期、倍数和来件数 check dates, factors and rates")
	}
	if n > maxCases {
		return nil, fmt.Errorf("来件 %d 件，最多 %d 件 %[1]d requests are too many, at most %[2]d", n, maxCases)
	}
	channels, districts, lanes := newUrn(y.Requests.PerWorkingDay), newUrn(y.Districts), newUrn(y.Lanes)
	all := make([]customer, n)
	for i := range all {
		r := draws(y.Seed, strconv.Itoa(i))
		c := &all[i]
		c.index = i
		c.at = y.during(days.draw(r), r.Float64())
		c.channel, c.district, c.lane = channels.draw(r), districts.draw(r), lanes.draw(r)
		c.place = slices.Index(y.districts, c.district)
		c.upgrade = r.Float64() < y.Shares.Upgrade
		for _, kind := range casework.PermitKinds() {
			needed, ordinary := r.Float64() < y.Shares.Permits[kind], r.Float64() < y.Shares.Ordinary
			if needed {
				c.permits = append(c.permits, casework.PermitNeed{Kind: kind, AffectsTraffic: ordinary})
			}
		}
		c.withdraws = r.Float64() < y.Shares.Withdrawn
		c.withdrawsIn = y.Customers.Withdraw.draw(r)
	}
	slices.SortStableFunc(all, func(a, b customer) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.index, b.index)) })
	for i := range all {
		all[i].number = fmt.Sprintf("W%s-%06d", all[i].at.In(calendar.Shanghai).Format("20060102"), i+1)
	}
	return all, nil
}

// days are the working days of the period with their share of the requests,
// and the number of requests that the rates make of them.
func (y *year) days() (urn[calendar.Date], float64) {
	rate, expected := 0.0, 0.0
	for _, channel := range sorted(y.Requests.PerWorkingDay) {
		rate += y.Requests.PerWorkingDay[channel]
	}
	var days urn[calendar.Date]
	for d := y.From; !y.To.Before(d); d = d.AddDays(1) {
		factor, given := y.Requests.Months[int(d.Month)]
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
