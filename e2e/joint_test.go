package e2e_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
)

// A joint request joins the lead that is open for one of its utilities, whose
// workflow has run without a sibling so far; a process that ends before the
// lead of another is told loses nothing, and a lead that was dropped leaves its
// place. In each pair the two hear of each other.
func TestAJointRequestJoinsALead(t *testing.T) {
	t.Parallel()
	asked := func(external, project string) map[string]any {
		r := request(external)
		delete(r, "utility")
		r["utilities"], r["project"] = []string{"water", "gas"}, project
		return r
	}
	lead := func(project string) opened {
		r := request("lead-" + project)
		r["utility"], r["lead"], r["project"] = "gas", true, project
		var o opened
		require.NoError(t, as(casework.ServiceHall).Post(t.Context(), "/v1/connection-requests", "lead-"+project, r, &o))
		return o
	}
	knowEachOther := func(water, gas string) {
		require.Eventually(t, func() bool {
			for number, sibling := range map[string]string{water: gas, gas: water} {
				k, err := place.Store.Case(t.Context(), number)
				if err != nil || k.Joint == nil || k.Joint.Sibling != sibling || k.Joint.Known == nil || k.Request.Lead {
					return false
				}
			}
			return true
		}, 30*time.Second, 50*time.Millisecond)
	}
	type answer struct {
		Number string   `json:"number"`
		Cases  []opened `json:"cases"`
	}

	first := lead("2026-340202-50-01-000101")
	var got answer
	require.NoError(t, as(casework.ServiceHall).Post(t.Context(), "/v1/joint-requests", "joins-a-lead-1", asked("joint-1", "2026-340202-50-01-000101"), &got))
	require.Equal(t, first.Number, got.Cases[1].Number)
	knowEachOther(got.Cases[0].Number, first.Number)

	hall := casework.Actor{ID: "hall-01", Roles: []casework.Role{casework.ServiceHall}, Districts: []casework.District{casework.AllDistricts}}
	// Written down and never told, by a process that ended; of the second the
	// lead has been dropped meanwhile.
	for i, dropped := range []bool{false, true} {
		project := []string{"2026-340202-50-01-000102", "2026-340202-50-01-000103"}[i]
		first := lead(project)
		k, err := place.Store.Case(t.Context(), first.Number)
		require.NoError(t, err)
		r := k.Request
		r.Lead, r.ExternalNumber = false, ""
		water := r
		water.Utility = casework.Water
		rec, _, err := place.Store.AcceptTogether(t.Context(), "orphan-"+project, []casework.Request{water, r}, hall, time.Now().Add(-time.Hour))
		require.NoError(t, err)
		require.Equal(t, first.Number, rec.Applications[0].Case)
		if dropped {
			require.NoError(t, as("").Post(t.Context(), "/v1/public/cases/"+first.Number+"/withdraw", "drop-"+project,
				map[string]any{"code": first.Code, "reason": "不办了"}, nil))
		}
		ctx := context.WithoutCancel(t.Context())
		for _, catchUp := range []func(context.Context) (int, error){place.Desk.CatchUp, place.Desk.CatchUpApplications, place.Desk.CatchUp} {
			_, err := catchUp(ctx)
			require.NoError(t, err)
		}
		all, err := place.Store.JointReceipt(t.Context(), rec.Number)
		require.NoError(t, err)
		require.Len(t, all.Receipts, 2)
		require.Equal(t, dropped, all.Receipts[1].Number != first.Number)
		knowEachOther(all.Receipts[0].Number, all.Receipts[1].Number)
	}
}
