package inbox

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms"
	"github.com/curbstop/curbstop/platforms/senders"
	"github.com/curbstop/curbstop/rounds"
)

// What sort of thing an item is.
const (
	sortIntake   = "intake"
	sortService  = "service"
	sortRating   = "rating"
	sortWithdraw = "withdraw"
	sortVisit    = "visit"
	sortPapers   = "papers"
)

// takeUp reads a message and takes up what it asks for, and records what became
// of it. An error means that this could not be done now: the message waits and
// is tried again. With wait it returns when the cases' first records are
// committed.
func (b *Inbox) takeUp(ctx context.Context, s *senders.Sender, m casework.InboxMessage, wait bool) (platforms.Outcome, error) {
	// Who goes away does not leave half of it behind.
	ctx = context.WithoutCancel(ctx)
	began := b.Now()
	m.Attempts++
	out, err := b.judge(ctx, s, m, wait)
	now := b.Now()
	log := b.Logger.With("sender", m.Sender, "kind", m.Kind, "message", m.ID, "attempts", m.Attempts)
	if err != nil {
		m.State, m.NextAt = casework.InboxReceived, now.Add(rounds.Backoff(m.Attempts, firstRetry, lastRetry))
		log.WarnContext(ctx, "A message waits to be taken up.", "next", m.NextAt, "error", err)
		if settleErr := b.Book.SettleMessage(ctx, m); settleErr != nil {
			// The lease ends by itself, and the message is found again.
			log.WarnContext(ctx, "That a message waits could not be noted.", "error", settleErr)
		}
		return out, err
	}
	m.Numbers, m.Fault, m.NextAt = out.Numbers, out.Fault, time.Time{}
	m.State, m.SettledAt = casework.InboxTakenUp, now
	code := ""
	if f := out.Fault; f != nil {
		m.State, code = casework.InboxKept, f.Code
		if f.Kind == casework.NotFound && now.Sub(m.ReceivedAt) < outOfOrder {
			m.NextAt = now.Add(rounds.Backoff(m.Attempts, firstRetry, lastRetry))
		}
	}
	if err := b.Book.SettleMessage(ctx, m); err != nil {
		return out, err
	}
	log.InfoContext(ctx, "A message was judged.", "state", m.State, "cases", len(m.Numbers), "before", out.Before, "code", code, "took", now.Sub(began))
	return out, nil
}

// judge has a message read and its items taken up.
func (b *Inbox) judge(ctx context.Context, s *senders.Sender, m casework.InboxMessage, wait bool) (out platforms.Outcome, err error) {
	out.Message = m.ID
	items, fault := b.read(ctx, s, &m)
	if fault != nil {
		out.Fault = fault
		return out, nil //nolint:nilerr // a message that can't be read has been judged: it is kept with the fault
	}
	out.Before = len(items) > 0
	var faults []itemFault
	came := 0 // attachments so far
	for _, item := range items {
		numbers, before, err := b.item(ctx, s, m, item, came, wait)
		came += len(item.Attachments)
		for _, n := range numbers {
			if !slices.Contains(out.Numbers, n) {
				out.Numbers = append(out.Numbers, n)
			}
		}
		out.Before = out.Before && before
		if err == nil {
			continue
		}
		f := casework.AsFault(err)
		if f.Kind == casework.Internal || f.Kind == casework.Unavailable {
			return out, err
		}
		faults = append(faults, itemFault{item.Key, f})
	}
	out.Fault = together(faults)
	return out, nil
}

// read has the adapter read a message. Whatever an adapter does with what
// strangers send, the message is kept.
func (b *Inbox) read(ctx context.Context, s *senders.Sender, m *casework.InboxMessage) (items []platforms.Item, fault *casework.Fault) {
	failed := casework.Refuse(casework.Invalid, "message_not_read", casework.Say(
		"来件无法读取，已完整保留，请人工核对", "the message could not be read; it is kept whole for a person to look at"))
	defer func() {
		if cause := recover(); cause != nil {
			b.Logger.ErrorContext(ctx, "An adapter fell over.", "sender", m.Sender, "kind", m.Kind, "message", m.ID, "cause", fmt.Sprintf("%T", cause), "stack", string(debug.Stack()))
			items, fault = nil, failed
		}
	}()
	if m.Encrypted {
		if s.Decrypt == nil {
			return nil, notDecrypted()
		}
		plain, err := s.Decrypt.Decrypt(m.Body)
		if err != nil {
			return nil, notDecrypted()
		}
		m.Body = plain
	}
	if err := zero(*m); err != nil {
		return nil, casework.AsFault(err)
	}
	items, err := s.Adapter.Read(asMessage(*m))
	if err == nil {
		return items, nil
	}
	if f := casework.AsFault(err); f.Kind != casework.Internal {
		return nil, f
	}
	b.Logger.ErrorContext(ctx, "An adapter gave an error that is no fault.", "sender", m.Sender, "kind", m.Kind, "message", m.ID, "error_type", fmt.Sprintf("%T", err))
	return nil, failed
}

