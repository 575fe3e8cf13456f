package casework

import (
	"slices"
	"time"
)

// Zero is one of the seven zeros (七零) that a contact with a customer counts
// against or keeps.
type Zero string

// The seven zeros.
const (
	ZeroVisit       Zero = "no_visit"       // 零见面
	ZeroApplication Zero = "no_application" // 零申请
	ZeroErrand      Zero = "no_errand"      // 零跑腿
	ZeroDocument    Zero = "no_document"    // 零材料
	ZeroApproval    Zero = "no_approval"    // 零审批
	ZeroFee         Zero = "no_fee"         // 零费用
	ZeroBurden      Zero = "no_burden"      // 零负担
)

// Zeros lists the seven zeros in the order of the measures.
func Zeros() []Zero {
	return []Zero{ZeroVisit, ZeroApplication, ZeroErrand, ZeroDocument, ZeroApproval, ZeroFee, ZeroBurden}
}

// Name is the zero's Chinese name.
func (z Zero) Name() string {
	switch z {
	case ZeroVisit:
		return "零见面"
	case ZeroApplication:
		return "零申请"
	case ZeroErrand:
		return "零跑腿"
	case ZeroDocument:
		return "零材料"
	case ZeroApproval:
		return "零审批"
	case ZeroFee:
		return "零费用"
	case ZeroBurden:
		return "零负担"
	}
	return string(z)
}

// Touchpoint is one contact with the customer, recorded below the zero that
// it bears on.
type Touchpoint struct {
	Zero Zero `json:"zero"`
	// Cost tells that the customer had to do, bring, pay or wait for
	// something; a contact that the company carried alone costs nothing.
	Cost bool      `json:"cost,omitempty"`
	Note Text      `json:"note"`
	At   time.Time `json:"at"`
	By   string    `json:"by"`
}

// Score is a case's own seven-zeros score.
type Score struct {
	Kept   int    `json:"kept"`   // of seven
	Broken []Zero `json:"broken"` // those that cost the customer something
}

// Score counts the zeros of which no touchpoint cost the customer anything.
func (k *Case) Score() Score {
	broken := []Zero{}
	for _, z := range Zeros() {
		if slices.Contains(k.Broken, z) {
			broken = append(broken, z)
		}
	}
	return Score{Kept: len(Zeros()) - len(broken), Broken: broken}
}
