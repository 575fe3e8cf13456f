package casework

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// TaskKind names a kind of task.
type TaskKind string

// The task kinds of a connection, stage by stage (section 3 of the process),
// then those of gas alone, those that undo a withdrawn case, those of an
// upgrade and those of a duty.
const (
	ContactCustomer TaskKind = "contact_customer"
	AssessNetwork   TaskKind = "assess_network"
	BriefCustomer   TaskKind = "brief_customer"

	ScheduleSurvey   TaskKind = "schedule_survey"
	ConductSurvey    TaskKind = "conduct_survey"
	FollowUp         TaskKind = "follow_up"
	UploadSurvey     TaskKind = "upload_survey"
	PrepareMaterials TaskKind = "prepare_materials"

	FilePermit         TaskKind = "file_permit"
	RecordPermitResult TaskKind = "record_permit_result"
	HandOverPermit     TaskKind = "hand_over_permit"

	EnterSite     TaskKind = "enter_site"
	InstallMeter  TaskKind = "install_meter"
	TurnOnSupply  TaskKind = "turn_on_supply"
	CompleteEntry TaskKind = "complete_entry"

	AcceptMeter  TaskKind = "accept_meter"
	OpenAccount  TaskKind = "open_account"
	EnrolReading TaskKind = "enrol_reading"
	ConfirmPart  TaskKind = "confirm_part"

	Callback  TaskKind = "callback"
	Rectify   TaskKind = "rectify"
	HomeVisit TaskKind = "home_visit"

	AcceptTransfer TaskKind = "accept_transfer" // at any stage, after the case was passed on

	ReviewPause TaskKind = "review_pause" // at any stage, while a pause lasts

	FollowUpLead TaskKind = "follow_up_lead" // of a lead, until somebody applies

	// Those of gas alone (section 4 of the process).
	CompleteDeferred TaskKind = "complete_deferred" // at any stage before the contracts
	DesignConnection TaskKind = "design_connection"
	AgreeQuote       TaskKind = "agree_quote"
	SignContracts    TaskKind = "sign_contracts"
	CommissionSupply TaskKind = "commission_supply"
	RemedyHazard     TaskKind = "remedy_hazard"
	IssueCard        TaskKind = "issue_card"
	VoidContract     TaskKind = "void_contract"

	RemoveMeter      TaskKind = "remove_meter"
	ReleaseMaterials TaskKind = "release_materials"
	WithdrawPermit   TaskKind = "withdraw_permit"

	DesignUpgrade     TaskKind = "design_upgrade"
	BuildUpgrade      TaskKind = "build_upgrade"
	CommissionUpgrade TaskKind = "commission_upgrade"

	ImportNotice TaskKind = "import_notice" // the only task of its duty

	// Of a transfer, a closing and an order of 12345.
	ObtainCertificate TaskKind = "obtain_certificate"
	CheckAccount      TaskKind = "check_account"
	SettleArrears     TaskKind = "settle_arrears"
	ReadMeter         TaskKind = "read_meter"
	ConfirmTransfer   TaskKind = "confirm_transfer"
	ChangeHolder      TaskKind = "change_holder"
	SettleFinal       TaskKind = "settle_final"
	CloseAccount      TaskKind = "close_account"
	AcceptOrder       TaskKind = "accept_order"
	HandleOrder       TaskKind = "handle_order"
	AnswerOrder       TaskKind = "answer_order"
)

// Spec is what the process says of a kind of task.
type Spec struct {
	Kind     TaskKind  `json:"kind"`
	Name     string    `json:"name"` // Chinese
	Stage    Stage     `json:"stage"`
	Role     Role      `json:"role"`     // who does it; a task for a named department overrides it
	Limit    LimitName `json:"limit"`    // its limit in the policy
	Source   string    `json:"source"`   // "M" and the rule of the measures, or "D"
	Rule     Text      `json:"rule"`     // what the rule says
	Outcomes []string  `json:"outcomes"` // what Complete may record as the outcome
	input    func() taskInput
}