// zero refuses a message in which a character stands that no case could keep.
func zero(m casework.InboxMessage) error {
	if strings.HasPrefix(m.ContentType, formType) && bytes.Contains(m.Body, []byte("%00")) {
		return casework.CheckZero([]byte{0})
	}
	return casework.CheckZero(m.Body)
}

func notDecrypted() *casework.Fault {
	return casework.Refuse(casework.Invalid, "not_decrypted", casework.Say(
		"来件无法解密，请核对双方密钥与算法", "the message can't be decrypted; compare the key and the cipher on both sides"))
}

func asMessage(m casework.InboxMessage) platforms.Message {
	return platforms.Message{ID: m.ID, Sender: m.Sender, Kind: m.Kind, ContentType: m.ContentType, Body: m.Body, ReceivedAt: m.ReceivedAt}
}

type itemFault struct {
	key   string
	fault *casework.Fault
}

// together is what is wrong with a message of which some items could not be
// taken up.
func together(faults []itemFault) *casework.Fault {
	switch len(faults) {
	case 0:
		return nil
	case 1:
		return faults[0].fault
	}
	var c casework.Check
	missing := true
	for _, f := range faults {
		c.Nested(f.key, f.fault)
		missing = missing && f.fault.Kind == casework.NotFound
	}
	all := casework.AsFault(c.Err())
	if missing {
		all.Kind, all.Code, all.Text = casework.NotFound, faults[0].fault.Code, faults[0].fault.Text
	}
	return all
}

// item takes up one thing, once for its sender and key. So many attachments of
// the message came before its own.
func (b *Inbox) item(ctx context.Context, s *senders.Sender, m casework.InboxMessage, item platforms.Item, came int, wait bool) (numbers []string, before bool, err error) {
	sort := sortOf(item)
	if sort == "" || item.Key == "" {
		return nil, false, casework.Refuse(casework.Invalid, "item_without_key", casework.Say(
			"来件没有自己的编号，无法保证只办理一次", "the item has no number of its own, so it could be taken up twice"))
	}
	was, found, err := b.Book.TakenUp(ctx, s.ID, sort, item.Key)
	if err != nil || found {
		return was.Numbers, found, err
	}
	papers, err := b.attachments(ctx, s, m, came, item.Attachments)
	if err != nil {
		return nil, false, err
	}
	external := ""
	switch sort {
	case sortIntake:
		for i := range item.Intake.Requests {
			item.Intake.Requests[i].Attachments = papers
		}
		external, numbers, before, err = b.intake(ctx, s, m, item, wait)
	case sortService:
		external = cmp.Or(item.Service.ExternalNumber, item.Key)
		item.Service.Attachments = papers
		numbers, before, err = b.service(ctx, s, m, *item.Service, external, wait)
	case sortPapers:
		external = item.Papers.External
		numbers, err = b.papers(ctx, s, item, papers)
	case sortRating:
		external = item.Rating.External
		numbers, err = b.rate(ctx, s, item)
	case sortWithdraw:
		external = item.Withdraw.External
		numbers, err = b.withdraw(ctx, s, item)
	case sortVisit:
		external = item.Visit.External
		numbers, err = b.visit(ctx, s, item)
	}
	if err != nil {
		return numbers, before, err
	}
	return numbers, before, b.Book.TakeUp(ctx, casework.InboxItem{
		Sender: s.ID, Sort: sort, Key: item.Key, Message: m.ID, External: external, Numbers: numbers, At: b.Now(),
	})
}

