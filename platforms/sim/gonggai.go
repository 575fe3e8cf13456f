package sim

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"strings"
)

// gonggaiREST is the project approval platform where it pushes to each company
// in that company's own way, instead of through tables.
var gonggaiREST = platform{
	first: received,
	ask:   askGonggai,
	good: func(m message, body object) bool {
		switch {
		case strings.HasPrefix(m.kind, "netbus/"):
			return body.text("status") == "1" && body.text("extend.platformid") != ""
		case strings.HasPrefix(m.kind, "com/"):
			return body.text("errcode") == "0"
		default:
			// What stands before the first comma is the number of the bill.
			bill, _, more := strings.Cut(body.text("msg"), ",")
			return body.text("code") == "200" && more && bill != ""
		}
	},
	unknown: func(d *draw) message {
		// The gas company's request is JSON in Base64; here it is only Base64.
		external := d.number("TESTGAS")
		return asJSON("com/common/saveInstall?authVersion=v2", external, true, object{"request": base64.StdEncoding.EncodeToString([]byte("serialId=" + external))})
	},
	read: func(path string, body object) (report, error) {
		if path == "spproject/changeProjectStatusAndResult" {
			return told(path, "params.projectguid", "", "params.blzt", map[string]State{"11": completed, "13": withdrawn}, "", "token",
				"params.blsj@", "params.blks")(path, body)
		}
		return told("jngggsgrrest/updateprojectstatus", "params.flowsn", "", "params.operatetype", map[string]State{
			"1": received, "2": accepted, "8": inWork, "9": suspended, "10": resumed,
		}, "", "token", "params.operatedate@", "params.operateuser")(path, body)
	},
	answer: coded("code", "200", "500", "msg"),
}

func askGonggai(d *draw) message {
	switch {
	case d.asksGas(3):
		return askGas(d)
	case d.IntN(2) == 0:
		return askWaterA(d)
	default:
		return askWaterB(d)
	}
}

// askWaterA is a form of several parts, whose field req holds the request and
// whose other fields hold lists of images, their names in mixed case.
func askWaterA(d *draw) message {
	external := d.number("340200GGA")
	request, err := json.Marshal(object{
		"bussid": external, "busstype": "YSBZGG", "source": "GGDJ", "time": d.now.UnixMilli(), "userid": d.creditCode(),
		"data": object{
			"field1": "测试分公司", "field10": "测试数据", "field13": d.creditCode(), "field2": "企业", "field3": d.company(), "field4": d.residentID(),
			"field5": d.place().address(d), "field6": "非居民用水", "field7": one(d, "DN50", "DN100"), "field8": d.person(), "field9": d.phone(),
		},
	})
	if err != nil {
		panic(err) // texts
	}
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	for _, field := range [][2]string{
		{"orgid", "TESTORG01"}, {"req", string(request)}, {"Field14", `["image/png;base64,` + pixel + `"]`},
		{"Field15", "[]"}, {"field16", `["image/png;base64,` + pixel + `"]`}, {"field17", "[]"}, {"field11", "[]"},
	} {
		_ = w.WriteField(field[0], field[1]) // a buffer takes everything
	}
	_ = w.Close()
	return message{kind: "netbus/thirdpart/buss", contentType: w.FormDataContentType(), body: form.Bytes(), external: external, request: true}
}

// askWaterB is one field of a form that holds JSON as it is, not encoded.
func askWaterB(d *draw) message {
	external := d.number("340200GGB")
	m := asJSON("api/appService/submit", external, true, object{
		"address": d.place().address(d), "approvaluser": "99999", "appuserno": "99999",
		"attachList": []any{object{"files": []any{object{"filecontent": "image/png;base64," + pixel, "filename": "营业执照.png", "filesuffix": "png"}}, "filetype": "86"}},
		"bustype":    "1", "caliber": one(d, "DN50", "DN100"), "cardname": d.company(), "clientid": "GG", "columnname": "photoFile",
		"corporative": d.person(), "credno": d.creditCode(), "credtype": "", "flowcode": "projectgg", "flowsn": external,
		"itemcode": d.number("2600-340200-04-01-"), "linkman": d.person(), "remark": "测试数据", "tel": d.phone(), "usertype": "企业", "watertype": "非居民用水",
	})
	m.body, m.contentType = append([]byte("data="), m.body...), "application/x-www-form-urlencoded"
	return m
}

func askGas(d *draw) message {
	external := fmt.Sprintf("00000000-0000-4000-8000-%s%04d", ("0000000" + d.mark)[len(d.mark)-1:], d.n)
	p := d.place()
	request, err := json.Marshal(object{
		"accountId": "0", "address": p.address(d), "cityNo": p.code, "consNo": "",
		"deviceList": []any{object{"deviceName": "燃气灶", "heatLoad": "4.2", "model": "TEST-1", "normalGasRate": "0.4", "pipeDiameter": "DN15", "quantity": "1", "size": "700*400*150"}},
		"fileIdList": []any{}, "installType": "1", "linkMan": d.person(), "outsideSystemName": "芜湖市一窗受理综合服务平台", "phone": d.phone(),
		"remark": "测试数据", "serialId": external,
	})
	if err != nil {
		panic(err) // texts
	}
	return asJSON("com/common/saveInstall?authVersion=v2", external, true, object{"request": base64.StdEncoding.EncodeToString(request)})
}
