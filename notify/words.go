package notify

import (
	"fmt"
	"strings"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

// testKind is the occasion of a message that somebody sends to see whether an
// outlet works.
const testKind casework.MessageKind = "test"

// title says in one line what a message is about.
func title(m casework.Message) string {
	kind := m.Kind.Name()
	if m.Kind == testKind {
		kind = "测试 test"
	}
	if m.Level > 0 {
		kind += fmt.Sprintf(" 级别%d", m.Level)
	}
	return strings.TrimSpace(fmt.Sprintf("【%s】%s %s", kind, m.Case, district(m)))
}

func district(m casework.Message) string {
	if m.District == "" {
		return ""
	}
	return m.District.Name()
}

// lines are what is said beside the text itself.
func lines(m casework.Message) []string {
	var all []string
	say := func(zh, en, value string) {
		if value != "" {
			all = append(all, zh+" "+en+"："+value)
		}
	}
	say("案件", "case", m.Case)
	say("区县", "district", district(m))
	say("部门", "department", m.Department.Name())
	say("处理", "for", m.To.Name())
	if !m.DueAt.IsZero() {
		say("时限", "due", casework.DueText(calendar.Due{At: m.DueAt, Provisional: m.Provisional}).ZH)
	}
	say("消息", "message", m.ID)
	return all
}

// plain is a message as mail and logs show it.
func plain(m casework.Message) string {
	return m.Text.ZH + "\n" + m.Text.EN + "\n\n" + strings.Join(lines(m), "\n") + "\n"
}

// markdown is a message as the robots of group chats show it.
func markdown(m casework.Message) string {
	return "**" + title(m) + "**\n\n" + m.Text.ZH + "\n\n" + m.Text.EN + "\n\n> " + strings.Join(lines(m), "\n>\n> ") + "\n"
}
