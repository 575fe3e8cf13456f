package casework_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

// soundRequest is a request with nothing wrong; each test spoils a copy.
func soundRequest() casework.Request {
	return casework.Request{
		Utility: casework.Water, Channel: casework.IndustrialPark, ExternalNumber: "park/1/water",
		Applicant: casework.Applicant{Name: "芜湖泰盛汽车零部件有限公司", CreditCode: "91340281WKEFY5QE4Y"},
		Contact:   casework.Contact{Name: "沈兰英", Phone: "13800009560"},
		Site:      casework.Site{District: "340281", Address: "芜湖市无为市凤河路30号"},
		Demand: casework.Demand{
			Use: "消防用水", DailyVolume: 120, Diameter: 50,
			WantedOn:  calendar.Date{Year: 2026, Month: 12, Day: 19},
			BuildFrom: calendar.Date{Year: 2026, Month: 11, Day: 2},
			BuildTo:   calendar.Date{Year: 2026, Month: 11, Day: 2},
		},
	}
}

func TestValidateRequest(t *testing.T) {
	type request = casework.Request
	for name, c := range map[string]struct {
		spoil func(*request)
		want  []string // the fields that are wrong
	}{
		"sound":                          {func(*request) {}, nil},
		"lane of its own":                {func(r *request) { r.Lane = casework.Lane201 }, nil},
		"no number, volume, pipe, dates": {func(r *request) { r.ExternalNumber = ""; r.Demand = casework.Demand{} }, nil},
		"person":                         {func(r *request) { r.Applicant = casework.Applicant{Name: "吴伟", Person: true} }, nil},
		"gas without a credit code":      {func(r *request) { r.Utility = casework.Gas; r.Applicant.CreditCode = "" }, nil},
		"statistical zone":               {func(r *request) { r.Site.District = "340271" }, nil},
		"code known to fail its check": {func(r *request) {
			r.Applicant.CreditCode = "91340200MA8N004321"
			r.Applicant.CreditCodeOverride = "与营业执照核对一致"
		}, nil},

		"utility":                     {func(r *request) { r.Utility = "heat" }, []string{"utility"}},
		"channel":                     {func(r *request) { r.Channel = "" }, []string{"channel"}},
		"lane":                        {func(r *request) { r.Lane = "301" }, []string{"lane"}},
		"number too long":             {func(r *request) { r.ExternalNumber = strings.Repeat("号", 101) }, []string{"external_number"}},
		"remark too long":             {func(r *request) { r.Remark = strings.Repeat("急", 2001) }, []string{"remark"}},
		"no name":                     {func(r *request) { r.Applicant.Name = "" }, []string{"applicant.name"}},
		"water without a credit code": {func(r *request) { r.Applicant.CreditCode = "" }, []string{"applicant.credit_code"}},
		"wrong credit code":           {func(r *request) { r.Applicant.CreditCode = "91340200MA8N004321" }, []string{"applicant.credit_code"}},
		"override without a reason": {func(r *request) {
			r.Applicant.CreditCode = "91340200MA8N004321"
			r.Applicant.CreditCodeOverride = "  "
		}, []string{"applicant.credit_code"}},
		"person with a credit code": {func(r *request) { r.Applicant.Person = true }, []string{"applicant.credit_code"}},
		"no contact":                {func(r *request) { r.Contact = casework.Contact{} }, []string{"contact.name", "contact.phone"}},
		"phone":                     {func(r *request) { r.Contact.Phone = "12345678901" }, []string{"contact.phone"}},
		"abolished district":        {func(r *request) { r.Site.District = "340221" }, []string{"site.district"}},
		"the whole city":            {func(r *request) { r.Site.District = casework.AllDistricts }, []string{"site.district"}},
		"no address":                {func(r *request) { r.Site.Address = "" }, []string{"site.address"}},
		"negative volume":           {func(r *request) { r.Demand.DailyVolume = -1 }, []string{"demand.daily_volume"}},
		"volume that is no number":  {func(r *request) { r.Demand.DailyVolume = math.NaN() }, []string{"demand.daily_volume"}},
		"pipe that is not made":     {func(r *request) { r.Demand.Diameter = 55 }, []string{"demand.diameter"}},
		"ends before it begins": {func(r *request) {
			r.Demand.BuildTo = r.Demand.BuildFrom.AddDays(-1)
		}, []string{"demand.build_to"}},
		"everything": {func(r *request) { *r = request{} }, []string{
			"utility", "channel", "applicant.name", "applicant.credit_code", "contact.name", "contact.phone", "site.district", "site.address",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			r := soundRequest()
			c.spoil(&r)
			err := r.Validate()
			if c.want == nil {
				require.NoError(t, err)
				return
			}
			fault := casework.AsFault(err)
			assert.Equal(t, casework.Invalid, fault.Kind)
			var fields []string
			for _, f := range fault.Fields {
				fields = append(fields, f.Field)
				assert.NotEmpty(t, f.ZH)
				assert.NotEmpty(t, f.EN)
			}
			assert.Equal(t, c.want, fields)
		})
	}
}

