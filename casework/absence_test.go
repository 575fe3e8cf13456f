package casework_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
)

// One message a person, one a role and district of the departments; what is due
// first stands first, and what has no due moment last. What is due in a year
// without notice is marked.
func TestThoseWhoGetTasksAreToldOnce(t *testing.T) {
	t.Parallel()
	nine := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	task := func(id, to string, role casework.Role, d casework.District, due time.Duration) casework.HandedTask {
		h := casework.HandedTask{ID: id + "-T1", Case: id, Kind: casework.ContactCustomer, Role: role, Department: role.Department(), District: d, To: to}
		if due > 0 {
			h.DueAt = nine.Add(due)
		}
		h.Provisional = id == "W5"
		return h
	}
	tasks := []casework.HandedTask{
		task("W1", "tf-02", casework.Taskforce, "340202", 0), task("W2", "tf-02", casework.Taskforce, "340281", 2*time.Hour), task("W3", "tf-02", casework.Taskforce, "340202", time.Hour),
		task("W4", "", casework.Taskforce, "340202", time.Hour), task("W5", "", casework.Taskforce, "340281", time.Hour), task("W6", "", casework.Network, "340202", 0),
		task("W7", "", casework.Network, "340202", 0),
	}
	var got []casework.Message
	for _, m := range casework.TellOfHanded("absence/a", casework.Say("tf-01 缺勤", "tf-01 is absent"), tasks, nine) {
		require.Equal(t, casework.MessageHandOver, m.Kind)
		m.Kind, m.Text, m.At = "", casework.Text{ZH: m.Text.ZH}, time.Time{}
		got = append(got, m)
	}
	require.Equal(t, []casework.Message{
		{ID: "absence/a/W3-T1", To: casework.Taskforce, Person: "tf-02", Department: "taskforce", District: casework.AllDistricts, DueAt: nine.Add(time.Hour), Text: casework.Text{
			ZH: "tf-01 缺勤：3 项任务转由 tf-02 办理。最先到期：W3 联系客户（" + casework.Clock(nine.Add(time.Hour)) + " 到期）；W2 联系客户（" + casework.Clock(nine.Add(2*time.Hour)) + " 到期）；W1 联系客户（无时限或计时已停）"}},
		{ID: "absence/a/W4-T1", To: casework.Taskforce, Department: "taskforce", District: "340202", DueAt: nine.Add(time.Hour), Text: casework.Text{
			ZH: "tf-01 缺勤：1 项任务退回部门，请领取或派单。最先到期：W4 联系客户（" + casework.Clock(nine.Add(time.Hour)) + " 到期）"}},
		{ID: "absence/a/W5-T1", To: casework.Taskforce, Department: "taskforce", District: "340281", DueAt: nine.Add(time.Hour), Provisional: true, Text: casework.Text{
			ZH: "tf-01 缺勤：1 项任务退回部门，请领取或派单。最先到期：W5 联系客户（" + casework.Clock(nine.Add(time.Hour)) + "（暂定） 到期）"}},
		{ID: "absence/a/W6-T1", To: casework.Network, Department: "network", District: "340202", Text: casework.Text{
			ZH: "tf-01 缺勤：2 项任务退回部门，请领取或派单。最先到期：W6 联系客户（无时限或计时已停）；W7 联系客户（无时限或计时已停）"}},
	}, got)
	require.Empty(t, casework.TellOfHanded("absence/a", casework.Text{}, nil, nine))
}
