package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

const securityScheme = "bearer"

func documentConfig(version string) huma.Config {
	config := huma.DefaultConfig("curbstop 用水用气报装 connection requests", nonZero(version, "dev"))
	config.Info.Description = "" +
		"每项写操作须带请求头 `Idempotency-Key`；所有时间为北京时间（+08:00）；错误为 `application/problem+json`，中文在前。\n\n" +
		"Every write takes the header `Idempotency-Key`; all times are Asia/Shanghai (+08:00); errors are problems (RFC 9457), Chinese first."
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		securityScheme: {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "POST /v1/sessions 所得令牌 the token from POST /v1/sessions"},
	}
	config.Tags = []*huma.Tag{
		{Name: "sessions", Description: "登录 log in"},
		{Name: "intake", Description: "收件 requests coming in"},
		{Name: "cases", Description: "案件 cases"},
		{Name: "services", Description: "过户、销户与12345工单 transfers, closings and orders of 12345"},
		{Name: "accounts", Description: "账户、缴费与开票（计费系统） accounts, payments and invoices, through billing"},
		{Name: "tasks", Description: "任务 tasks"},
		{Name: "documents", Description: "材料 documents"},
		{Name: "network", Description: "管网登记 register of mains"},
		{Name: "escalations", Description: "升级督办 escalations"},
		{Name: "policies", Description: "政策版本 versions of the policy"},
		{Name: "supervision", Description: "督办报表 reports for supervisors"},
		{Name: "platforms", Description: "平台来件与进度回传 what platforms send, and what they are told"},
		{Name: "customers", Description: "客户（免登录）customers, without login"},
		{Name: "staff", Description: "人员 staff"},
		{Name: "calendar", Description: "日历与放假通知 calendar and holiday notices"},
		{Name: "operations", Description: "运维 for the Temporal UI"},
		{Name: "health", Description: "健康检查 health"},
	}
	// The document and its page are served by serveDocument: huma's would be
	// built at the first request, and its page loads from an outside host.
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "", "", ""
	config.CreateHooks = nil // no $schema links in answers: there is no such address
	config.Transformers = []huma.Transformer{present}
	// What is missing is judged by casework, which names all of it at once in
	// the clerk's words; only a field tagged so is required here.
	config.FieldsOptionalByDefault = true
	nameValues(config.Components.Schemas)
	config.Formats = map[string]huma.Format{}
	for name, format := range huma.DefaultFormats {
		read := format.Unmarshal
		format.Unmarshal = func(body []byte, v any) error {
			if err := casework.CheckZero(body); err != nil {
				return err
			}
			return read(body, v)
		}
		config.Formats[name] = format
	}
	return config
}

// nameValues gives the schemas of types whose values are a closed list.
// Districts are none of them: casework says of an abolished one what it is now.
func nameValues(r huma.Registry) {
	r.RegisterTypeAlias(reflect.TypeFor[calendar.Date](), reflect.TypeFor[dateSchema]())
	r.RegisterTypeAlias(reflect.TypeFor[calendar.Budget](), reflect.TypeFor[string]())
	r.RegisterTypeAlias(reflect.TypeFor[calendar.Minute](), reflect.TypeFor[string]())
	oneOf[casework.Utility, utilitySchema](r)
	oneOf[casework.Lane, laneSchema](r)
	oneOf[casework.Channel, channelSchema](r)
	oneOf[casework.Role, roleSchema](r)
	oneOf[casework.Department, departmentSchema](r)
	oneOf[casework.Status, statusSchema](r)
	oneOf[casework.Stage, stageSchema](r)
	oneOf[casework.CaseKind, caseKindSchema](r)
	oneOf[casework.TaskKind, taskKindSchema](r)
	oneOf[casework.TaskState, taskStateSchema](r)
	oneOf[casework.DocumentKind, documentKindSchema](r)
	oneOf[casework.AbsenceState, absenceStateSchema](r)
}

func oneOf[T ~string, S huma.SchemaProvider](r huma.Registry) {
	r.RegisterTypeAlias(reflect.TypeFor[T](), reflect.TypeFor[S]())
}

type (
	dateSchema         struct{}
	utilitySchema      struct{}
	laneSchema         struct{}
	channelSchema      struct{}
	roleSchema         struct{}
	departmentSchema   struct{}
	statusSchema       struct{}
	stageSchema        struct{}
	caseKindSchema     struct{}
	taskKindSchema     struct{}
	taskStateSchema    struct{}
	documentKindSchema struct{}
	absenceStateSchema struct{}
)

