package casework

// Milestone is a state of a case as the outside world understands it: what a
// platform that sent the request is told, each once and in order.
type Milestone string

// The milestones.
const (
	MilestoneReceived  Milestone = "received"  // 已接件: kept, numbered, its work begins
	MilestoneAccepted  Milestone = "accepted"  // 已受理: the application is accepted
	MilestoneInWork    Milestone = "in_work"   // 开始办理: the task order is out, or the work has begun
	MilestoneSuspended Milestone = "suspended" // 特别程序开始: the clock stands
	MilestoneResumed   Milestone = "resumed"   // 特别程序结束
	MilestoneCompleted Milestone = "completed" // 办结: supplied, transferred, closed or answered
	MilestoneWithdrawn Milestone = "withdrawn" // 已撤回
	MilestonePassedOn  Milestone = "passed_on" // 已转办: handed inside to another company or service
)

// Milestones lists them.
func Milestones() []Milestone {
	return []Milestone{
		MilestoneReceived, MilestoneAccepted, MilestoneInWork, MilestoneSuspended, MilestoneResumed,
		MilestoneCompleted, MilestoneWithdrawn, MilestonePassedOn,
	}
}

// MilestoneOf gives the milestone that an event of a case marks, if any.
func MilestoneOf(e Event) (Milestone, bool) {
	switch e.Kind {
	case Received:
		return MilestoneReceived, true
	case ApplicationAccepted:
		return MilestoneAccepted, true
	case TaskOrderIssued, OrderAssigned, AccountCleared:
		return MilestoneInWork, true
	case CasePaused:
		return MilestoneSuspended, true
	case CaseResumed:
		return MilestoneResumed, true
	case CaseCompleted:
		return MilestoneCompleted, true
	case CasePassedOn:
		return MilestonePassedOn, true
	case CaseWithdrawn:
		return MilestoneWithdrawn, true
	default:
		return "", false
	}
}