// NewInput gives a pointer to an empty input of the kind, for decoding into
// and for describing by its fields.
func (s Spec) NewInput() any { return s.input() }

// taskInput is what a person enters to complete a task.
type taskInput interface {
	// check judges the input against the case and records every fault.
	check(c *Check, k *Case, t *Task, now time.Time)
	// apply records the facts in the case and names the outcome. It is called
	// only after check found no fault.
	apply(k *Case, t *Task, by Actor, now time.Time) (outcome string)
}

// gated inputs can be refused because of the case's state, whatever they say.
type gated interface {
	gate(k *Case, t *Task) error
}

// personal is implemented by inputs that depend on who enters them.
type personal interface {
	gatePerson(k *Case, by Actor) error
}

// SpecOf gives the specification of a kind; false when there is none.
func SpecOf(kind TaskKind) (Spec, bool) {
	for i := range catalogue {
		if catalogue[i].Kind == kind {
			return catalogue[i], true
		}
	}
	return Spec{}, false
}

// Specs lists every kind of task in the order of the process.
func Specs() []Spec { return append([]Spec(nil), catalogue...) }

// Name is the kind's Chinese name.
func (kind TaskKind) Name() string {
	if s, ok := SpecOf(kind); ok {
		return s.Name
	}
	return string(kind)
}

// Valid tells whether kind is a task kind.
func (kind TaskKind) Valid() bool { _, ok := SpecOf(kind); return ok }

const done = "done"

