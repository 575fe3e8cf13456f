package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// message is what a platform sends by HTTP.
type message struct {
	kind        string // the path below the sender's address, with its query
	contentType string
	body        []byte
	external    string // the platform's own number of what it is about
	request     bool   // it asks for something of its own, so it gets a number
}

// State is what a platform's word for a state means.
type State string

const (
	received  State = "received"
	accepted  State = "accepted"
	inWork    State = "in_work"
	suspended State = "suspended"
	resumed   State = "resumed"
	completed State = "completed"
	withdrawn State = "withdrawn"
	passedOn  State = "passed_on"
)

// report is what a platform is told.
type report struct {
	external string
	part     string // which of several utilities or accounts, where the platform tells them apart
	word     string
	meaning  State
	seq      int // 0: not told
}

// platform is one kind of system, in its own words.
type platform struct {
	// first is the state of which the platform is told for every request, at
	// once; empty: it is told when something has become of it.
	first State
	// ask invents something that the platform asks for; nil: it asks for nothing
	// of its own.
	ask func(d *draw) message
	// ahead is a message that belongs behind what was asked for and comes ahead
	// of it; nil: there is none.
	ahead func(d *draw, external string) message
	// remains says that what came ahead may stay kept: it may be impossible as
	// long as nobody has worked on the case.
	remains bool
	// unknown invents a message that is well formed and has a code or number
	// that nobody knows.
	unknown func(d *draw) message
	// good tells whether an answer says yes.
	good func(m message, body object) bool
	// read takes apart what the platform is told at a path.
	read func(path string, body object) (report, error)
	// answer words the platform's yes or no to a report.
	answer func(path string, yes bool) any
}

// object is a JSON object as the platforms' programs hold it.
type object map[string]any

func parse(body []byte) (object, error) {
	var o object
	if err := json.Unmarshal(body, &o); err != nil || o == nil {
		return nil, errors.New("内容不是 JSON 对象 the body is no JSON object")
	}
	return o, nil
}

// text gives a field, whose name may have dots for nested objects.
func (o object) text(name string) string {
	first, rest, nested := strings.Cut(name, ".")
	switch v := o[first].(type) {
	case map[string]any:
		if nested {
			return object(v).text(rest)
		}
	case string:
		if !nested {
			return v
		}
	case float64:
		if !nested {
			return strings.TrimSuffix(fmt.Sprintf("%.0f", v), ".")
		}
	}
	return ""
}

func (o object) number(name string) int {
	n := 0
	_, _ = fmt.Sscan(o.text(name), &n)
	return n
}

// has checks that fields are there, and that moments are written as the
// platform wants them.
func (o object) has(names ...string) error {
	for _, n := range names {
		name, moment := strings.CutSuffix(n, "@")
		said := o.text(name)
		if said == "" {
			return fmt.Errorf("缺少 %[1]s the field %[1]s is missing", name)
		}
		if _, err := time.ParseInLocation(clockLayout, said, shanghai); moment && err != nil {
			return fmt.Errorf("%[1]s 应为 %[2]s 形式 %[1]s should look like %[2]s", name, clockLayout)
		}
	}
	return nil
}

func asJSON(kind, external string, request bool, body any) message {
	b, err := json.Marshal(body)
	if err != nil {
		panic(err) // texts, numbers and lists of them
	}
	return message{kind: kind, contentType: "application/json", body: b, external: external, request: request}
}

func coded(field, yes, no, sentence string) func(string, bool) any {
	return func(_ string, ok bool) any {
		if ok {
			return object{field: yes, sentence: "success"}
		}
		return object{field: no, sentence: "业务校验未通过"}
	}
}

// good tells whether an answer says that it was taken.
func good(_ message, body object) bool { return body.text("code") == "200" }

