package casework

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/curbstop/curbstop/calendar"
)

// JointRequest asks for several utilities at once (水电气一网通办). What concerns the
// customer and the place is said once; the demand may be another for each.
type JointRequest struct {
	Utilities      []Utility                  `json:"utilities" minItems:"1" maxItems:"5" doc:"要接入的能源：water 水、gas 气；electricity 电由供电公司办理 what is asked for; electricity is another company's"`
	Channel        Channel                    `json:"channel" doc:"渠道 the way it came in"`
	ExternalNumber string                     `json:"external_number,omitempty" doc:"来件编号；同一渠道只收一次 the sender's own number; with the channel it is accepted once"`
	Lane           Lane                       `json:"lane,omitempty" doc:"服务模式；不填按政策 service lane; chosen by policy where empty"`
	Lead           bool                       `json:"lead,omitempty" doc:"尚未申请的意向 contact before an application"`
	Applicant      Applicant                  `json:"applicant" required:"false" doc:"申请单位或个人 applicant"`
	Contact        Contact                    `json:"contact" required:"false" doc:"联系人 whom to call"`
	Site           Site                       `json:"site" doc:"用能地址 where"`
	Demand         Demand                     `json:"demand" required:"false" doc:"共同的需求与建设周期 what holds for all"`
	Demands        map[string]Demand          `json:"demands,omitempty" doc:"各能源各自的需求，按 utilities 的写法 the demand of each, by its name in utilities"`
	Project        string                     `json:"project,omitempty" doc:"投资项目代码；各能源在办的意向据此并入 code of the project, by which the open lead of each utility is found"`
	Remark         string                     `json:"remark,omitempty" doc:"备注 remark"`
	ByServiceCode  bool                       `json:"by_service_code,omitempty" readOnly:"true" doc:"凭办事码填写 filled in by a service code"`
	Extra          map[string]json.RawMessage `json:"extra,omitempty" doc:"来件的其他内容，原样保留 what else the sender wrote, kept as it is"`
}

// Requests gives one request for each utility, water before gas before those
// of other companies; each is to be normalised and judged by itself. The
// utilities that were asked for together are kept with each.
func (j JointRequest) Requests() ([]Request, error) {
	var c Check
	c.Require(len(j.Utilities) > 0, "utilities", Say("请填写要接入的能源：water（水）、gas（气）", "name what is asked for: water, gas"))
	for i, u := range j.Utilities {
		c.Require(u.Known(), "utilities", Sayf("没有这种能源：%[1]s；可填：water（水）、gas（气）、electricity（电）、heat（热）", "no such utility: %[1]s; one of: water, gas, electricity, heat", u))
		c.Require(!slices.Contains(j.Utilities[:i], u), "utilities", Sayf("重复：%[1]s", "named twice: %[1]s", u))
	}
	for name := range j.Demands {
		c.Require(slices.Contains(j.Utilities, Utility(name)), "demands", Say("只填 utilities 中列出的能源", "only what utilities names"))
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	extra := map[string]json.RawMessage{}
	maps.Copy(extra, j.Extra)
	asked, err := json.Marshal(j.Utilities)
	if err != nil {
		return nil, err
	}
	extra["utilities"] = asked
	var requests []Request
	for _, u := range []Utility{Water, Gas, Electricity, Heat} {
		if !slices.Contains(j.Utilities, u) {
			continue
		}
		requests = append(requests, Request{
			Utility: u, Channel: j.Channel, ExternalNumber: j.ExternalNumber, Lane: j.Lane, Lead: j.Lead, Applicant: j.Applicant, Contact: j.Contact,
			Site: j.Site, Demand: j.demandOf(u), Project: j.Project, Remark: j.Remark, ByServiceCode: j.ByServiceCode, Extra: extra,
		})
	}
	return requests, nil
}

// demandOf is what is asked of one utility: its own demand, and of the common
// one what that leaves open.
func (j JointRequest) demandOf(u Utility) Demand {
	own, has := j.Demands[string(u)]
	if !has {
		return j.Demand
	}
	for _, d := range []struct{ own, all *calendar.Date }{
		{&own.WantedOn, &j.Demand.WantedOn}, {&own.BuildFrom, &j.Demand.BuildFrom}, {&own.BuildTo, &j.Demand.BuildTo},
	} {
		if *d.own == (calendar.Date{}) {
			*d.own = *d.all
		}
	}
	if own.Use == "" {
		own.Use = j.Demand.Use
	}
	own.DigsRoad = own.DigsRoad || j.Demand.DigsRoad
	own.OccupiesWay = own.OccupiesWay || j.Demand.OccupiesWay
	own.UsesGreen = own.UsesGreen || j.Demand.UsesGreen
	return own
}