var catalogue = []Spec{
	{ContactCustomer, "联系客户", PreService, Taskforce, "contact_customer", "D",
		Say("提前对接，了解企业信息及建设周期", "contact the customer and learn the building schedule and demand"),
		[]string{done, nobodyYet}, func() taskInput { return &ContactInput{} }},
	{AssessNetwork, "管网评估", PreService, Network, "assess_network", "D",
		Say("了解周边管网、水压、余量", "assess the mains around the plot, pressure and capacity"),
		[]string{string(Adequate), string(UpgradeNeeded), string(NoMain)}, func() taskInput { return &AssessmentInput{} }},
	{BriefCustomer, "告知供水现状", PreService, Taskforce, "brief_customer", "M 2.2.2",
		Say("向企业介绍现状水源、周边管网", "present the source and the surrounding mains to the customer"),
		[]string{done}, func() taskInput { return &BriefingInput{} }},
	{FollowUpLead, "跟进意向", "", Taskforce, "follow_up_lead", "M 2.2.2",
		Say("提前对接的意向定期跟进，直到客户申请或不再需要", "follow up a lead at dates until the customer applies or needs no supply"),
		[]string{waiting, dropped, applied}, func() taskInput { return &FollowUpLeadInput{} }},

	{ScheduleSurvey, "预约联合踏勘", JointSurvey, Taskforce, "schedule_survey", "M 2.2.3",
		Say("营商专班负责组织联合踏勘", "the taskforce organises the joint survey"),
		[]string{done}, func() taskInput { return &AppointmentInput{} }},
	{ConductSurvey, "联合踏勘", JointSurvey, Taskforce, "conduct_survey", "M 2.2.3",
		Say("现场核对信息、确认方案、代办报装；暂不具备条件的做好解释并持续跟进",
			"check the information, confirm the design and complete the application on site; or explain and follow up"),
		[]string{Connectable, NotYetConnectable}, func() taskInput { return &SurveyInput{} }},
	{FollowUp, "持续跟进", JointSurvey, Taskforce, "follow_up", "M 2.2.3",
		Say("对暂时不符合接水条件的持续跟进", "follow up what could not be connected yet, again and again"),
		[]string{Connectable, NotYetConnectable, "withdrawn"}, func() taskInput { return &FollowUpInput{} }},
	{UploadSurvey, "上传勘察资料", JointSurvey, Taskforce, "upload_survey", "M 2.2.3",
		Say("勘察后一个工作日内完成资料上传", "upload the survey within one working day after it"),
		[]string{done}, func() taskInput { return &UploadInput{} }},
	{PrepareMaterials, "备料", JointSurvey, Engineering, "prepare_materials", "D",
		Say("资料上传后工程管理部备料", "engineering prepares the materials once the survey is uploaded"),
		[]string{done}, func() taskInput { return &MaterialsInput{} }},

	{FilePermit, "代办市政审批", Permits, Taskforce, "file_permit", "M 2.2.4",
		Say("由营商专班网上代办", "filed online by the taskforce for the customer"),
		[]string{done}, func() taskInput { return &FilingInput{} }},
	{RecordPermitResult, "登记审批结果", Permits, Taskforce, "record_permit_result", "D",
		Say("登记审批部门的结果", "record what the authority decided"),
		[]string{"granted", "refused"}, func() taskInput { return &PermitResultInput{} }},
	{HandOverPermit, "审批结果移交工程部", Permits, Taskforce, "hand_over_permit", "M 2.2.4",
		Say("审批结果当天提交工程管理部", "the result goes to engineering on the day it is given"),
		[]string{done}, func() taskInput { return &NoteInput{} }},

	{EnterSite, "进场施工", Construction, Engineering, "enter_site", "M 2.2.5",
		Say("接到任务单的次日进场施工", "enter the site the day after the task order"),
		[]string{done}, func() taskInput { return &SiteEntryInput{} }},
	{InstallMeter, "装表", Construction, Engineering, "install_meter", "D",
		Say("登记表号、封号、起码", "meter serial number, seal and reading"),
		[]string{done}, func() taskInput { return &MeterInput{} }},
	{TurnOnSupply, "通水", Construction, Engineering, "turn_on_supply", "D",
		Say("通水，登记时间", "turn supply on and record the time"),
		[]string{done}, func() taskInput { return &SupplyInput{} }},
	{CompleteEntry, "完成系统录入", Construction, Engineering, "complete_entry", "M 2.2.5",
		Say("通水（气）当天必须完成系统录入，资料齐全", "everything entered on the day of supply-on, the documents complete"),
		[]string{done}, func() taskInput { return &EntryInput{} }},

	{AcceptMeter, "水表验收", Acceptance, ServiceHall, "accept_meter", "M 2.2.6",
		Say("及时组织水表验收", "accept the meter promptly after supply-on"),
		[]string{"passed", "failed"}, func() taskInput { return &MeterAcceptanceInput{} }},
	{OpenAccount, "立户", Acceptance, ServiceHall, "open_account", "M 2.2.6",
		Say("完成立户", "open the account"), []string{done}, func() taskInput { return &AccountInput{} }},
	{EnrolReading, "投抄", Acceptance, ServiceHall, "enrol_reading", "M 2.2.6",
		Say("纳入抄表", "enrol the meter for reading"), []string{done}, func() taskInput { return &ReadingInput{} }},
	{ConfirmPart, "部门同步点击", Acceptance, Taskforce, "confirm_part", "M 2.2.6",
		Say("各相关部门同步完成报装系统的点击", "each department confirms its part"),
		[]string{done}, func() taskInput { return &NoteInput{} }},

	{Callback, "回访", Evaluation, Hotline, "callback", "M 4.7",
		Say("回访率 100%", "every completed case is called back"),
		[]string{string(Satisfied), string(BasicallySatisfied), string(Dissatisfied), "unreached"},
		func() taskInput { return &CallbackInput{} }},
	{Rectify, "整改", Evaluation, Taskforce, "rectify", "M 4.7",
		Say("责成相关部门处理，佐证材料反馈专班办公室", "put right, with evidence returned to the taskforce office"),
		[]string{done}, func() taskInput { return &RectificationInput{} }},
	{HomeVisit, "上门回访", Evaluation, Taskforce, "home_visit", "M 4.7",
		Say("“好差评”不满意的，上门回访，详细了解意见", "a visit after a bad review, the reasons in full"),
		[]string{"resolved", "rectify"}, func() taskInput { return &HomeVisitInput{} }},

	{ReviewPause, "暂停复核", "", TaskforceOffice, reviewLimit, "D",
		Say("暂停超过政策规定的期限，由专班办公室复核：继续或恢复计时", "a pause that lasts beyond the policy's bound goes on or ends"),
		[]string{string(ContinuePause), string(EndPause)}, func() taskInput { return &PauseReviewInput{} }},

	{AcceptTransfer, "接收转办", "", Taskforce, "accept_transfer", "D",
		Say("任一窗口受理、内部转办、闭环办结：转入的案件当日接收", "one window accepts, the inside hands over: what is passed on is accepted the same day"),
		[]string{done}, func() taskInput { return &NoteInput{} }},
	{CompleteDeferred, "补齐容缺项", "", ServiceHall, "complete_deferred", "M 3.1.1",
		Say("容缺受理后续补齐，先行勘察、设计；只影响合同签订", "what was lacking when the request was accepted; it gates the contracts and nothing else"),
		[]string{done}, func() taskInput { return &DeferredInput{} }},
	{DesignConnection, "接入方案设计", JointSurvey, Engineering, "design_connection", "M 3.1.3",
		Say("不属于小型标准化接入的，另行设计并列明工程量", "a connection that is not small is designed on its own, with the quantities that are charged"),
		[]string{done}, func() taskInput { return &ConnectionDesignInput{} }},
	{AgreeQuote, "商务洽谈（确认报价）", Permits, Taskforce, "agree_quote", "M 3.1.6",
		Say("小型工程一口价，其余按价目表报价，客户同意", "a fixed price for small works, else by the price list; the customer agrees"),
		[]string{"agreed", "revise"}, func() taskInput { return &AgreementInput{} }},
	{SignContracts, "签订合同", Permits, ServiceHall, "sign_contracts", "M 3.1.2",
		Say("入户合同、用气合同，主动办理", "the contracts, brought to the customer"),
		[]string{done}, func() taskInput { return &SignatureInput{} }},
	{CommissionSupply, "安全检查与通气点火", Construction, Engineering, "commission_supply", "D",
		Say("逐项安全检查，合格后通气点火", "checked item by item; gas is let in and lit only when it is safe"),
		[]string{"passed", "failed"}, func() taskInput { return &CommissioningInput{} }},
	{RemedyHazard, "隐患整改", Construction, Engineering, "remedy_hazard", "D",
		Say("隐患未整改不得通气，整改后重新检查", "no supply until the hazard is remedied and checked again"),
		[]string{done}, func() taskInput { return &RemedyInput{} }},
	{IssueCard, "开卡充值", Acceptance, ServiceHall, "issue_card", "M 3.1.2",
		Say("IC卡表主动开卡充值", "a card for a meter that is paid for ahead"),
		[]string{done}, func() taskInput { return &CardInput{} }},
	{VoidContract, "合同作废", Permits, ServiceHall, "void_contract", "D",
		Say("撤回后作废已签合同", "the signed contracts of a withdrawn case are void"),
		[]string{done}, func() taskInput { return &NoteInput{} }},

	{RemoveMeter, "拆表", Construction, Engineering, "remove_meter", "D",
		Say("撤回后拆回已装表具", "take back the meter of a withdrawn case"),
		[]string{done}, func() taskInput { return &NoteInput{} }},
	{ReleaseMaterials, "退料", Construction, Engineering, "release_materials", "D",
		Say("撤回后退还已备材料", "return the materials of a withdrawn case"),
		[]string{done}, func() taskInput { return &NoteInput{} }},
	{WithdrawPermit, "撤回审批", Permits, Taskforce, "withdraw_permit", "D",
		Say("撤回后撤销已申报的审批", "withdraw the permits filed for a withdrawn case"),
		[]string{done}, func() taskInput { return &NoteInput{} }},

	{DesignUpgrade, "管网改造方案", Upgrade, Network, "design_upgrade", "M 2.2.2",
		Say("结合实地情况对管网进行优化改造或新建", "design the upgrade or new main"),
		[]string{done}, func() taskInput { return &UpgradeDesignInput{} }},
	{BuildUpgrade, "管网改造施工", Upgrade, Engineering, "build_upgrade", "M 2.2.2",
		Say("企业进驻施工前完成", "built before the customer needs it"),
		[]string{done}, func() taskInput { return &UpgradeBuildInput{} }},
	{CommissionUpgrade, "管网改造投运", Upgrade, Network, "commission_upgrade", "M 2.2.2",
		Say("供水管网冲洗、消毒、试压，燃气管网严密性试验后投运", "flush, disinfect and test a water main, test a gas main for tightness, then commission"),
		[]string{done}, func() taskInput { return &UpgradeCommissionInput{} }},

	{ImportNotice, "导入放假通知", Duty, TaskforceOffice, "import_notice", "D",
		Say("国务院办公厅放假通知公布后导入日历；导入后自动办结", "import the State Council's holiday notice once it is published; the import completes the task"),
		[]string{done}, func() taskInput { return &NoticeDutyInput{} }},

	{ObtainCertificate, "补取证照", AccountCheck, ServiceHall, "obtain_certificate", "M 3.3",
		Say("未随申请推送的证照，只补取所缺的一项，已有的不再索取", "obtain just the one certificate that did not come along; nothing is asked twice"),
		[]string{done}, func() taskInput { return &CertificateInput{} }},
	{CheckAccount, "核验账户", AccountCheck, ServiceHall, "check_account", "M 3.3",
		Say("户号存在、户主相符；计费系统未接通时录入其记录", "the account exists and its holder is the right one; where billing is not connected, what it would say is entered"),
		[]string{"verified", "ask_again"}, func() taskInput { return &AccountCheckInput{} }},
	{SettleArrears, "结清欠费", Settlement, ServiceHall, "settle_arrears", "D",
		Say("缴清欠费，或约定由谁承担", "what is owed is paid, or it is agreed who pays"),
		[]string{string(SettledByPayment), string(SettledByAgreement)}, func() taskInput { return &ArrearsInput{} }},
	{ReadMeter, "交接抄表", Settlement, ServiceHall, "read_meter", "D",
		Say("过户或销户时抄表，不小于上期读数", "the reading at the hand-over or closing, not below the last one"),
		[]string{done}, func() taskInput { return &MeterReading{} }},
	{ConfirmTransfer, "确认过户", HolderChange, ServiceHall, "confirm_transfer", "M 3.3",
		Say("按户号、合同管理规定：原合同终止，新合同经新户主确认", "the rules of account number and contract: the former contract ended, the new one confirmed by the new holder"),
		[]string{done}, func() taskInput { return &TransferInput{} }},
	{ChangeHolder, "计费系统变更户主", HolderChange, ServiceHall, "change_holder", "D",
		Say("系统未能自动变更的，人工在计费系统变更，或处理后重新提交", "where billing did not do it by itself: done there by hand, or submitted again"),
		[]string{done, "ask_again"}, func() taskInput { return &BillingTaskInput{} }},
	{SettleFinal, "结清末期费用", Settlement, ServiceHall, "settle_final", "D",
		Say("最后一期账单缴清，或退还预存余额", "the last bill is paid, or what is left is given back"),
		[]string{"settled", "ask_again"}, func() taskInput { return &FinalInput{} }},
	{CloseAccount, "计费系统销户", AccountClosure, ServiceHall, "close_account", "D",
		Say("系统未能自动注销的，人工在计费系统注销，或处理后重新提交", "where billing did not do it by itself: done there by hand, or submitted again"),
		[]string{done, "ask_again"}, func() taskInput { return &BillingTaskInput{} }},

	{AcceptOrder, "签收工单", OrderIntake, Hotline, "accept_order", "M 3.4",
		Say("及时签收12345工单，交办相关部门", "accept the order of 12345 and give it to a department"),
		[]string{done}, func() taskInput { return &AcceptOrderInput{} }},
	{HandleOrder, "办理工单", OrderHandling, Taskforce, "handle_order", "M 3.4",
		Say("由承办部门办理；不属本部门的内部转办，不推回来电人", "handled by the department; what belongs to another is passed on inside, never back to the caller"),
		[]string{orderHandled, orderTransferred}, func() taskInput { return &HandleOrderInput{} }},
	{AnswerOrder, "答复工单", OrderHandling, Hotline, "answer_order", "M 3.4",
		Say("在12345规定的时限内答复", "answer by the time that 12345 sets"),
		[]string{done}, func() taskInput { return &AnswerOrderInput{} }},
}

