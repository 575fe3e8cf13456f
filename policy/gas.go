package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/curbstop/curbstop/casework"
)

// gas judges what is said for gas alone. Whoever serves gas must say it, and
// must have a list of what is checked before gas is let in.
func (j *judge) gas(p *Policy) {
	served := slices.Contains(p.Utilities, casework.Gas)
	if p.Gas == nil {
		j.require(!served, "gas", casework.Say("服务用气的政策须写明 gas（小型接入、图集、合同、严密性试验）", "a policy that serves gas must say so: small connections, atlas, contracts, tightness"))
		return
	}
	j.require(served, "gas", casework.Say("utilities 未列 gas", "utilities does not name gas"))
	j.require(len(p.Checklists[casework.CommissionSupply]) > 0, "checklists.commission_supply",
		casework.Say("服务用气的政策须有通气前的安全核对清单", "a policy that serves gas must list what is checked before gas is let in"))
	g := p.Gas
	j.require(g.Small.Meter.Valid(), "gas.small.meter", casework.Sayf("应为：%[1]v", "must be one of: %[1]v", casework.MeterSizes()))
	j.require(g.Small.PipeLength > 0 && g.Small.PipeLength <= 1000, "gas.small.pipe_length", casework.Say("应大于 0 且不超过 1000 米", "must be above 0 and at most 1000 metres"))
	j.require(len(g.Atlas) > 0, "gas.atlas", casework.Say("请列出燃气标准图集", "list the sheets of the gas atlas"))
	for i := range g.Atlas {
		once(j, g.Atlas, i, "gas.atlas")
	}
	for _, class := range casework.CustomerClasses() {
		j.gasClass(p, class)
	}
}

func (j *judge) gasClass(p *Policy, class casework.CustomerClass) {
	field, terms := "gas."+string(class), p.Gas.Class(class)
	j.require(len(terms.Contracts) > 0, field+".contracts", casework.Say("请写明须签订的合同", "name the contracts that are signed"))
	for i, kind := range terms.Contracts {
		j.require(kind.Valid(), fmt.Sprintf("%s.contracts[%d]", field, i), casework.Sayf("应为：%[1]v", "must be one of: %[1]v", casework.ContractKinds()))
		once(j, terms.Contracts, i, field+".contracts")
	}
	t := terms.Tightness
	j.require(t.Kilopascals > 0 && t.Kilopascals <= 1000, field+".tightness.kilopascals", casework.Say("试验压力应大于 0 且不超过 1000 kPa", "must be above 0 and at most 1000 kPa"))
	j.require(t.Minutes >= 1 && t.Minutes <= 1440, field+".tightness.minutes", casework.Say("稳压时间应在 1 至 1440 分钟之间", "must be from 1 to 1440 minutes"))
	common := p.Checklists[casework.CommissionSupply]
	j.require(len(terms.Checklist)+len(common) <= 30, field+".checklist", casework.Say("连同 commission_supply 的核对项最多 30 项", "at most 30 items, with those of commission_supply"))
	for i, item := range terms.Checklist {
		at := fmt.Sprintf("%s.checklist[%d]", field, i)
		j.require(strings.TrimSpace(item) != "" && len([]rune(item)) <= 60, at, casework.Say("请写明核对项（不超过60个字）", "name the item, in at most 60 characters"))
		j.require(!slices.Contains(common, item), at, casework.Say("commission_supply 的清单中已有此项", "the checklist of commission_supply has it already"))
		once(j, terms.Checklist, i, field+".checklist")
	}
	if small := p.Gas.Small.Meter; small.Valid() {
		_, priced := p.Terms().FixedPrice(class, small)
		j.require(priced, "gas.small.meter", casework.Sayf("价目表中没有%[1]s %[2]s 的一口价", "the price list has no fixed price of %[3]s customers up to %[2]s", class.Name(), small, class))
	}
}

// fixed judges what makes an item a fixed price.
func (j *judge) fixed(field string, price casework.Price) {
	f := price.Fixed
	if f == nil {
		return
	}
	j.require(price.Utility == casework.Gas, field, casework.Say("只有用气有一口价", "only gas has fixed prices"))
	j.require(f.Class.Valid(), field+".class", casework.Sayf("应为：%[1]v", "must be one of: %[1]v", casework.CustomerClasses()))
	j.require(f.Meter.Valid(), field+".meter", casework.Sayf("应为：%[1]v", "must be one of: %[1]v", casework.MeterSizes()))
}

// gasFields says what a policy says for gas alone.
func gasFields(g *casework.GasTerms) []Field {
	if g == nil {
		return nil
	}
	all := []Field{
		{"gas.small.meter", "小型标准化接入最大表具", string(g.Small.Meter)},
		{"gas.small.pipe_length", "小型标准化接入最长管线", fmt.Sprintf("%g 米", g.Small.PipeLength)},
		{"gas.atlas", "燃气标准图集", list(g.Atlas)},
	}
	for _, class := range casework.CustomerClasses() {
		path, terms := "gas."+string(class), g.Class(class)
		all = append(all,
			Field{path + ".contracts", class.Name() + "合同", list(terms.Contracts)},
			Field{path + ".tightness", class.Name() + "严密性试验", fmt.Sprintf("%g kPa, %d 分钟", terms.Tightness.Kilopascals, terms.Tightness.Minutes)})
		if len(terms.Checklist) > 0 {
			all = append(all, Field{path + ".checklist", class.Name() + "另行核对", strings.Join(terms.Checklist, "、")})
		}
	}
	return all
}
