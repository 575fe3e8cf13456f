package casework

import "slices"

// Stage is one of the six stages of a connection, in their order, the one stage
// of a network upgrade or of a duty, or one of another service's. It is shown by this name in the Temporal UI, the
// API and the reports.
type Stage string

// The stages.
const (
	PreService   Stage = "pre_service"     // 前置服务
	JointSurvey  Stage = "joint_survey"    // 联合踏勘
	Permits      Stage = "permits"         // 市政联合审批承诺备案
	Construction Stage = "construction"    // 接入挂表
	Acceptance   Stage = "acceptance"      // 验收与投抄
	Evaluation   Stage = "evaluation"      // 回访评价
	Upgrade      Stage = "network_upgrade" // 管网改造: the only stage of an upgrade case
	Duty         Stage = "duty"            // 例行事务: the only stage of a duty

	AccountCheck   Stage = "account_check"   // 账户核验: certificates and account of a transfer or closing
	Settlement     Stage = "settlement"      // 抄表结清
	HolderChange   Stage = "holder_change"   // 变更户主
	AccountClosure Stage = "account_closure" // 注销账户
	OrderIntake    Stage = "order_intake"    // 工单签收
	OrderHandling  Stage = "order_handling"  // 工单办理
)

// Stages lists the six stages of a connection in order.
func Stages() []Stage {
	return []Stage{PreService, JointSurvey, Permits, Construction, Acceptance, Evaluation}
}

// StagesOf lists the stages of a kind of case in order.
func StagesOf(kind CaseKind) []Stage {
	switch kind {
	case UpgradeCase:
		return []Stage{Upgrade}
	case DutyCase:
		return []Stage{Duty}
	case TransferCase:
		return []Stage{AccountCheck, Settlement, HolderChange, Evaluation}
	case ClosingCase:
		return []Stage{AccountCheck, Settlement, AccountClosure, Evaluation}
	case OrderCase:
		return []Stage{OrderIntake, OrderHandling, Evaluation}
	case ConnectionCase:
	}
	return Stages()
}

// AllStages lists the stages of every kind of case.
func AllStages() []Stage {
	return append(Stages(), Upgrade, Duty, AccountCheck, Settlement, HolderChange, AccountClosure, OrderIntake, OrderHandling)
}

// Valid tells whether s is a stage.
func (s Stage) Valid() bool { return slices.Contains(AllStages(), s) }

// Name is the stage's Chinese name.
func (s Stage) Name() string {
	switch s {
	case PreService:
		return "前置服务"
	case JointSurvey:
		return "联合踏勘"
	case Permits:
		return "市政联合审批承诺备案"
	case Construction:
		return "接入挂表"
	case Acceptance:
		return "验收与投抄"
	case Evaluation:
		return "回访评价"
	case Upgrade:
		return "管网改造"
	case Duty:
		return "例行事务"
	case AccountCheck:
		return "账户核验"
	case Settlement:
		return "抄表结清"
	case HolderChange:
		return "变更户主"
	case AccountClosure:
		return "注销账户"
	case OrderIntake:
		return "工单签收"
	case OrderHandling:
		return "工单办理"
	}
	return string(s)
}

// Status is where a case stands as a whole.
type Status string

// The statuses. A paused case is open: its clock stands, the work may go on.
const (
	Open        Status = "open"        // 办理中
	Paused      Status = "paused"      // 已暂停
	Withdrawing Status = "withdrawing" // 撤回中: what was begun is being undone
	Withdrawn   Status = "withdrawn"   // 已撤回
	Closed      Status = "closed"      // 已办结: evaluated, loop closed
	PassingOn   Status = "passing_on"  // 转办中: it goes on elsewhere as soon as that is opened
	PassedOn    Status = "passed_on"   // 已转办
)

// Statuses lists every status.
func Statuses() []Status {
	return []Status{Open, Paused, Withdrawing, Withdrawn, Closed, PassingOn, PassedOn}
}

// Valid tells whether s is a status.
func (s Status) Valid() bool { return slices.Contains(Statuses(), s) }

// Ended tells whether nothing more happens to the case by itself.
func (s Status) Ended() bool { return s == Withdrawn || s == Closed || s == PassedOn }

// Name is the status's Chinese name.
func (s Status) Name() string {
	switch s {
	case Open:
		return "办理中"
	case Paused:
		return "已暂停"
	case Withdrawing:
		return "撤回中"
	case Withdrawn:
		return "已撤回"
	case Closed:
		return "已办结"
	case PassingOn:
		return "转办中"
	case PassedOn:
		return "已转办"
	}
	return string(s)
}

// CaseKind tells a connection from the network upgrade that it may need, and
// both from a duty, which no customer asked for.
type CaseKind string

// The kinds of case.
const (
	ConnectionCase CaseKind = "connection"
	UpgradeCase    CaseKind = "network_upgrade"
	DutyCase       CaseKind = "duty" // work of the utility's own; see duty.go

	TransferCase CaseKind = "account_transfer" // 过户: an account changes its holder
	ClosingCase  CaseKind = "account_closing"  // 销户: an account is closed
	OrderCase    CaseKind = "hotline_order"    // 12345 工单
)

// CaseKinds lists the kinds of case.
func CaseKinds() []CaseKind {
	return append([]CaseKind{ConnectionCase, UpgradeCase, DutyCase}, ServiceKinds()...)
}

// Name is the kind's Chinese name.
func (c CaseKind) Name() string {
	switch c {
	case ConnectionCase:
		return "接入报装"
	case UpgradeCase:
		return "管网改造"
	case DutyCase:
		return "例行事务"
	case TransferCase:
		return "过户"
	case ClosingCase:
		return "销户"
	case OrderCase:
		return "12345工单"
	}
	return string(c)
}
