package workflows

import (
	"slices"
	"time"

	"github.com/curbstop/curbstop/casework"
)

// What the stages of a connection do otherwise for gas (section 4 of the
// process). For water each of these changes nothing.

// deferred: what the request was accepted without is asked for from the first
// moment, beside everything else.
func (w *connection) deferred(now time.Time) {
	k := w.state
	if k.Request.Lead {
		return // nobody has applied yet, so nothing is lacking
	}
	for _, item := range k.Deferred() {
		k.Need(casework.CompleteDeferred, string(item), 1, k.ReceivedAt, now)
	}
}

// designed: a connection that is not small gets a design of its own. In the
// stage of the survey, so that permits are filed with its drawing; one that the
// customer wants otherwise is designed anew beside the permits.
func (w *connection) designed(now time.Time) bool {
	k := w.state
	if k.NeedsDesign() {
		k.Need(casework.DesignConnection, "", k.Gas.Revisions+1, now, now)
		return false
	}
	return true
}

// agreement: the customer agrees to the quote, then signs the contracts; beside
// the permits, and before construction. Before anybody has applied, the quote
// may be agreed, the contracts not (measures part 3, item 3).
func (w *connection) agreement(now time.Time) bool {
	k := w.state
	if k.Request.Utility != casework.Gas {
		return true
	}
	if !w.designed(now) {
		return false
	}
	if !w.agreed() {
		k.Need(casework.AgreeQuote, "", k.Gas.Revisions+1, now, now)
		return false
	}
	if w.signed() {
		return true // whatever is corrected later stops no construction
	}
	if k.Request.Lead {
		return true // the contracts, like construction, wait for the application
	}
	if k.ApplicationAt.IsZero() || len(k.Deferred()) > 0 {
		return false
	}
	k.DraftContracts(now)
	for _, c := range k.Gas.Contracts {
		if c.SignedAt.IsZero() {
			k.Need(casework.SignContracts, string(c.Kind), 1, now, now)
		}
	}
	return w.signed() || len(k.Gas.Contracts) == 0
}

// signed tells whether the customer has signed every contract.
func (w *connection) signed() bool {
	contracts := w.state.Gas.Contracts
	return len(contracts) > 0 && !slices.ContainsFunc(contracts, func(c casework.Contract) bool { return c.SignedAt.IsZero() })
}

// agreed tells whether the customer has agreed to what is built and charged.
func (w *connection) agreed() bool {
	q := w.state.Gas.Quote
	return q != nil && !q.AgreedAt.IsZero()
}

// materials are prepared from the survey on; for gas once the customer has
// applied and agreed, because another wish brings another design. It tells
// whether nothing more is to be prepared now.
func (w *connection) materials(now time.Time) bool {
	k := w.state
	switch {
	case k.Materials != nil:
		return true
	case k.Request.Utility != casework.Gas:
		k.Need(casework.PrepareMaterials, "", 1, k.UploadedAt, now)
	case k.Request.Lead:
		return true
	case w.agreed():
		k.Need(casework.PrepareMaterials, "", 1, now, now)
	}
	return false
}

// supply: water is turned on. Gas is let in and lit when the installation is
// safe; until then hazards are remedied and it is checked again.
func (w *connection) supply(now time.Time) {
	k := w.state
	switch {
	case k.Request.Utility != casework.Gas:
		k.Need(casework.TurnOnSupply, "", 1, now, now)
	case k.Gas.Hazard != "":
		k.Need(casework.RemedyHazard, "", k.Gas.Failed, now, now)
	default:
		k.Need(casework.CommissionSupply, "", k.Gas.Failed+1, now, now)
	}
}

// card: gas that is paid for ahead needs a card, and nobody who reads the meter.
func (w *connection) card(now time.Time) {
	if k := w.state; k.Gas.Card == nil {
		k.Need(casework.IssueCard, "", 1, k.Supply.SuppliedAt, now)
	}
}

// meterToCome tells whether a gas meter is being replaced, so that nobody knows
// yet how it will be read.
func (w *connection) meterToCome() bool {
	return w.state.Request.Utility == casework.Gas && w.state.Meter == nil
}