// told reads a report whose fields have fixed names.
func told(path, external, part, word string, words map[string]State, seq string, needed ...string) func(string, object) (report, error) {
	return func(at string, body object) (report, error) {
		r := report{external: body.text(external), part: body.text(part), word: body.text(word), seq: body.number(seq)}
		meaning, known := words[r.word]
		r.meaning = meaning
		switch err := body.has(append([]string{external, word}, needed...)...); {
		case at != path:
			return r, fmt.Errorf("没有接口 %[1]s there is no address %[1]s", at)
		case err != nil:
			return r, err
		case !known:
			return r, fmt.Errorf("不认识状态“%[1]s” the state %[1]q is not known", r.word)
		}
		return r, nil
	}
}

// platformsBy are the platforms by the names of the adapters that read them.
var platformsBy = map[string]platform{
	"portal": {
		first: received, ask: askPortal, good: good, answer: coded("code", "200", "500", "msg"),
		ahead: func(d *draw, external string) message {
			return asJSON("process_info", external, false, object{
				"areacode": "340200", "dealName": "测试李乙", "dealOpinion": "申请人撤件", "dealOu": "测试窗口", "dealOuId": "TESTOU1", "dealPro": "1",
				"dealResult": "1", "dealState": "1", "dealStep": "撤件", "dealTime": d.at(clockLayout), "dealUserid": "TESTU1", "doneresult": "",
				"proId": external, "proStatus": "撤件", "receTime": d.at(clockLayout), "subName": "测试张甲",
			})
		},
		unknown: func(d *draw) message {
			m := askPortal(d)
			m.body = []byte(strings.Replace(string(m.body), `"itemno":"TEST-`, `"itemno":"TEST-9`, 1))
			return m
		},
		read: func(path string, body object) (report, error) {
			words := map[string]State{
				"收件": received, "受理": accepted, "办理": inWork, "特别程序开始": suspended, "特别程序结束": resumed, "办结": completed, "撤件": withdrawn,
			}
			last := words[body.text("dealStep")] == completed || words[body.text("dealStep")] == withdrawn
			right := "process_info"
			if last {
				right = "process_info_done"
			}
			return told(right, "proId", "", "dealStep", words, "", "proStatus", "areacode", "dealPro", "dealResult", "dealState", "dealTime@", "receTime@", "dealOu")(path, body)
		},
	},
	"startup": {
		first: received, ask: askStartup, good: good, answer: coded("code", "200", "500", "msg"),
		ahead: func(_ *draw, external string) message {
			return asJSON("process_info", external, false, object{"projid": external, "proStatus": "已撤件", "dealOpinion": "企业暂不开业"})
		},
		unknown: func(d *draw) message {
			m := askStartup(d)
			m.body = []byte(strings.Replace(string(m.body), `"services":"`, `"services":"热,`, 1))
			return m
		},
		read: told("process_info", "projid", "itemno", "proStatus", map[string]State{
			"已收件": received, "已受理": accepted, "办理中": inWork, "特别程序": suspended, "办结": completed, "已撤件": withdrawn,
		}, "", "dealTime@", "dealOu"),
	},
	"park": {
		first: received, ask: askPark, good: good, answer: coded("code", "0", "1", "msg"),
		unknown: func(d *draw) message {
			m := askPark(d)
			m.body = []byte(strings.Replace(string(m.body), `"所属区县":"`, `"所属区县":"芜湖县（原）`, 1))
			return m
		},
		read: told("progress", "externalNumber", "utility", "status", map[string]State{
			"已接件": received, "已受理": accepted, "办理中": inWork, "暂停计时": suspended, "恢复计时": resumed, "已办结": completed, "已撤回": withdrawn, "已转办": passedOn,
		}, "seq", "number", "utility", "seq", "time@"),
	},
	"joint": {
		first: received, ask: askJoint, good: good, answer: coded("code", "200", "500", "message"),
		ahead: func(_ *draw, external string) message {
			return asJSON("joint/cancel", external, false, object{"bizNo": external, "status": "撤回", "reason": "客户改期"})
		},
		unknown: func(d *draw) message {
			m := askJoint(d)
			m.body = []byte(strings.Replace(string(m.body), `"services":[`, `"services":["77",`, 1))
			return m
		},
		read: told("joint/progress", "bizNo", "service", "status", map[string]State{
			"已接件": received, "已受理": accepted, "办理中": inWork, "暂停计时": suspended, "恢复计时": resumed, "已办结": completed, "已撤回": withdrawn, "已转办": passedOn,
		}, "seq", "service", "number", "seq", "time@"),
	},
	"property": {
		ask: askProperty, answer: coded("echoCode", "0000", "9999", "echoDes"),
		good: func(m message, body object) bool {
			switch {
			case strings.HasPrefix(m.kind, "gas/"):
				return body.text("echoCode") == "0000"
			case m.kind == "water/shucheng":
				return body.text("body.rtnCode") == "0000"
			default:
				return body.text("code") == "200"
			}
		},
		unknown: func(d *draw) message {
			m := askShucheng(d)
			m.body = []byte(strings.Replace(string(m.body), `"servCode":"300011"`, `"servCode":"999999"`, 1))
			return m
		},
		read: func(path string, body object) (report, error) {
			words := map[string]State{"1": completed, "2": withdrawn}
			return told("result", "ywh", "yhh", "shjg", words, "", "yhh", "shsj@", "slsj@", "shyj")(path, body)
		},
	},
	"hotline": {
		ask: askHotline, good: good, answer: coded("code", "0", "1", "msg"), remains: true,
		ahead: func(d *draw, external string) message { return visit(d, external, true) },
		unknown: func(d *draw) message {
			m := askHotline(d)
			m.body = []byte(strings.NewReplacer(`"questionName":"供`, `"questionName":"测`, "测试供水有限公司", "测试园林绿化处").Replace(string(m.body)))
			return m
		},
		read: func(path string, body object) (report, error) {
			// An answer is the only thing that 12345 is told: that there is one
			// says what has become of the order.
			r := report{external: body.text("orderNum"), word: "答复", meaning: completed}
			if path != "order_reply" {
				return r, fmt.Errorf("没有接口 %[1]s there is no address %[1]s", path)
			}
			return r, body.has("orderNum", "signForComments", "submissionDate@", "operationDepartment")
		},
	},
	"rating": {
		good: good, answer: coded("code", "0", "1", "msg"),
		unknown: func(d *draw) message { return evaluation(d, d.number("TESTNOBODY"), 1, 5) },
		read:    readRecord,
	},
	"gonggai": {first: received},
}

