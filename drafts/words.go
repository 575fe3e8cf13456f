package drafts

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

// words are the functions that the papers call.
var words = template.FuncMap{
	"fact":    fact,
	"measure": measure,
	"yes":     yes,
	"day":     day,
	"budget":  casework.BudgetName,
	"left":    left,
	"yuan":    yuan,
	"term":    term,
	"details": details,
	"plus":    func(a, b int) int { return a + b },
}

// unknown stands where a fact is not known yet.
const unknown = "—"

// fact writes a value for people, or a dash where there is none. A kind of
// value that it does not know is an error, so that no paper shows Go's own
// spelling of something.
func fact(v any) (string, error) {
	text := ""
	switch v := v.(type) {
	case string:
		text = strings.TrimSpace(v)
	case casework.MeterSize:
		text = string(v)
	case int:
		if v != 0 {
			text = strconv.Itoa(v)
		}
	case float64:
		if v != 0 {
			text = strconv.FormatFloat(v, 'f', -1, 64)
		}
	case time.Time:
		if !v.IsZero() {
			text = casework.Clock(v)
		}
	case calendar.Date:
		if !v.IsZero() {
			text = v.String()
		}
	default:
		return "", fmt.Errorf("no words for a %T", v)
	}
	if text == "" {
		return unknown, nil
	}
	return text, nil
}

// measure is a fact with its unit.
func measure(v any, unit string) (string, error) {
	text, err := fact(v)
	if err != nil || text == unknown {
		return text, err
	}
	return text + " " + unit, nil
}

func yes(b bool) string {
	if b {
		return "是"
	}
	return "否"
}

// day writes a date as letters do: 2026年11月23日.
func day(t time.Time) string {
	if t.IsZero() {
		return unknown
	}
	d := calendar.DateOf(t)
	return fmt.Sprintf("%d年%d月%d日", d.Year, d.Month, d.Day)
}

// left writes the working time that is left while a clock stands.
func left(d time.Duration) string {
	if d < time.Second {
		return "工作时间 0分钟"
	}
	return casework.BudgetName(calendar.Budget{Unit: calendar.WorkingTime, Time: d})
}

func yuan(fen int64) string { return fmt.Sprintf("%.2f 元", float64(fen)/100) }

// term gives the Chinese name of a value, or the value itself where it has
// none, so that what a later version adds is still readable.
func term(v any) (string, error) {
	switch v := v.(type) {
	case interface{ Name() string }:
		return fact(v.Name())
	default:
		text := fmt.Sprint(v)
		if name, ok := terms[text]; ok {
			return name, nil
		}
		return fact(text)
	}
}

// terms are the names that casework leaves to those who print them.
var terms = map[string]string{
	string(casework.Adequate):      "满足用水需求",
	string(casework.UpgradeNeeded): "需改造管网",
	string(casework.NoMain):        "周边尚无管网",

	string(casework.JointCommitment): "市政联合审批承诺备案",
	string(casework.OrdinaryRoute):   "一般审批",

	string(casework.CustomerNotReady): "客户原因",
	string(casework.ExternalApproval): "外部审批",
	string(casework.ForceMajeure):     "不可抗力",

	string(casework.InsideProperty):  "红线内工程",
	string(casework.CustomerRequest): "客户自愿选择的延伸服务",

	string(casework.Satisfied):          "满意",
	string(casework.BasicallySatisfied): "基本满意",
	string(casework.Dissatisfied):       "不满意",

	string(casework.ConnectionCase): "接入报装",
	string(casework.UpgradeCase):    "管网改造",
	string(casework.DutyCase):       "例行事务",

	string(casework.LaneLimit(casework.Lane101)): "模式101服务时限",
	string(casework.LaneLimit(casework.Lane201)): "模式201服务时限",
	string(casework.DesignedLaneLimit):           "另行设计的服务时限",
	string(casework.PauseBoundLimit):             "督办：暂停复核期限",
	string(casework.AnswerLimit):                 "督办：升级答复时限",

	string(casework.CardMeter): "IC卡表", string(casework.RemoteMeter): "远传表",

	"phone": "电话", "online": "线上", "visit": "上门",
	"monthly": "每月", "bimonthly": "每两月",
}

// details writes an event's data, or what a platform sent, as fields in their
// order: 施工许可 of {"project":{"name":"施工许可"}} as project.name：施工许可. What is
// not JSON is written as it stands, so that nothing recorded is left out.
func details(data json.RawMessage) string {
	if len(data) == 0 {
		return ""
	}
	if !json.Valid(data) {
		return string(data)
	}
	return strings.Join(fields(nil, "", data), "；")
}

// fields appends the fields of a JSON value below a name. A decoder's tokens
// keep their order, which a map would lose.
func fields(out []string, name string, value json.RawMessage) []string {
	d := json.NewDecoder(bytes.NewReader(value))
	open, _ := d.Token()
	if open != json.Delim('{') && open != json.Delim('[') {
		if name != "" {
			name += "："
		}
		return append(out, name+scalar(value))
	}
	for i := 1; d.More(); i++ {
		below := strconv.Itoa(i)
		if open == json.Delim('{') {
			key, _ := d.Token()
			below = fmt.Sprint(key)
		}
		if name != "" {
			below = name + "." + below
		}
		var inner json.RawMessage
		if d.Decode(&inner) != nil {
			return out // unreachable: the whole was valid
		}
		out = fields(out, below, inner)
	}
	return out
}

// scalar writes a moment as the clock in Shanghai shows it, any other JSON
// string as its text, and the rest as it stands.
func scalar(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) != nil {
		return string(value)
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return casework.Clock(at)
	}
	return text
}