func sortOf(item platforms.Item) string {
	switch {
	case item.Intake != nil:
		return sortIntake
	case item.Service != nil:
		return sortService
	case item.Rating != nil:
		return sortRating
	case item.Withdraw != nil:
		return sortWithdraw
	case item.Visit != nil:
		return sortVisit
	case item.Papers != nil:
		return sortPapers
	default:
		return ""
	}
}

// intake accepts requests for a connection. What is wrong with one utility's is
// no reason against the other's; the whole is sent or replayed again later, and
// what was accepted stays accepted.
func (b *Inbox) intake(ctx context.Context, s *senders.Sender, m casework.InboxMessage, item platforms.Item, wait bool) (external string, numbers []string, before bool, err error) {
	requests := b.spread(s, item.Intake.Requests)
	if len(requests) == 0 {
		return "", nil, false, casework.Refuse(casework.Invalid, "no_request", casework.Say("来件中没有报装内容", "the message asks for nothing"))
	}
	external = cmp.Or(requests[0].ExternalNumber, item.Key)
	before = true
	var faults []itemFault
	var ours []casework.Request
	for _, r := range requests {
		r.ExternalNumber = external
		number, was, err := b.forward(ctx, s, r, len(requests) > 1)
		switch f := casework.AsFault(err); {
		case err == nil && number == "":
			ours = append(ours, r)
			continue
		case err == nil:
			numbers, before = append(numbers, number), before && was
		case f.Kind == casework.Internal || f.Kind == casework.Unavailable:
			return external, numbers, before, err
		default:
			faults = append(faults, itemFault{string(r.Utility), f})
		}
	}
	accepted, was, err := b.accept(ctx, s, m, ours, external, len(requests) > 1, wait)
	numbers, before = append(numbers, accepted...), before && was
	if f := casework.AsFault(err); err != nil {
		if f.Kind == casework.Internal || f.Kind == casework.Unavailable || len(faults) == 0 {
			return external, numbers, before, err
		}
		faults = append(faults, itemFault{string(ours[0].Utility), f})
	}
	if f := together(faults); f != nil {
		return external, numbers, before, f
	}
	return external, numbers, before, nil
}

// spread fills in what the sender leaves out because it never differs.
func (b *Inbox) spread(s *senders.Sender, requests []casework.Request) []casework.Request {
	var all []casework.Request
	for _, r := range requests {
		r.Channel = cmp.Or(r.Channel, s.Channel)
		r.Site.District = cmp.Or(r.Site.District, s.District)
		r = r.Normalise()
		if r.Utility != "" || len(s.Utilities) == 0 {
			all = append(all, r)
			continue
		}
		for _, u := range s.Utilities {
			r.Utility = u
			all = append(all, r)
		}
	}
	return all
}

// forward judges a request, and takes it in for the company that serves it where
// that is another one; there is no number where it is ours. A request that came
// with others bears their number and its utility.
func (b *Inbox) forward(ctx context.Context, s *senders.Sender, r casework.Request, joint bool) (number string, before bool, err error) {
	ours, err := b.Serves(ctx, r.Utility)
	if err != nil {
		return "", false, err
	}
	reason, foreign := r.Foreign(func(casework.Utility) bool { return ours })
	if !foreign {
		return "", false, r.Validate()
	}
	if err := r.ValidateForeign(); err != nil {
		return "", false, err
	}
	if joint {
		r.ExternalNumber += "/" + string(r.Utility)
	}
	f, fresh, err := b.Book.Forward(ctx, casework.Forwarding{Reason: reason, Request: r, By: s.Actor().ID, ReceivedAt: b.Now()})
	return f.Number, !fresh, err
}

