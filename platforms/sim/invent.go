package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/curbstop/curbstop/platforms/sim/billing"
)

// shanghai is the zone of every moment that a platform writes.
var shanghai = time.FixedZone("CST", 8*3600)

const clockLayout = "2006-01-02 15:04:05"

// draw invents what stands in messages. All of it is made up; codes and numbers
// have the check characters that real ones would have.
type draw struct {
	*rand.Rand
	mark string // of this run, in every number of ours
	n    int    // of the request
	turn int    // of the sender's own requests
	now  time.Time
	// serves are the utilities that the other side serves: water, gas.
	serves []string
	// books is the billing system that has an account for each that is spoken of;
	// nil where none is played. Standing is how the account stands; empty: drawn.
	books    *billing.Server
	standing Standing
}

// asksGas tells whether a request is for gas: of so many one, if it may be.
func (d *draw) asksGas(every int) bool {
	return !d.served("water") || d.served("gas") && d.IntN(every) == 0
}

func (d *draw) served(utility string) bool { return slices.Contains(d.serves, utility) }

// among takes those of the ways to ask that ask for nothing which is not
// served: what is asked for both, for water, for gas.
func among[T any](d *draw, both, water, gas T) T {
	switch {
	case !d.served("gas"):
		return water
	case !d.served("water"):
		return gas
	default:
		return one(d, both, water, gas)
	}
}

func one[T any](d *draw, of ...T) T { return of[d.IntN(len(of))] }

// number is the platform's own number of something, told apart by what it is.
func (d *draw) number(prefix string) string { return fmt.Sprintf("%s%s%04d", prefix, d.mark, d.n) }

func (d *draw) at(layout string) string { return d.now.In(shanghai).Format(layout) }

// place is a district with its code, name and a road in it.
type place struct{ code, name, road string }

func (d *draw) place() place {
	return one(d, place{"340202", "镜湖区", "北京中路"}, place{"340207", "鸠江区", "官陡门路"}, place{"340209", "弋江区", "利民路"},
		place{"340210", "湾沚区", "芜湖中路"}, place{"340212", "繁昌区", "迎春路"})
}

func (p place) address(d *draw) string {
	return fmt.Sprintf("芜湖市%s%s%d号%d栋", p.name, p.road, 1+d.IntN(900), 1+d.n)
}

func (d *draw) company() string {
	return fmt.Sprintf("芜湖%s%s%s有限公司", one(d, "泰", "瑞", "远", "华", "皖", "江"), one(d, "盛", "安", "源", "达", "信", "越"),
		one(d, "机械", "食品", "电子", "包装", "餐饮管理", "新材料"))
}

func (d *draw) person() string {
	return one(d, "张", "王", "李", "赵", "陈", "杨", "周") + one(d, "测", "试", "演", "习") + one(d, "甲", "乙", "丙", "丁", "戊", "己")
}

func (d *draw) phone() string { return fmt.Sprintf("1380000%04d", d.IntN(10_000)) }

// creditCode makes a unified social credit code with its check character.
func (d *draw) creditCode() string {
	const alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
	code := []byte("91340200")
	for len(code) < 17 {
		code = append(code, alphabet[d.IntN(len(alphabet))])
	}
	sum, weight := 0, 1
	for _, c := range code {
		sum += strings.IndexByte(alphabet, c) * weight
		weight = weight * 3 % 31
	}
	return string(append(code, alphabet[(31-sum%31)%31]))
}

// residentID makes the number of an identity card with its check character.
func (d *draw) residentID() string {
	id := fmt.Sprintf("340202%04d%02d%02d%03d", 1960+d.IntN(40), 1+d.IntN(12), 1+d.IntN(28), d.IntN(1000))
	sum, weights := 0, [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}
	for i, w := range weights {
		sum += int(id[i]-'0') * w
	}
	return id + string("10X98765432"[sum%11])
}
