package workflows_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"

	"github.com/curbstop/curbstop/activities"
	"github.com/curbstop/curbstop/casework"
)

// sent is a paper that came along in a message.
func sent(id, message string, kind casework.DocumentKind) casework.Attachment {
	return casework.Attachment{ID: id, Kind: kind, Title: "营业执照.png", Sender: "gonggai", Message: message, SHA256: "aa"}
}

func titles(l *ledger) []string {
	var all []string
	for _, d := range l.snapshot.Documents {
		if !d.Drafted {
			all = append(all, d.ID+" "+string(d.Kind)+" "+d.MediaType+" "+d.Message+d.Reference+" "+d.By)
		}
	}
	return all
}

func left(l *ledger) []string {
	var all []string
	for _, e := range l.events {
		if e.Kind == casework.AttachmentLeft {
			all = append(all, e.Note.ZH)
		}
	}
	return all
}

// What came along with a request is filed without anybody's doing, also while
// the archive was out of reach at first; what no upload would be taken for stays
// in its message, and the case says so.
func TestWhatCameAlongIsFiled(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.records.messages = map[string][]byte{"M1": png, "M2": []byte("<html><script>alert(1)</script></html>")}
	link := casework.Attachment{ID: "M1-3", Kind: casework.RequestPaper, Title: "规划许可证", Sender: "gonggai", Message: "M1", Reference: "建字第1号"}
	b.input.Request.Attachments = []casework.Attachment{sent("M1-1", "M1", casework.RequestPaper), sent("M2-1", "M2", casework.RequestPaper), link}
	down := 3
	archive := b.archive
	b.archive = func(key string) (int64, string, error) {
		if down--; down >= 0 {
			return 0, "", errors.New("the archive is out of reach")
		}
		return archive(key)
	}
	b.play(func(p *people) {
		require.Equal(t, []string{"contact_customer"}, p.kinds(), "the case is open while its papers wait")
		p.wait(time.Minute)
		require.Equal(t, []string{"M1-1 request_attachment image/png M1 gonggai", "M1-3 request_attachment  M1建字第1号 gonggai"}, titles(p.ledger))
		require.Len(t, left(p.ledger), 1)
		require.Contains(t, left(p.ledger)[0], "留在来件 M2 中")
		require.Empty(t, p.snapshot.Unfiled())
		p.straight()
	})
	require.Len(t, titles(b.ledger), 2+3, "and what people uploaded")
	require.NotContains(t, b.snapshot.Broken, casework.ZeroDocument)
	requireNothingLeft(t, b.ledger)
}

// Many papers are filed a few at a time, each time with the time that a try has:
// else a message with many large ones would never be done.
func TestManyPapersAreFiledInBatches(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.records.messages = map[string][]byte{"M1": png}
	for i := range 25 {
		b.input.Request.Attachments = append(b.input.Request.Attachments, sent(fmt.Sprintf("M1-%02d", i+1), "M1", casework.RequestPaper))
	}
	var batches []int
	b.env.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, args converter.EncodedValues) {
		var in activities.AttachmentsInput
		if info.ActivityType.Name == "FileAttachments" && args.Get(&in) == nil {
			batches = append(batches, len(in.Attachments))
		}
	})
	b.play(func(p *people) {
		p.wait(time.Minute)
		require.Empty(t, p.snapshot.Unfiled())
		p.must(casework.Withdraw{By: byStaff, Reason: "不要了"})
	})
	require.Equal(t, []int{10, 10, 5}, batches)
	require.Len(t, titles(b.ledger), 25)
}

// An application that joins a lead brings its papers; those that the lead had
// already are not filed again.
func TestApplicationBringsItsPapersToTheLead(t *testing.T) {
	t.Parallel()
	r := aLead(casework.Water)
	r.Attachments = []casework.Attachment{sent("M1-1", "M1", casework.RequestPaper)}
	b := leadBook(t, r)
	b.records.messages = map[string][]byte{"M1": png, "M2": png}
	b.play(func(p *people) {
		p.wait(time.Second)
		require.Len(t, titles(p.ledger), 1)
		apply := application()
		apply.Request.Attachments = []casework.Attachment{sent("M1-1", "M1", casework.RequestPaper), sent("M2-1", "M2", casework.RequestPaper)}
		p.must(apply)
		p.wait(time.Second)
		require.Equal(t, []string{"M1-1 request_attachment image/png M1 gonggai", "M2-1 request_attachment image/png M2 gonggai"}, titles(p.ledger))
		p.must(casework.Withdraw{By: byStaff, Reason: "不要了"})
	})
}

// Papers that a platform sends later are told to the case, once each; a case
// that ends meanwhile files them before it is gone.
func TestPapersComeLater(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.records.messages = map[string][]byte{"M5": png}
	platform := casework.By{Actor: casework.Actor{ID: "gonggai", Roles: []casework.Role{casework.Platform}, Districts: []casework.District{casework.AllDistricts}}}
	bring := casework.BringAttachments{By: platform, Attachments: []casework.Attachment{sent("M5-1", "M5", casework.RequestPaper)}}
	down := true
	archive := b.archive
	b.archive = func(key string) (int64, string, error) {
		if down {
			return 0, "", errors.New("the archive is out of reach")
		}
		return archive(key)
	}
	b.play(func(p *people) {
		p.must(bring)
		p.must(bring)
		require.Len(t, p.snapshot.Unfiled(), 1)
		p.must(casework.Withdraw{By: byStaff, Reason: "不要了"})
		p.wait(time.Minute) // the test environment tries for ten minutes only
		require.True(t, p.snapshot.Status.Ended())
		down = false
	})
	require.Equal(t, []string{"M5-1 request_attachment image/png M5 gonggai"}, titles(b.ledger))
}

// A closing whose holder's identity card came along asks nobody for it.
func TestPaperThatCameAlongIsNotAskedFor(t *testing.T) {
	t.Parallel()
	r := closing()
	r.Certificates = nil
	r.Attachments = []casework.Attachment{sent("M9-1", "M9", casework.IdentityPaper)}
	b := newServiceBook(t, r, nil)
	b.records.messages = map[string][]byte{"M9": png}
	b.play(func(p *people) {
		p.comes(casework.CheckAccount)
		require.Equal(t, []string{"check_account"}, p.kinds())
		require.Equal(t, []string{"M9-1 identity_certificate image/png M9 gonggai"}, titles(p.ledger))
		p.must(casework.Withdraw{By: byStaff, Reason: "不要了"})
	})
}