func TestNormaliseRequest(t *testing.T) {
	r := soundRequest()
	r.ExternalNumber = " park/1/water\n"
	r.Applicant = casework.Applicant{Name: " 芜湖泰盛汽车零部件有限公司　", CreditCode: "9134 0281 wkef-y5qe4y"}
	r.Contact = casework.Contact{Name: "沈兰英 ", Phone: "+86 １３８-0000-9560"}
	r.Site.Address = "\t芜湖市无为市凤河路30号"
	assert.Equal(t, soundRequest(), r.Normalise())
}

func TestNormalisingTwiceChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := soundRequest()
		for _, field := range []*string{
			&r.ExternalNumber, &r.Applicant.Name, &r.Applicant.CreditCode, &r.Contact.Name, &r.Contact.Phone, &r.Site.Address,
		} {
			*field = rapid.String().Draw(t, "text")
		}
		once := r.Normalise()
		assert.Equal(t, once, once.Normalise())
	})
}

// A request travels as JSON between processes, with what the sender wrote and
// we do not know.
func TestRequestTravelsAsJSON(t *testing.T) {
	sent := soundRequest()
	sent.Extra = map[string]json.RawMessage{"园区编号": json.RawMessage(`{"a":[1,null]}`)}
	encoded, err := json.Marshal(sent)
	require.NoError(t, err)
	var received casework.Request
	require.NoError(t, json.Unmarshal(encoded, &received))
	assert.Equal(t, sent, received)
}

func TestSameMatter(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(r *casework.Request)
		same   bool
	}{
		"sent again": {func(*casework.Request) {}, true},
		"written otherwise": {func(r *casework.Request) {
			r.Applicant.Name, r.Site.Address = "泰盛公司", " 芜湖市无为市 凤河路30号"
		}, true},
		"the code is not known yet": {func(r *casework.Request) { r.Applicant.CreditCode = "" }, true},
		"the place neither":         {func(r *casework.Request) { r.Site.Address = "" }, true},
		"another organisation":      {func(r *casework.Request) { r.Applicant.CreditCode = "91340200MA8N004320" }, false},
		"another name without code": {func(r *casework.Request) { r.Applicant = casework.Applicant{Name: "别家"} }, false},
		"another place":             {func(r *casework.Request) { r.Site.Address = "芜湖市镜湖区北京西路1号" }, false},
		"the same project":          {func(r *casework.Request) { r.Project, r.Site.Address = "2026 340281-35-01-100001", "别处" }, true},
		"another project":           {func(r *casework.Request) { r.Project = "2026-340281-35-01-100002" }, false},
	} {
		r := soundRequest()
		r.Project = "2026-340281-35-01-100001"
		other := r
		if !strings.Contains(name, "project") {
			other.Project = ""
		}
		c.change(&other)
		require.Equal(t, c.same, r.SameMatter(other), name)
		require.Equal(t, c.same, other.SameMatter(r), name)
	}
}
