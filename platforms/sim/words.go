package sim

import (
	"encoding/json"
	"fmt"
	"time"
)

// pixel is the smallest image that stands for a scanned certificate.
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="

func askPortal(d *draw) message {
	p, name := d.place(), d.company()
	what, item := "用水报装", "TEST-GSBZ"
	if d.asksGas(2) {
		what, item = "用气报装", "TEST-RQBZ"
	}
	external := d.number("340200")
	return asJSON("project_info", external, true, object{
		"acceptdeptcode": "91340200TEST00002X", "acceptdeptcode1": "TEST1", "acceptdeptcode2": "TEST2", "acceptdeptid": "TESTOU1",
		"acceptdeptname": "测试公用事业有限公司", "acceptlist": "营业执照;建设工程规划许可证", "applicant": name, "applicantcode": d.residentID(),
		"applicantmobile": d.phone(), "applicanttel": d.phone(), "applicanttype": "111", "applyerPageCode": d.creditCode(),
		"applyerPageType": "01", "applyerType": "2", "approvaltype": "2", "catalogCode": "TEST000200000001", "itemname": what, "itemno": item,
		"itemregionid": p.code + "000000", "itemtype": "20", "occurtime": d.at(clockLayout), "orgbusno": d.number("TESTBUS"),
		"projectname": "关于" + name + what + "的申请", "projid": external, "promisetimelimit": "4", "promisetimeunit": "1",
		"region_id": p.code + "000000", "submit": "1", "taskCode": "TEST11340200000000000200000000001", "timelimit": "20",
	})
}

func askStartup(d *draw) message {
	p, external := d.place(), d.number("KB")
	return asJSON("application", external, true, object{
		"applyno": external, "services": among(d, "水,气", "水", "气"), "applyerType": "2", "entname": d.company(), "uniscid": d.creditCode(),
		"lerep": d.person(), "lerepid": d.residentID(), "linkman": d.person(), "applicantmobile": d.phone(), "regionid": p.code,
		"dom": p.address(d), "industry": one(d, "餐饮", "零售", "加工"), "opendate": d.now.AddDate(0, 1, 0).In(shanghai).Format(time.DateOnly),
		"memo": "测试数据",
	})
}

func askPark(d *draw) message {
	p, batch := d.place(), d.number("演示园区")
	return asJSON("list", batch+"/1", true, object{
		"batchNo": batch, "parkName": "演示产业园", "rows": []any{object{
			"序号": 1, "单位名称": d.company(), "统一社会信用代码": d.creditCode(), "联系人": d.person(), "联系电话": d.phone(), "所属区县": p.name,
			"用能地址": p.address(d), "用能类型": among(d, "水、气", "水", "气"), "用途": "工业生产", "预计日用量(立方米)": 10 + d.IntN(200), "口径(mm)": one(d, 25, 50, 100),
			"计划通水(气)日期": d.now.AddDate(0, 1, 0).In(shanghai).Format("2006/1/2"), "是否需开挖道路": one(d, "是", "否"), "是否占用绿地": "否", "备注": "",
		}},
	})
}

func askJoint(d *draw) message {
	p, external := d.place(), d.number("SDQ")
	return asJSON("joint/apply", external, true, object{
		"bizNo": external, "services": among(d, []any{"01", "02", "03"}, []any{"01", "02"}, []any{"03"}), "applicantType": 2, "applicantName": d.company(), "certNo": d.creditCode(),
		"agentCertNo": d.residentID(), "contactName": d.person(), "contactPhone": d.phone(), "regionCode": p.code, "address": p.address(d),
		"purpose": "工业生产", "expectDate": d.now.AddDate(0, 1, 0).In(shanghai).Format(time.DateOnly), "needExcavation": "1", "occupyGreen": "0",
		"remark": "测试数据",
	})
}

func askProperty(d *draw) message {
	switch d.IntN(4) {
	case 0:
		m := askGasTransfer(d)
		m.kind = "gas/transfer"
		return m
	case 1:
		return askGasEnvelope(d)
	case 2:
		return askWaterTransfer(d)
	default:
		return askShucheng(d)
	}
}

func askGasTransfer(d *draw) message {
	external := d.number("TESTSL")
	return asJSON("gas/transfer", external, true, object{
		"fromUname": d.person(), "fromUserMobile": d.phone(), "fromUserSfid": d.residentID(), "fromUserhuhao": d.account(), "hetongimg": pixel,
		"qjgldm": "", "rqfwbsm": "TEST", "slbh": external, "toUame": d.person(), "toUserMobile": d.phone(), "toUserSfid": d.residentID(),
		"toUserSfidimg": pixel, "xmid": d.number("TESTXM"),
	})
}

// askGasEnvelope puts the same into the common envelope: as text, in a field.
func askGasEnvelope(d *draw) message {
	inner := askGasTransfer(d)
	return asJSON("gas/common", inner.external, true, object{
		"qjgldm": "", "requestContent": string(inner.body), "rqfwbsm": "TEST", "slbh": inner.external, "xmid": d.number("TESTXM"),
	})
}