// TaskState is where a task stands.
type TaskState string

// The states of a task.
const (
	TaskOpen      TaskState = "open"
	TaskDone      TaskState = "done"
	TaskCancelled TaskState = "cancelled"
)

// Task is one piece of work for one department.
type Task struct {
	ID         string     `json:"id"` // case number, a dash, "T" and its number in the case
	Case       string     `json:"case"`
	Kind       TaskKind   `json:"kind"`
	Qualifier  string     `json:"qualifier,omitempty"` // what tells live tasks of one kind apart: a permit kind, a department
	Round      int        `json:"round"`               // 1, and one more each time the process comes back to it
	Stage      Stage      `json:"stage"`
	Role       Role       `json:"role"`
	Department Department `json:"department"`
	State      TaskState  `json:"state"`
	OpenedAt   time.Time  `json:"opened_at"`
	Anchor     time.Time  `json:"anchor,omitzero"` // the event from which its limit counts

	Assignee     string    `json:"assignee,omitempty"`      // staff number
	AssigneeName string    `json:"assignee_name,omitempty"` // as shown to colleagues
	AssignedAt   time.Time `json:"assigned_at,omitzero"`
	// Taken tells that the holder took the task, nobody gave it. Only the case
	// itself knows it; lists don't.
	Taken bool `json:"taken,omitempty"`

	DoneAt  time.Time       `json:"done_at,omitzero"`
	DoneBy  string          `json:"done_by,omitempty"`
	Outcome string          `json:"outcome,omitempty"`
	Input   json.RawMessage `json:"input,omitempty"` // as it was entered
}

