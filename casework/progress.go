package casework

import "time"

// StartUpgrade notes that the network must be upgraded before the connection.
// The upgrade is a case of its own, numbered after this one.
func (k *Case) StartUpgrade(now time.Time) {
	k.Upgrade = &UpgradeFact{Case: k.Number + "-U1", StartedAt: now}
	k.record(now, System(), UpgradeStarted, "", Sayf("启动管网改造 %s", "network upgrade %s started", k.Upgrade.Case), nil)
	k.holdLane(string(UpgradeCase), now)
}

// FinishUpgrade notes the end of the upgrade; the lane's clock goes on.
func (k *Case) FinishUpgrade(now time.Time) {
	if !k.Upgrade.Pending() {
		return
	}
	k.Upgrade.DoneAt = now
	k.record(now, System(), UpgradeFinished, "", Sayf("管网改造完成 %s", "network upgrade %s finished", k.Upgrade.Case), nil)
	k.releaseLane(string(UpgradeCase), now)
}

// IssueTaskOrder sends engineering the task order (任务单). The caller has seen
// that materials are ready, permits granted and no upgrade open.
func (k *Case) IssueTaskOrder(now time.Time) {
	k.TaskOrderAt = now
	k.record(now, System(), TaskOrderIssued, "", Say("下达任务单", "task order issued"), nil)
}

// Complete notes that the work is done and accepted; the customer is asked next.
func (k *Case) Complete(now time.Time) {
	k.CompletedAt = now
	k.record(now, System(), CaseCompleted, "", Say("验收与投抄完成", "work accepted, account open, reading enrolled"), nil)
}