func askWaterTransfer(d *draw) message {
	external := d.number("TESTSL")
	return asJSON("water/transfer", external, true, object{
		"attachment": "[]", "businessType": "JMHGH", "certType": "身份证", "contactPhone": d.phone(), "customerAddress": d.place().address(d),
		"customerId": d.account(), "customerName": d.person(), "dataSource": "5", "newCustomerName": d.person(), "newIdcard": d.residentID(),
		"outId": external, "reason": "买卖", "slbh": external, "type": "2", "xmid": d.number("TESTXM"),
	})
}

func askShucheng(d *draw) message {
	external := d.number("TESTSL")
	return asJSON("water/shucheng", external, true, object{
		"head": object{"servCode": "300011"},
		"body": object{
			"aId": external, "byer": "测试李乙", "data": pixel, "datatype": "png", "date": d.at(time.DateOnly), "id": d.residentID(), "idName": "身份证",
			"newName": d.person(), "oldId": d.residentID(), "oldIdName": "身份证", "oldName": d.person(), "remark": "测试数据", "tel": d.phone(),
			"update": "1", "userid": d.account(),
		},
	})
}

func askHotline(d *draw) message {
	p, external := d.place(), d.number("TEST12345")
	trouble := one(d, "停水", "水压不足", "水质发黄")
	return asJSON("order_push", external, true, object{
		"acceptanceNotes": "", "accessory": "", "address": "芜湖市" + p.name, "addressPoints": "118.433000,31.352000", "age": nil, "areaCode": p.code,
		"assignCloseTime": nil, "assignTime": d.at(clockLayout), "callSubject": "个人", "callTime": d.now.Add(-20 * time.Minute).In(shanghai).Format(clockLayout),
		"callerLabel": "", "callerType": "求助", "companyName": "", "contactAddress": p.address(d), "contactInformation": d.phone(),
		"deadlineDate": d.now.AddDate(0, 0, 3).In(shanghai).Format(clockLayout), "dispatchAdvice": "请尽快核实", "handleDays": "3", "handleModelType": "转办",
		"incidentSiteDetailLabel": p.address(d), "isSecret": "0", "isVisit": "1", "mail": "", "majorContent": "来电人反映" + trouble + "（测试数据）",
		"name": d.person(), "number": d.phone(), "orderLabelId": "", "orderNum": external, "organizationCode": "TESTORG01",
		"organizationName": "测试供水有限公司", "organizer": "测试供水有限公司", "pilotLight": one(d, "一般", "紧急"), "questionCode": "TEST-0101",
		"questionName": "供水/" + trouble, "reflectName": "", "serialNumber": d.number("TESTCITY"), "similarWorkOrder": "", "sourceType": "电话",
		"status": "待签收", "supplyContent": "", "title": p.name + trouble, "urgeOrderNum": "",
	})
}

// visit is the outcome of 12345's visit to a caller.
func visit(d *draw, external string, satisfied bool) message {
	yes := "1"
	if !satisfied {
		yes = "0"
	}
	return asJSON("order_visit", external, false, object{
		"backNum": "0", "delayNum": "0", "finalVisitIsSatisfaction": yes, "finishNum": "1", "firstVisitIsSatisfaction": yes, "isHardOrder": "0",
		"isSupervise": "0", "isTimeout": "0", "orderNum": external, "orderState": "办理中", "timeUnit": "工作日", "urgeState": "0",
		"visitCallIsConnected": "1", "visitHandleTrueness": "1", "visitIsClear": "1", "visitIsFailContact": "0", "visitIsSatisfaction": yes,
		"visitIsSolved": yes, "visitIscontactCitizens": "1", "visitNum": "1", "visitOpinion": "测试数据", "visitOpinionType": "", "visitResult": "办结",
		"visitTime": d.at(clockLayout),
	})
}

// evaluation is what a customer thinks of a service that was recorded, or of a
// case of another platform.
func evaluation(d *draw, project string, round, stars int) message {
	s := fmt.Sprint(stars)
	return asJSON("evaluation", project, false, object{"params": object{
		"Acceptdate": d.at(clockLayout), "Applicant": d.person(), "Areacode": "340200000000", "Certkey": d.creditCode(), "Certkeygov": d.creditCode(),
		"Deptcode": "91340200TEST00002X", "Prodepart": "测试供水有限公司", "Taskcode": "TEST11340200000000000200000000001", "Taskname": "用水报装",
		"Username": d.company(), "Userprop": "2", "assessNumber": round, "assessTime": d.at(clockLayout), "evalDetail": s + "10," + s + "13", "evaluateLevel": s,
		"pf": "3", "projectno": project, "satisfaction": s, "taskType": "20", "type": "", "writingEvaluation": "测试数据",
	}})
}

// again is the same message written differently: its fields in another order
// and with blanks between, as another program of the same platform would.
func again(m message) message {
	var o map[string]any
	if json.Unmarshal(m.body, &o) != nil {
		return m
	}
	if b, err := json.MarshalIndent(o, "", "  "); err == nil {
		m.body = b
	}
	return m
}