// TaskID names the nth task of a case.
func TaskID(caseNumber string, n int) string { return fmt.Sprintf("%s-T%d", caseNumber, n) }

// CaseOfTask takes the case number out of a task's ID; false when the text is
// no task ID.
func CaseOfTask(id string) (string, bool) {
	i := strings.LastIndex(id, "-T")
	if i <= 0 || i+2 == len(id) {
		return "", false
	}
	for _, r := range id[i+2:] {
		if r < '0' || r > '9' {
			return "", false
		}
	}
	return id[:i], true
}

// Title is the task's name as people read it, with what tells it apart.
func (t *Task) Title() string {
	name := t.Kind.NameFor(utilityOf(t.Case))
	switch {
	case t.Qualifier == "":
	case PermitKind(t.Qualifier).Valid():
		name += "·" + PermitKind(t.Qualifier).Name()
	case Department(t.Qualifier).Valid():
		name += "·" + Department(t.Qualifier).Name()
	case ContractKind(t.Qualifier).Valid():
		name += "·" + ContractKind(t.Qualifier).Name()
	case DeferredItem(t.Qualifier).Valid():
		name += "·" + DeferredItem(t.Qualifier).Name()
	case t.Kind == ReviewPause:
		name += "·" + PauseReason(t.Qualifier).Name()
	default:
		name += "·" + t.Qualifier
	}
	if t.Round > 1 {
		name += fmt.Sprintf("（第%d次）", t.Round)
	}
	return name
}

// Holder is who holds the task: a person by name, else the department.
func (t *Task) Holder() string {
	if t.Assignee != "" {
		return t.AssigneeName + "(" + t.Assignee + ")"
	}
	return t.Department.Name()
}
