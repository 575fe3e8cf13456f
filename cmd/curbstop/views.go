package main

import (
	"net/url"
	"time"

	"github.com/curbstop/curbstop/calendar"
)

// view is a list of the Temporal UI that supervisors keep as a bookmark.
type view struct{ name, url string }

// savedViews are links into the Temporal UI: its own saved views live in a
// browser, a link serves everybody.
func savedViews(ui, namespace string, now time.Time) []view {
	today := calendar.DateOf(now)
	until := today.AddDays(1).At(0).UTC().Format(time.RFC3339)
	running := "ExecutionStatus = 'Running'"
	views := []view{
		{"升级中的案件 escalated now", running + " AND CurbstopLevel > 0"},
		{"今日到期 due today", running + " AND CurbstopDue < '" + until + "'"},
		{"今日到期·镜湖区 due today in one district", running + " AND CurbstopDistrict = '340202' AND CurbstopDue < '" + until + "'"},
		{"施工中 in construction", running + " AND CurbstopStage = 'construction'"},
		{"已暂停 paused", running + " AND CurbstopStatus = 'paused'"},
		{"已超时 breached", running + " AND CurbstopDeadlines = 'breached'"},
		{"已停表 stopped", running + " AND CurbstopDeadlines = 'stopped'"},
		{"客户计时 the customer holds the clock", running + " AND CurbstopClock = 'customer'"},
	}
	for i := range views {
		views[i].url = ui + "/namespaces/" + url.PathEscape(namespace) + "/workflows?query=" + url.QueryEscape(views[i].url)
	}
	return views
}
