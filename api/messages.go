package api

import (
	"context"
	"net/http"

	"github.com/curbstop/curbstop/casework"
)

func (a *API) registerMessages() {
	handle(a, route{
		id: "list-messages", method: http.MethodGet, path: "/v1/messages", tag: "messages",
		access:  forRoles(append([]casework.Role{casework.Auditor}, dispatchers...)...),
		summary: casework.Say("消息及其发送情况，最新的在前", "what people were told and what became of it, the newest first"),
	}, a.listMessages)
	handle(a, route{
		id: "retry-delivery", method: http.MethodPost, path: "/v1/deliveries/{delivery}/retry", tag: "messages",
		access:  forRoles(casework.TaskforceOffice),
		summary: casework.Say("重发已放弃的消息（操作留痕）", "send again what was given up; audited"),
	}, a.retryDelivery)
}

// messageView is a message with what became of it in each outlet.
type messageView struct {
	casework.MessageLine
	KindName     string `json:"kind_name"`
	ToName       string `json:"to_name"`
	DistrictName string `json:"district_name"`
}

func viewMessage(l casework.MessageLine) messageView {
	return messageView{MessageLine: l, KindName: l.Kind.Name(), ToName: l.To.Name(), DistrictName: l.District.Name()}
}

type messageQuery struct {
	Case     string                 `query:"case" maxLength:"64" doc:"案件编号 case number"`
	State    casework.DeliveryState `query:"state" enum:"pending,sent,moot,dead" doc:"有一个通道处于此状态 the state in one of its outlets"`
	Outlet   string                 `query:"outlet" maxLength:"40" doc:"通道名称 name of an outlet"`
	District []string               `query:"district" maxItems:"20" doc:"区县代码，逗号分隔 district codes, separated by commas"`
	Paging
}

func (a *API) listMessages(ctx context.Context, in *messageQuery) (*reply[page[messageView]], error) {
	districts, err := within(actorOf(ctx), districtsOf(in.District))
	if err != nil {
		return nil, err
	}
	found, next, err := a.store.Messages(ctx, casework.MessageFilter{
		Case: in.Case, State: in.State, Outlet: in.Outlet, Districts: districts, Page: in.page(),
	})
	if err != nil {
		return nil, err
	}
	views := make([]messageView, len(found))
	for i, l := range found {
		views[i] = viewMessage(l)
	}
	return answer(page[messageView]{views, next}, nil)
}

type deliveryAddress struct {
	Delivery int64 `path:"delivery" minimum:"1" doc:"发送记录编号 id of the delivery"`
}

// retryDelivery answers a repeated call like the first one: what waits to be
// sent again waits.
func (a *API) retryDelivery(ctx context.Context, in *deliveryAddress) (*reply[casework.Delivery], error) {
	m, err := a.store.MessageOf(ctx, in.Delivery)
	if err != nil {
		return nil, err
	}
	if err := covers(actorOf(ctx), m.District); err != nil {
		return nil, err
	}
	if err := a.audit(ctx, "delivery_retried", m.ID, nil); err != nil {
		return nil, err
	}
	return answer(a.store.RetryDelivery(ctx, in.Delivery, a.now()))
}
