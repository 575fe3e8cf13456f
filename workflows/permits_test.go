package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/demo"
)

var (
	road  = casework.PermitNeed{Kind: casework.RoadOccupation}
	green = casework.PermitNeed{Kind: casework.GreenSpaceOccupation}
	trees = casework.PermitNeed{Kind: casework.RoadExcavation, FellsTrees: true}
)

// toPermits brings a case to the moment at which the survey is uploaded and the
// permits that it found necessary are open.
func (p *people) toPermits(c demo.Choices) {
	p.t.Helper()
	p.reach(casework.UploadSurvey, c)
	p.finish(casework.UploadSurvey)
}

func TestPermitsGoSideBySideWithTheMaterials(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		p.toPermits(demo.Choices{Permits: []casework.PermitNeed{road, green}})
		require.Equal(t, []string{"file_permit/green_space_occupation", "file_permit/road_occupation", "prepare_materials"}, p.kinds())
		p.finish(casework.FilePermit)
		require.Equal(t, []string{"file_permit/green_space_occupation", "prepare_materials", "record_permit_result/road_occupation"}, p.kinds())
		p.finish(casework.RecordPermitResult)
		p.finish(casework.HandOverPermit)
		require.Equal(t, []string{"file_permit/green_space_occupation", "prepare_materials"}, p.kinds())
		p.straight()
	})
	require.Equal(t, casework.Closed, b.snapshot.Status)
	for _, permit := range b.snapshot.Permits {
		require.True(t, permit.Granted, permit.Kind)
		require.Equal(t, casework.JointCommitment, permit.Route)
		require.NotEmpty(t, permit.ReceiptNumber)
		require.False(t, permit.HandedOverAt.IsZero())
	}
}

// A refusal is handed to engineering too (the measures name every result), and
// only then the permit is filed again.
func TestRefusedPermitIsFiledAgain(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		p.toPermits(demo.Choices{Permits: []casework.PermitNeed{road}})
		p.finish(casework.PrepareMaterials)
		for attempt := 1; attempt <= 3; attempt++ {
			require.Equal(t, attempt, p.finish(casework.FilePermit).Round)
			p.finish(casework.RecordPermitResult, demo.Choices{RefusePermit: true})
			require.Equal(t, []string{"hand_over_permit/road_occupation"}, p.kinds())
			p.finish(casework.HandOverPermit)
			require.Equal(t, []string{"file_permit/road_occupation"}, p.kinds())
			require.True(t, p.snapshot.TaskOrderAt.IsZero())
		}
		p.straight()
	})
	require.Equal(t, casework.Closed, b.snapshot.Status)
	require.Equal(t, 4, b.snapshot.Permits[0].Attempt)
	outcomes := map[string]int{}
	for _, task := range b.tasks {
		if task.Kind == casework.RecordPermitResult {
			outcomes[task.Outcome]++
		}
	}
	require.Equal(t, map[string]int{"refused": 3, "granted": 1}, outcomes)
}

// The joint commitment does not cover trees. What goes the ordinary way stops
// the service limit's clock from filing to result: the due moment moves by the
// working time between the two, no more and no less.
func TestOrdinaryApprovalStopsTheServiceLimit(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		p.toPermits(demo.Choices{Permits: []casework.PermitNeed{trees}})
		require.Equal(t, casework.OrdinaryRoute, p.snapshot.Permits[0].Route)
		lane := func() *casework.Deadline {
			d, ok := p.snapshot.Deadline(casework.LaneDeadline)
			require.True(t, ok)
			return d
		}
		require.Equal(t, "2026-11-24 17:30", casework.Clock(lane().Due.At))

		p.until("2026-11-23 11:00")
		p.finish(casework.FilePermit)
		require.True(t, lane().Due.Stopped)
		require.Equal(t, 11*time.Hour+30*time.Minute, lane().Due.Remaining)

		p.until("2026-11-26 11:00")
		require.Empty(t, laneRungs(p.ledger), "no rung of a clock that stands")
		p.finish(casework.RecordPermitResult)
		// Three whole working days passed, and so the limit ends three later.
		require.Equal(t, "2026-11-27 17:30", casework.Clock(lane().Due.At))
		require.Equal(t, []casework.Hold{{Reason: "permit:road_excavation", From: at(t, "2026-11-23 11:00"), To: at(t, "2026-11-26 11:00")}}, lane().Holds)
		p.straight()
	})
	require.Equal(t, casework.Closed, b.snapshot.Status)
	d := b.deadlines[casework.LaneDeadline]
	require.False(t, d.Overdue(b.env.Now()))
}

func laneRungs(l *ledger) []string {
	var ids []string
	for id, e := range l.escalations {
		if e.Deadline == casework.LaneDeadline {
			ids = append(ids, id)
		}
	}
	return ids
}

// Two permits that overlap stop the clock once, for as long as either is
// pending.
func TestOverlappingPermitsStopTheClockOnce(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		p.toPermits(demo.Choices{Permits: []casework.PermitNeed{road, green}})
		p.until("2026-11-23 11:00")
		p.finish(casework.FilePermit)
		p.until("2026-11-24 11:00")
		p.finish(casework.FilePermit)
		p.until("2026-11-25 11:00")
		p.finish(casework.RecordPermitResult)
		d, _ := p.snapshot.Deadline(casework.LaneDeadline)
		require.True(t, d.Due.Stopped, "the other is pending still")
		p.until("2026-11-26 11:00")
		p.finish(casework.RecordPermitResult)
		d, _ = p.snapshot.Deadline(casework.LaneDeadline)
		require.Equal(t, "2026-11-27 17:30", casework.Clock(d.Due.At))
		p.straight()
	})
	require.Equal(t, casework.Closed, b.snapshot.Status)
}

// Each permit has a receipt of its own among the eight documents.
func TestEachPermitNeedsItsReceipt(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		p.toPermits(demo.Choices{Permits: []casework.PermitNeed{road, green}})
		p.finish(casework.FilePermit)
		p.finish(casework.FilePermit)
		p.must(enter(p.task(casework.RecordPermitResult), casework.PermitResultInput{Granted: true, DecidedAt: p.env.Now(), ReceiptNumber: "HZ1"}))
		p.must(paper("receipt-1", casework.PermitReceipt))
		p.must(enter(p.task(casework.RecordPermitResult), casework.PermitResultInput{Granted: true, DecidedAt: p.env.Now(), ReceiptNumber: "HZ2"}))
		entry := p.reach(casework.CompleteEntry)
		p.must(paper("price", casework.PriceControlSheet), casework.ConfirmAcceptance{By: byCustomer})
		f := p.refused("documents_missing", enter(entry, casework.EntryInput{}))
		require.Equal(t, "documents are missing: 市政联合审批回执(permit_receipt)", f.EN)
		p.must(paper("receipt-2", casework.PermitReceipt), enter(entry, casework.EntryInput{}))
		p.straight()
	})
	require.Equal(t, casework.Closed, b.snapshot.Status)
}
