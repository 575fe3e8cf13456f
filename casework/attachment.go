package casework

import (
	"slices"
	"time"
)

// Attachment is a paper that came along with what a platform sent (随件材料). Its
// file lies in the message as it was kept, until it is put into the archive; of
// one that lies with somebody else only the reference came.
type Attachment struct {
	ID        string       `json:"id"` // of the document that it becomes
	Kind      DocumentKind `json:"kind"`
	Title     string       `json:"title"` // the file's name as people see it
	Sender    string       `json:"sender"`
	Message   string       `json:"message"`             // the kept message that brought it
	Holds     string       `json:"holds,omitempty"`     // the kept message in which its file lies, where that is another one
	SHA256    string       `json:"sha256,omitempty"`    // of the file, lower hex; empty where only a reference came
	Reference string       `json:"reference,omitempty"` // its number or link, where the original lies elsewhere
	// Left says why it was not filed: the message alone has it.
	Left Text `json:"left,omitzero"`
}

// Document is the record of an attachment of which the bytes, if any, are not
// in the archive yet.
func (a Attachment) Document() Document {
	return Document{ID: a.ID, Kind: a.Kind, Title: a.Title, Message: a.Message, Reference: a.Reference, By: a.Sender}
}

// BroughtKinds lists the kinds of document as which an attachment may be filed.
// What we owe ourselves, such as a drawing or a permit's receipt, is not among
// them: a paper that somebody else sent never stands for it.
func BroughtKinds() []DocumentKind {
	return []DocumentKind{RequestPaper, IdentityPaper, TitlePaper, SaleContractPaper, OtherPaper}
}

// Filed is what became of an attachment: it is a document, or stays in its
// message for a reason.
type Filed struct {
	Document Document `json:"document"`
	Left     Text     `json:"left,omitzero"`
}

// Unfiled lists the attachments that are still to be put into the archive.
func (k *Case) Unfiled() []Attachment {
	var waiting []Attachment
	for _, a := range k.Request.Attachments {
		if a.Left == (Text{}) && !k.hasDocument(a.ID) {
			waiting = append(waiting, a)
		}
	}
	return waiting
}

// FileAttachments attaches what came along and lies in the archive by now, and
// notes what was left in its message.
func (k *Case) FileAttachments(filed []Filed, now time.Time) {
	attached := false
	for _, f := range filed {
		d := f.Document
		i := slices.IndexFunc(k.Request.Attachments, func(a Attachment) bool { return a.ID == d.ID })
		if i < 0 || k.hasDocument(d.ID) || k.Request.Attachments[i].Left != (Text{}) {
			continue
		}
		left := f.Left
		if len(k.Documents) >= maxDocuments {
			left = Sayf("每案最多 %d 份材料", "a case holds at most %d documents", maxDocuments)
		}
		if left != (Text{}) {
			k.Request.Attachments[i].Left = left
			k.record(now, System(), AttachmentLeft, "", Text{
				ZH: "随件材料未归档，留在来件 " + d.Message + " 中：" + left.ZH, EN: "an attachment was not filed and stays in message " + d.Message + ": " + left.EN,
			}, map[string]string{"document": d.ID, "title": d.Title})
			continue
		}
		d.At = now
		k.attach(d, Actor{ID: d.By}, now)
		attached = true
	}
	if attached {
		k.touch(now, System(), ZeroDocument, false, Say("材料随申请推送，客户无需提供", "papers came along with the request; the customer brings none"))
	}
}

// BringAttachments adds papers that a platform sends after the request, of which
// a case that runs is told.
type BringAttachments struct {
	By
	Attachments []Attachment `json:"attachments"`
}

// Apply implements [Action].
func (a BringAttachments) Apply(k *Case, now time.Time) error {
	if err := a.check(k); err != nil {
		return err
	}
	if err := a.need(Platform); err != nil {
		return err
	}
	before := len(k.Request.Attachments)
	if before >= maxDocuments {
		return Refuse(Conflict, "too_many_documents", Sayf("每案最多 %d 份材料", "a case holds at most %d documents", maxDocuments))
	}
	k.Request.Attachments = with(k.Request.Attachments, a.Attachments)
	if n := len(k.Request.Attachments) - before; n > 0 {
		k.record(now, a.Actor, AttachmentsBrought, "", Sayf("来件补送材料 %d 份", "%d papers came after the request", n), nil)
	}
	return nil
}

// with adds attachments to those that a request has, each once.
func with(have, more []Attachment) []Attachment {
	all := slices.Clone(have)
	for _, a := range more {
		if !slices.ContainsFunc(all, func(b Attachment) bool { return a.ID == b.ID }) {
			all = append(all, a)
		}
	}
	return all
}