// accept keeps requests of one customer and starts their cases. The receipts
// come first: where a start fails for now, an unstarted receipt is found and
// started. Of a joint request the sender is given the one number that the
// customer knows.
func (b *Inbox) accept(ctx context.Context, s *senders.Sender, m casework.InboxMessage, requests []casework.Request, external string, joint, wait bool) (numbers []string, before bool, err error) {
	if len(requests) == 0 {
		return nil, true, nil
	}
	var kept casework.JointReceipt
	var fresh bool
	if joint {
		kept, fresh, err = b.Book.AcceptTogether(ctx, external, requests, s.Actor(), b.Now())
	} else {
		kept, fresh, err = b.acceptOne(ctx, s, requests[0])
	}
	if err != nil {
		return nil, false, err
	}
	if err := another(s, kept, requests); err != nil {
		return nil, false, err
	}
	before = !fresh
	for _, app := range kept.Applications {
		before = before && app.State == casework.ApplicationApplied
		// First of all: where the lead would not have it, now or later, the sender
		// follows the request of its own that it is then.
		if err := b.follow(ctx, m, app.Case, external); err != nil {
			return nil, before, err
		}
		own, err := b.apply(ctx, s, app)
		if err != nil {
			return nil, before, err
		}
		if own != nil {
			kept.Receipts = append(kept.Receipts, *own)
			continue
		}
		if kept.Number == "" {
			numbers = append(numbers, app.Case)
		}
	}
	if kept.Number != "" {
		numbers = []string{kept.Number}
	}
	for _, receipt := range kept.Receipts {
		if kept.Number == "" {
			numbers = append(numbers, receipt.Number)
		}
		if err := b.follow(ctx, m, receipt.Number, external); err != nil {
			return numbers, before, err
		}
		if err := b.start(ctx, s, receipt, wait); err != nil {
			return numbers, before, err
		}
	}
	return numbers, before, nil
}

// another refuses what would be taken for a request that somebody else sent under
// the same number. The channel is theirs in common: one platform may send in two
// ways, and two parks may count alike.
func another(s *senders.Sender, kept casework.JointReceipt, requests []casework.Request) error {
	differs := func(by casework.Actor, was casework.Request) bool {
		return by.ID != s.Actor().ID && slices.ContainsFunc(requests, func(r casework.Request) bool { return r.Utility == was.Utility && !r.SameMatter(was) })
	}
	for _, receipt := range kept.Receipts {
		if differs(receipt.By, receipt.Request) {
			return casework.NumberOfAnother()
		}
	}
	for _, app := range kept.Applications {
		if differs(app.By, app.Request) {
			return casework.NumberOfAnother()
		}
	}
	return nil
}

// follow has a message's sender told how a case comes on that it asked for, also
// where another one had asked for it before.
func (b *Inbox) follow(ctx context.Context, m casework.InboxMessage, number, external string) error {
	return b.Book.Follow(ctx, casework.Follower{Case: number, Sender: m.Sender, External: external, Since: m.ReceivedAt})
}

// acceptOne keeps a request by itself, or as the application of the lead whose
// project it names.
func (b *Inbox) acceptOne(ctx context.Context, s *senders.Sender, r casework.Request) (casework.JointReceipt, bool, error) {
	app, found, err := b.Book.AcceptApplication(ctx, r, s.Actor(), b.Now())
	if err != nil || found {
		return casework.JointReceipt{Applications: []casework.LeadApplication{app}}, false, err
	}
	one, fresh, err := b.Book.Accept(ctx, r, s.Actor(), b.Now())
	return casework.JointReceipt{Receipts: []casework.Receipt{one}}, fresh, err
}

// apply tells a lead of the application that was kept for it, so that nothing is
// asked twice. Where the lead would not have it, it gives the receipt of the
// request of its own that it is then.
func (b *Inbox) apply(ctx context.Context, s *senders.Sender, app casework.LeadApplication) (*casework.Receipt, error) {
	if app.State == casework.ApplicationApplied {
		return nil, nil
	}
	own, err := b.Desk.Apply(ctx, app)
	if err != nil && casework.AsFault(err).Kind == casework.Unavailable {
		// It is kept, and the lead is told by who looks after such applications.
		b.Logger.WarnContext(ctx, "A lead is told of its application later.", "sender", s.ID, "case", app.Case, "error", err)
		return nil, nil
	}
	return own, err
}

