package casework

import (
	"slices"
	"time"
)

// DocumentKind names a document of a case.
type DocumentKind string

// The eight documents at the end of construction (measures part 2, item 5),
// then the others that a case gathers.
const (
	Booking                DocumentKind = "booking"                 // 客户预约报装信息, drafted
	NoticeOfAcceptance     DocumentKind = "notice_of_acceptance"    // 受理通知单, drafted
	ConstructionDrawing    DocumentKind = "construction_drawing"    // 施工图
	MaterialRequisition    DocumentKind = "material_requisition"    // 领料单, drafted
	PriceControlSheet      DocumentKind = "price_control_sheet"     // 控价单
	PermitReceipt          DocumentKind = "permit_receipt"          // 市政联合审批回执, only where a permit was needed
	CommencementReport     DocumentKind = "commencement_report"     // 开工报告, drafted
	AcceptanceConfirmation DocumentKind = "acceptance_confirmation" // 客户验收确认单

	// Those of gas alone, all drafted.
	Quotation           DocumentKind = "quotation"            // 报价单
	ConnectionContract  DocumentKind = "connection_contract"  // 入户合同
	SupplyContract      DocumentKind = "supply_contract"      // 用气合同
	CommissioningRecord DocumentKind = "commissioning_record" // 安全检查与通气记录

	Briefing     DocumentKind = "briefing"      // 供水现状告知书, drafted from the assessment
	SurveyRecord DocumentKind = "survey_record" // 勘察记录
	Evidence     DocumentKind = "evidence"      // 佐证材料: of a pause, a rectification, a visit
	OtherPaper   DocumentKind = "other"         // 其他

	// RequestPaper is what a platform sent along with a request, of whatever kind.
	RequestPaper DocumentKind = "request_attachment" // 随件材料

	IdentityPaper     DocumentKind = "identity_certificate" // 身份证明: of a holder of an account
	TitlePaper        DocumentKind = "title_certificate"    // 不动产权证书
	SaleContractPaper DocumentKind = "sale_contract"        // 买卖合同
)

// DocumentKinds lists every kind, the eight first.
func DocumentKinds() []DocumentKind {
	return []DocumentKind{
		Booking, NoticeOfAcceptance, ConstructionDrawing, MaterialRequisition, PriceControlSheet, PermitReceipt,
		CommencementReport, AcceptanceConfirmation, Quotation, ConnectionContract, SupplyContract, CommissioningRecord,
		Briefing, SurveyRecord, Evidence, OtherPaper, RequestPaper,
		IdentityPaper, TitlePaper, SaleContractPaper,
	}
}

// Valid tells whether d is a kind of document.
func (d DocumentKind) Valid() bool { return slices.Contains(DocumentKinds(), d) }

// Name is the document's Chinese name.
func (d DocumentKind) Name() string {
	switch d {
	case Booking:
		return "客户预约报装信息"
	case NoticeOfAcceptance:
		return "受理通知单"
	case ConstructionDrawing:
		return "施工图"
	case MaterialRequisition:
		return "领料单"
	case PriceControlSheet:
		return "控价单"
	case PermitReceipt:
		return "市政联合审批回执"
	case CommencementReport:
		return "开工报告"
	case AcceptanceConfirmation:
		return "客户验收确认单"
	case Quotation:
		return "报价单"
	case ConnectionContract:
		return "入户合同"
	case SupplyContract:
		return "用气合同"
	case CommissioningRecord:
		return "安全检查与通气记录"
	case Briefing:
		return "供水现状告知书"
	case SurveyRecord:
		return "勘察记录"
	case Evidence:
		return "佐证材料"
	case OtherPaper:
		return "其他材料"
	case RequestPaper:
		return "随件材料"
	case IdentityPaper:
		return "身份证明"
	case TitlePaper:
		return "不动产权证书"
	case SaleContractPaper:
		return "买卖合同"
	}
	return string(d)
}

// Drafted tells whether the system writes the document from what it knows, so
// that nobody is asked for it.
func (d DocumentKind) Drafted() bool {
	switch d {
	case Booking, NoticeOfAcceptance, MaterialRequisition, CommencementReport, AcceptanceConfirmation, Briefing,
		Quotation, ConnectionContract, SupplyContract, CommissioningRecord:
		return true
	default:
		return false
	}
}

// Document is the record of one file; its bytes lie in the blob store.
type Document struct {
	ID        string       `json:"id"`
	Kind      DocumentKind `json:"kind"`
	Title     string       `json:"title"` // the file's name as people see it
	MediaType string       `json:"media_type"`
	Size      int64        `json:"size"`   // bytes
	SHA256    string       `json:"sha256"` // of the bytes, lower hex
	Key       string       `json:"key"`    // where the blob store keeps it; empty where only a reference came
	Drafted   bool         `json:"drafted,omitempty"`
	Message   string       `json:"message,omitempty"`   // the platform's message that brought it
	Reference string       `json:"reference,omitempty"` // its number or link, where the original lies elsewhere
	At        time.Time    `json:"at"`
	By        string       `json:"by"` // staff number, "customer" or "system"
}

// RequiredDocuments lists what must be there before construction ends
// (measures part 2, item 5): all eight, the permit receipt only where a permit
// was needed; of gas the contracts and the commissioning record beside them. A
// case of another service has no construction.
func (k *Case) RequiredDocuments() []DocumentKind {
	if k.Service != nil {
		return nil
	}
	need := []DocumentKind{
		Booking, NoticeOfAcceptance, ConstructionDrawing, MaterialRequisition, PriceControlSheet,
		CommencementReport, AcceptanceConfirmation,
	}
	if k.receipts() > 0 {
		need = slices.Insert(need, 5, PermitReceipt)
	}
	if k.gas() {
		for _, c := range k.Gas.Contracts {
			need = append(need, c.Kind.document())
		}
		need = append(need, CommissioningRecord)
	}
	return need
}

// receipts is how many permit receipts belong into the case: one for each
// permit, but for those that lie in the file of the sibling that filed them.
func (k *Case) receipts() int {
	n := 0
	for i := range k.Permits {
		if k.Permits[i].SharedWith == "" {
			n++
		}
	}
	return n
}

// MissingDocuments lists the required documents that are not there yet. A
// permit receipt is needed for each permit.
func (k *Case) MissingDocuments() []DocumentKind {
	var missing []DocumentKind
	for _, kind := range k.RequiredDocuments() {
		want := 1
		if kind == PermitReceipt {
			want = k.receipts()
		}
		if k.countDocuments(kind) < want {
			missing = append(missing, kind)
		}
	}
	return missing
}

func (k *Case) countDocuments(kind DocumentKind) int {
	n := 0
	for i := range k.Documents {
		if k.Documents[i].Kind == kind {
			n++
		}
	}
	return n
}

// needDraft asks for a document that the system writes itself. The workflow
// has it written and attaches it.
func (k *Case) needDraft(kind DocumentKind) {
	if !slices.Contains(k.Drafts, kind) {
		k.Drafts = append(k.Drafts, kind)
	}
}
