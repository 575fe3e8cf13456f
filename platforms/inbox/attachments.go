package inbox

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms"
	"github.com/curbstop/curbstop/platforms/senders"
)

// maxTitle is how long a document's title may be, in characters.
const maxTitle = 200

// attachments notes what came along with an item, without the files: they stay
// in the kept message until a case puts them into the archive. The first of them
// is the nth of its message; as whose document it is filed follows from that, so
// that it is filed once, however often the message is taken up.
func (b *Inbox) attachments(ctx context.Context, s *senders.Sender, m casework.InboxMessage, n int, came []platforms.Attachment) ([]casework.Attachment, error) {
	var all []casework.Attachment
	for i, c := range came {
		if i == maxAttachments {
			rest := len(came) - i
			return append(all, casework.Attachment{
				ID: fmt.Sprintf("%s-%d", m.ID, n+i+1), Kind: casework.RequestPaper, Title: fmt.Sprintf("其余 %d 份", rest), Sender: s.ID, Message: m.ID,
				Left: casework.Sayf("一件最多归档 %[1]d 份，其余 %[2]d 份留在来件中", "at most %[1]d papers of one request are filed; %[2]d more stay in the message", maxAttachments, rest),
			}), nil
		}
		a := casework.Attachment{
			ID: fmt.Sprintf("%s-%d", m.ID, n+i+1), Kind: cmp.Or(c.Kind, casework.RequestPaper), Sender: s.ID, Message: m.ID, Reference: c.Reference,
		}
		if c.Upload != "" {
			sent, found, err := b.upload(ctx, s, c.Upload)
			if err != nil {
				return nil, err
			}
			if a.Reference = c.Upload; found {
				a.Holds, a.Reference, c.Content, c.Name = c.Upload, "", sent.Content, sent.Name
			}
		}
		// A number may be a person's own: titles are seen by more people.
		a.Title = short(cmp.Or(c.Name, a.Kind.Name()+" "+cmp.Or(c.Upload, c.Field)), maxTitle)
		a.Reference = short(a.Reference, maxReference)
		if len(c.Content) > 0 {
			a.SHA256 = hashOf(c.Content)
		}
		all = append(all, a)
	}
	return all, nil
}

// maxAttachments bounds what travels with one request.
const maxAttachments = 100

// maxReference is how long a number or a link may be, in characters.
const maxReference = 500

func short(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}

func hashOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// upload finds a file that its sender sent ahead, by the ID of its message.
// False: there is none, or it is another sender's.
func (b *Inbox) upload(ctx context.Context, s *senders.Sender, id string) (platforms.Attachment, bool, error) {
	m, err := b.Book.InboxMessage(ctx, id)
	switch {
	case err != nil && casework.AsFault(err).Kind == casework.NotFound:
		return platforms.Attachment{}, false, nil
	case err != nil:
		return platforms.Attachment{}, false, err
	case m.Sender != s.ID:
		return platforms.Attachment{}, false, nil
	}
	items, _ := b.read(ctx, s, &m)
	for _, item := range items {
		if item.Papers != nil && item.Papers.External == "" && len(item.Attachments) > 0 {
			return item.Attachments[0], true, nil
		}
	}
	return platforms.Attachment{}, false, nil
}

// Attachment gives the file of an attachment from the message in which it lies.
// The message never changes; it is read again, so that no file is kept twice.
func (b *Inbox) Attachment(ctx context.Context, a casework.Attachment) ([]byte, error) {
	id := cmp.Or(a.Holds, a.Message)
	m, err := b.Book.InboxMessage(ctx, id)
	if err != nil {
		return nil, err
	}
	s, ok := b.Senders.Find(m.Sender)
	if !ok {
		return nil, fmt.Errorf("message %s: the sender %s is not configured any more", id, m.Sender)
	}
	items, fault := b.read(ctx, s, &m)
	if fault != nil {
		return nil, fmt.Errorf("message %s can't be read any more: %s", id, fault.Code)
	}
	for _, item := range items {
		for _, c := range item.Attachments {
			if hashOf(c.Content) == a.SHA256 {
				return c.Content, nil
			}
		}
	}
	return nil, fmt.Errorf("message %s is read otherwise than before: it has no file %s", id, a.ID)
}

// papers tells the cases that a sender knows under a number of papers that came
// after the request. Those of a file that is sent ahead, and those of what has no
// case, or whose case has ended or is full, stay in their message.
func (b *Inbox) papers(ctx context.Context, s *senders.Sender, item platforms.Item, came []casework.Attachment) ([]string, error) {
	if item.Papers.External == "" {
		return nil, nil
	}
	numbers, err := b.Book.NumbersOf(ctx, s.ID, item.Papers.External)
	if err != nil || len(numbers) == 0 {
		return nil, err
	}
	var told []string
	for _, number := range numbers {
		switch got, err := b.each(ctx, s, sortPapers, item.Key, []string{number}, casework.BringAttachments{By: casework.By{Actor: s.Actor()}, Attachments: came}); {
		case err == nil:
			told = append(told, got...)
		case casework.AsFault(err).Code != "case_ended" && casework.AsFault(err).Code != "too_many_documents":
			return told, err
		}
	}
	return told, nil
}
