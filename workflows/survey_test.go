package workflows_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/demo"
)

// What can't be connected yet is followed up without end (measures part 2,
// item 3). Fifty rounds leave no trace in the state but their number, so a case
// may wait for years.
func TestFollowUpGoesOnUntilConnectable(t *testing.T) {
	t.Parallel()
	const rounds = 50
	b := newBook(t)
	b.play(func(p *people) {
		p.reach(casework.FollowUp, demo.Choices{NotYet: true})
		early := size(t, p.snapshot)
		for range rounds {
			p.wait(p.snapshot.NextFollow.At(10 * 60).Sub(p.env.Now()))
			require.Equal(t, []string{"follow_up"}, p.kinds())
			p.finish(casework.FollowUp, demo.Choices{NotYet: true})
		}
		require.Equal(t, rounds, p.snapshot.FollowUps)
		require.Equal(t, rounds+1, p.task(casework.FollowUp).Round)
		require.Less(t, size(t, p.snapshot), early+500, "the state grows with the rounds")
		p.finish(casework.FollowUp)
		// The survey is agreed and held anew: what was found then is out of date.
		require.Equal(t, []string{"schedule_survey"}, p.kinds())
		require.Equal(t, rounds+2, p.task(casework.ScheduleSurvey).Round)
		require.Nil(t, p.snapshot.Survey)
		require.True(t, p.snapshot.ApplicationAt.IsZero())
		p.straight()
	})
	require.Equal(t, casework.Closed, b.snapshot.Status)
	require.Empty(t, b.escalations, "each follow-up took place on its date")
}

func size(t *testing.T, k *casework.Case) int {
	t.Helper()
	b, err := json.Marshal(k)
	require.NoError(t, err)
	return len(b)
}

// A follow-up is due on its own date, not a working day after it was agreed.
func TestFollowUpIsDueOnItsDate(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		followUp := p.reach(casework.FollowUp, demo.Choices{NotYet: true})
		d, ok := p.snapshot.Deadline(followUp.ID)
		require.True(t, ok)
		require.Equal(t, calendar.Date{Year: 2026, Month: 11, Day: 26}, p.snapshot.NextFollow)
		require.Equal(t, "2026-11-26 17:30", casework.Clock(d.Due.At))
		_, lane := p.snapshot.Deadline(casework.LaneDeadline)
		require.False(t, lane, "the service limit begins with the application, which does not exist yet")
		p.leave()
	})
}

func TestFollowUpEndsInWithdrawal(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		followUp := p.reach(casework.FollowUp, demo.Choices{NotYet: true})
		p.must(enter(followUp, casework.FollowUpInput{Result: "withdrawn", Note: "客户不再建设"}))
		require.Equal(t, "withdrawn", p.tasks[followUp.ID].Outcome)
	})
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, casework.Withdrawn, b.snapshot.Status)
	require.Equal(t, "客户不再建设", b.snapshot.Withdrawal)
	requireNothingLeft(t, b.ledger)
}

// requireNothingLeft sees to it that an ended case has no task and no deadline
// that goes on.
func requireNothingLeft(t *testing.T, l *ledger) {
	t.Helper()
	require.Empty(t, l.snapshot.Tasks)
	require.Empty(t, l.snapshot.Deadlines)
	for _, task := range l.tasks {
		require.NotEqual(t, casework.TaskOpen, task.State, task.ID)
	}
	for _, d := range l.deadlines {
		require.False(t, d.Live(), d.ID)
	}
}

// The customer may confirm the design with their code after the survey; until
// then nothing is uploaded, and engineering gets no papers to prepare by.
func TestUploadWaitsForDesignAndPapers(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		upload := p.reach(casework.UploadSurvey, demo.Choices{DesignLater: true})
		p.refused("design_not_confirmed", enter(upload, casework.UploadInput{}))
		p.must(casework.ConfirmDesign{By: byCustomer})
		p.refused("already_confirmed", casework.ConfirmDesign{By: byCustomer})
		f := p.refused("document_missing", enter(upload, casework.UploadInput{}))
		require.Contains(t, f.EN, string(casework.SurveyRecord))
		p.must(paper("record", casework.SurveyRecord))
		f = p.refused("document_missing", enter(upload, casework.UploadInput{}))
		require.Contains(t, f.EN, string(casework.ConstructionDrawing))
		p.must(paper("drawing", casework.ConstructionDrawing), enter(upload, casework.UploadInput{}))
		require.Equal(t, []string{"prepare_materials"}, p.kinds())
		p.straight()
	})
	require.Equal(t, casework.Closed, b.snapshot.Status)
}

func paper(id string, kind casework.DocumentKind) casework.AttachDocument {
	return casework.AttachDocument{By: byStaff, Document: casework.Document{ID: id, Kind: kind, Title: id + ".pdf", Key: id}}
}

func TestDesignCannotBeConfirmedBeforeThereIsOne(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		p.refused("no_design", casework.ConfirmDesign{By: byCustomer})
		p.leave()
	})
}