// readRecord takes apart the record of a service that was rendered.
func readRecord(path string, body object) (report, error) {
	r, err := told("service", "params.projectNo", "", "params.serviceName", map[string]State{
		"提交申请信息": received, "受理": accepted, "办理": inWork, "办结": completed, "撤件": withdrawn,
	}, "params.serviceNumber", "params.serviceNumber", "params.serviceTime@", "params.acceptDate@", "params.taskCode", "params.taskName", "params.taskType",
		"params.projectName", "params.areaCode", "params.userName", "params.userProp", "params.creditType", "params.orgName", "params.deptCode",
		"params.proStatus", "params.proManager")(path, body)
	switch {
	case err != nil:
		return r, err
	case r.seq < 1:
		return r, errors.New("params.serviceNumber 应为从 1 起的数字 it should be a number from 1 on")
	case len(body.text("params.areaCode")) != len("340200000000"):
		return r, errors.New("params.areaCode 应为 12 位 it should have twelve digits")
	case r.meaning == completed && body.text("params.proStatus") != "3":
		return r, errors.New("params.proStatus 与办结不符 it does not say that the service ended")
	}
	return r, nil
}

// breaks are the ways in which a message is damaged on its way.
var breaks = []struct {
	how string
	do  func(*message)
}{
	{"截断的 JSON cut off", func(m *message) { m.body = m.body[:len(m.body)*2/3] }},
	{"GB18030 编码 in GB18030", func(m *message) {
		if other, err := simplifiedchinese.GB18030.NewEncoder().Bytes(m.body); err == nil {
			m.body = other
		}
	}},
	{"HTML 页面 a page of HTML", func(m *message) {
		m.contentType = "text/html"
		m.body = []byte("<html><head><title>502 Bad Gateway</title></head><body>" + m.external + " 网关错误</body></html>")
	}},
}