// key names what is done to a case, so that doing it twice is doing it once.
func key(s *senders.Sender, sort, item, number string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{s.ID, sort, item, number}, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// rate records a customer's rating. A platform for ratings need not be the one
// that sent the request, so the number may be any sender's, or ours.
func (b *Inbox) rate(ctx context.Context, s *senders.Sender, item platforms.Item) ([]string, error) {
	r := item.Rating
	numbers, err := b.Book.NumbersOf(ctx, s.ID, r.External)
	if err == nil && len(numbers) == 0 {
		numbers, err = b.Book.NumbersOf(ctx, "", r.External)
	}
	if err != nil {
		return nil, err
	}
	comment := r.Text
	if strings.TrimSpace(comment) == "" {
		comment = strings.Join(r.Tags, "、")
	}
	return b.each(ctx, s, sortRating, item.Key, numbers, casework.Rate{By: casework.By{Actor: s.Actor()}, Level: r.Stars, Comment: comment})
}

// withdraw takes applications back, which only the platform may do that sent
// them.
func (b *Inbox) withdraw(ctx context.Context, s *senders.Sender, item platforms.Item) ([]string, error) {
	numbers, err := b.Book.NumbersOf(ctx, s.ID, item.Withdraw.External)
	if err != nil {
		return nil, err
	}
	reason := cmp.Or(strings.TrimSpace(item.Withdraw.Reason), "客户经"+s.Name+"撤回")
	return b.each(ctx, s, sortWithdraw, item.Key, numbers, casework.Withdraw{By: casework.By{Actor: s.Actor()}, Reason: reason})
}

// each does something to every case that a number stands for.
func (b *Inbox) each(ctx context.Context, s *senders.Sender, sort, item string, numbers []string, a casework.Action) ([]string, error) {
	if len(numbers) == 0 {
		return nil, casework.Refuse(casework.NotFound, "case_not_found", casework.Say(
			"没有找到此编号对应的案件；对方可能先于报装发送，将自动重试一天，也可人工更正后重放",
			"there is no case under this number; it may have come ahead of the request, so it is tried again for a day; a person may mend and replay it"))
	}
	for _, number := range numbers {
		_, err := b.Desk.Do(ctx, number, a, key(s, sort, item, number))
		if f := casework.AsFault(err); err != nil && f.Code != "already_withdrawing" {
			return numbers, err
		}
	}
	return numbers, nil
}

// service keeps a request for a transfer, a closing or an order of 12345, and
// starts its case.
func (b *Inbox) service(ctx context.Context, s *senders.Sender, m casework.InboxMessage, r casework.ServiceRequest, external string, wait bool) (numbers []string, before bool, err error) {
	r.Channel, r.District, r.ExternalNumber = cmp.Or(r.Channel, s.Channel), cmp.Or(r.District, s.District), external
	if r.Utility == "" && len(s.Utilities) == 1 {
		r.Utility = s.Utilities[0]
	}
	r = r.Normalise()
	if err := r.Validate(); err != nil {
		return nil, false, err
	}
	ours, err := b.Serves(ctx, r.Utility)
	if err != nil {
		return nil, false, err
	}
	if !ours {
		return nil, false, casework.Refuse(casework.Conflict, "utility_not_served", casework.Sayf(
			"%[1]s服务尚未在本系统开通，来件已完整保留", "%[2]s is not served by this installation; the message is kept whole", r.Utility.Name(), r.Utility))
	}
	receipt, fresh, err := b.Book.AcceptService(ctx, r, s.Actor(), b.Now())
	if err != nil {
		return nil, false, err
	}
	numbers = []string{receipt.Number}
	if err := b.follow(ctx, m, receipt.Number, external); err != nil {
		return numbers, !fresh, err
	}
	return numbers, !fresh, b.start(ctx, s, receipt, wait)
}

// visit records what 12345 found when it asked the caller about our answer.
func (b *Inbox) visit(ctx context.Context, s *senders.Sender, item platforms.Item) ([]string, error) {
	v := item.Visit
	numbers, err := b.Book.NumbersOf(ctx, s.ID, v.External)
	if err != nil {
		return nil, err
	}
	at := v.At
	if at.IsZero() {
		at = b.Now()
	}
	return b.each(ctx, s, sortVisit, item.Key, numbers, casework.RecordOrderVisit{
		By: casework.By{Actor: s.Actor()}, Satisfied: v.Satisfied, Solved: v.Solved, Comment: v.Note, VisitedAt: at,
	})
}

// start starts the case of a receipt. One that can't be started for now is found
// and started later.
func (b *Inbox) start(ctx context.Context, s *senders.Sender, receipt casework.Receipt, wait bool) error {
	if receipt.Started {
		return nil
	}
	err := b.Desk.Start(ctx, receipt, wait)
	if err != nil && casework.AsFault(err).Kind == casework.Unavailable {
		b.Logger.WarnContext(ctx, "A case that was accepted starts later.", "sender", s.ID, "case", receipt.Number, "error", err)
		return nil
	}
	return err
}
