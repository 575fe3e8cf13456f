package casework_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
)

// What a withdrawal would have to undo, and what the customer agreed to pay, is
// not passed on to another utility or service; to another district it is.
func TestWhatWouldHaveToBeUndoneIsNotPassedOn(t *testing.T) {
	t.Parallel()
	signed := casework.Contract{Kind: casework.SupplyContractKind, Number: "G1-YQ", DraftedAt: received, SignedAt: received}
	voided := signed
	voided.VoidedAt = now
	filed := casework.Permit{PermitNeed: casework.PermitNeed{Kind: casework.RoadOccupation}, FiledAt: received}
	refused, shared := filed, filed
	refused.DecidedAt, shared.SharedWith = now, "W1"
	agreed := &casework.Quote{AgreedAt: received}
	for name, c := range map[string]struct {
		change func(k *casework.Case)
		begun  bool
	}{
		"nothing": {func(*casework.Case) {}, false},
		"a drafted contract": {func(k *casework.Case) {
			k.Gas.Contracts = []casework.Contract{{Kind: casework.SupplyContractKind, DraftedAt: received}}
		}, false},
		"a signed contract":          {func(k *casework.Case) { k.Gas.Contracts = []casework.Contract{signed} }, true},
		"a voided contract":          {func(k *casework.Case) { k.Gas.Contracts = []casework.Contract{voided} }, false},
		"a quote that costs nothing": {func(k *casework.Case) { k.Gas.Quote = agreed }, false},
		"a quote that costs": {func(k *casework.Case) {
			k.Gas.Quote, k.Charges = agreed, []casework.Charge{{ID: "G1-C1", Kind: casework.InsideProperty, Amount: 100}}
		}, true},
		"a filed permit":          {func(k *casework.Case) { k.Permits = []casework.Permit{filed} }, true},
		"a refused permit":        {func(k *casework.Case) { k.Permits = []casework.Permit{refused} }, false},
		"the sibling's permit":    {func(k *casework.Case) { k.Permits = []casework.Permit{shared} }, false},
		"materials":               {func(k *casework.Case) { k.Materials = &casework.MaterialsInput{} }, true},
		"a card, after the meter": {func(k *casework.Case) { k.Meter, k.Gas.Card = &casework.MeterInput{}, &casework.CardInput{} }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, _ := newGasCase(t, casework.ContactCustomer, "")
			c.change(k)
			for _, a := range []casework.PassOn{{Utility: casework.Water}, {Service: casework.OrderCase}} {
				a.By, a.Reason = byAble, "客户要的不是用气"
				_, err := k.Try(a, now)
				if c.begun {
					require.Equal(t, "work_begun", casework.AsFault(err).Code)
				} else {
					require.NoError(t, err)
				}
			}
			_, err := k.Try(casework.PassOn{By: byAble, District: "340202", Reason: "地址在镜湖区"}, now)
			require.NoError(t, err)
		})
	}
}

// A lead that was passed on to another district is found by its application
// all the same, which may still name the old one. While it is being passed on
// to another utility it takes none: what an application says would be lost.
func TestAnApplicationMeetsALeadThatIsPassedOn(t *testing.T) {
	t.Parallel()
	lead := soundRequest()
	lead.Lead = true
	k := casework.NewCase("W1", lead, terms(), able, received)
	apply := casework.Apply{By: byAble, Request: soundRequest()}
	elsewhere := apply
	elsewhere.Request.Site.District = "340207"
	_, err := k.Try(elsewhere, now)
	require.Equal(t, []string{"site.district"}, wrong(t, err))

	moved, err := k.Try(casework.PassOn{By: byAble, District: "340202", Reason: "地址在镜湖区"}, now)
	require.NoError(t, err)
	applied, err := moved.Try(apply, now)
	require.NoError(t, err)
	require.EqualValues(t, "340202", applied.Request.Site.District)
	_, err = moved.Try(elsewhere, now)
	require.Equal(t, []string{"site.district"}, wrong(t, err))

	passing, err := k.Try(casework.PassOn{By: byAble, Utility: casework.Gas, Reason: "客户要的是用气"}, now)
	require.NoError(t, err)
	_, err = passing.Try(apply, now)
	require.Equal(t, "case_ended", casework.AsFault(err).Code)
}