func (dateSchema) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date", Examples: []any{"2026-12-08"}}
}
func (utilitySchema) Schema(huma.Registry) *huma.Schema {
	return enumerated("用能类型；电、热属其他单位，代收后转交 utility; electricity and heat are another company's and handed over", casework.Water, casework.Gas, casework.Electricity, casework.Heat)
}
func (laneSchema) Schema(huma.Registry) *huma.Schema {
	return enumerated("服务模式 lane", casework.Lane101, casework.Lane201)
}
func (channelSchema) Schema(huma.Registry) *huma.Schema {
	return enumerated("渠道 channel", casework.Channels()...)
}
func (roleSchema) Schema(huma.Registry) *huma.Schema {
	return enumerated("角色 role", casework.Roles()...)
}
func (departmentSchema) Schema(huma.Registry) *huma.Schema {
	return enumerated("部门 department", casework.Departments()...)
}
func (statusSchema) Schema(huma.Registry) *huma.Schema {
	return enumerated("状态 status", casework.Statuses()...)
}
func (stageSchema) Schema(huma.Registry) *huma.Schema {
	return enumerated("阶段 stage", casework.AllStages()...)
}
func (caseKindSchema) Schema(huma.Registry) *huma.Schema {
	return enumerated("案件类别 kind of case", casework.CaseKinds()...)
}
func (taskKindSchema) Schema(huma.Registry) *huma.Schema {
	var kinds []casework.TaskKind
	for _, s := range casework.Specs() {
		kinds = append(kinds, s.Kind)
	}
	return enumerated("任务类别 kind of task", kinds...)
}
func (taskStateSchema) Schema(huma.Registry) *huma.Schema {
	return enumerated("任务状态 state of a task", casework.TaskOpen, casework.TaskDone, casework.TaskCancelled)
}
func (documentKindSchema) Schema(huma.Registry) *huma.Schema {
	return enumerated("材料类别 kind of document", casework.DocumentKinds()...)
}
func (absenceStateSchema) Schema(huma.Registry) *huma.Schema {
	return enumerated("缺勤状态 state of an absence", casework.AbsenceStates()...)
}

func enumerated[T ~string](description string, values ...T) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString, Description: description}
	for _, v := range values {
		s.Enum = append(s.Enum, string(v))
	}
	return s
}

// serveDocument writes the OpenAPI document, once, after the last operation.
func (a *API) serveDocument() error {
	document := a.huma.OpenAPI()
	requireInDocument(document.Components.Schemas)
	asJSON, err := json.Marshal(document)
	if err != nil {
		return fmt.Errorf("api: write the OpenAPI document: %w", err)
	}
	// The same as YAML takes most of a start's time and is rarely asked for.
	asYAML := sync.OnceValues(document.YAML)
	a.engine.GET("/openapi.json", func(c *gin.Context) { c.Data(http.StatusOK, "application/openapi+json", asJSON) })
	a.engine.GET("/openapi.yaml", func(c *gin.Context) {
		body, err := asYAML()
		if err != nil {
			writeProblem(c, problemOf(c.Request.Context(), err))
			return
		}
		c.Data(http.StatusOK, "application/openapi+yaml", body)
	})
	a.serveDocs()
	return nil
}

// requireInDocument says in the document which fields are always there. It
// comes after every operation was registered, when huma has read what it
// validates by, so it changes what is said and not what is checked.
func requireInDocument(r huma.Registry) {
	for name, s := range r.Map() {
		t := r.TypeFromRef("#/components/schemas/" + name)
		if t == nil || t.Kind() != reflect.Struct {
			continue
		}
		for _, f := range reflect.VisibleFields(t) {
			field, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			if _, ok := s.Properties[field]; ok && !strings.Contains(options, "omit") && !slices.Contains(s.Required, field) {
				s.Required = append(s.Required, field)
			}
		}
		slices.Sort(s.Required)
	}
}

// operations gives those of one address.
func operations(item *huma.PathItem) []*huma.Operation {
	all := []*huma.Operation{item.Get, item.Put, item.Post, item.Patch, item.Delete}
	return slices.DeleteFunc(all, func(op *huma.Operation) bool { return op == nil })
}
