package api

import (
	"context"
	"net/http"
	"regexp"
	"slices"

	"github.com/curbstop/curbstop/casework"
)

const (
	minPassword = 10
	maxPassword = 128
)

func (a *API) registerStaff() {
	handle(a, route{
		id: "list-staff", method: http.MethodGet, path: "/v1/staff", tag: "staff",
		access:  forRoles(append([]casework.Role{casework.Auditor}, dispatchers...)...),
		summary: casework.Say("人员名单", "members of staff"),
	}, func(ctx context.Context, in *Paging) (*reply[page[casework.Staff]], error) {
		staff, next, err := a.store.StaffList(ctx, in.page())
		return answer(page[casework.Staff]{staff, next}, err)
	})
	handle(a, route{
		id: "put-staff", method: http.MethodPut, path: "/v1/staff/{id}", tag: "staff", access: forRoles(casework.TaskforceOffice),
		summary: casework.Say("新增或更改人员；密码不填则不变（操作留痕）", "add or change a member of staff; audited"),
	}, a.putStaff)
}

type staffInput struct {
	ID   string `path:"id" maxLength:"64" doc:"工号 staff number"`
	Body struct {
		Name       string              `json:"name" doc:"姓名 name"`
		Department casework.Department `json:"department,omitempty" doc:"部门；政务平台不填 department; none for a platform"`
		Roles      []casework.Role     `json:"roles" doc:"角色 roles"`
		Districts  []casework.District `json:"districts" doc:"区县代码，* 为全市 district codes; * is the whole city"`
		Active     bool                `json:"active" doc:"启用 active"`
		Password   string              `json:"password,omitempty" doc:"新密码；不填则不变 a new password; none leaves the old one"`
	}
}

var staffID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{1,63}$`)

func (in *staffInput) check() error {
	b := in.Body
	var c casework.Check
	// Names that stand for something else in records are nobody's number.
	c.Require(staffID.MatchString(in.ID) && in.ID != casework.System().ID && in.ID != casework.AsCustomer().ID, "id",
		casework.Say("工号应为 2 至 64 位字母、数字或 . _ @ -", "a staff number has 2 to 64 letters, digits or . _ @ -"))
	c.Require(b.Name != "" && len([]rune(b.Name)) <= 100, "name", casework.Say("请填写姓名（最多 100 字）", "the name is missing, or longer than 100 characters"))
	c.Require(len(b.Roles) > 0, "roles", casework.Say("至少一个角色", "at least one role"))
	c.Require(!slices.Contains(b.Roles, casework.Customer), "roles", casework.Say("客户不是工作人员", "a customer is no member of staff"))
	c.Require(b.Department.Valid() || slices.Equal(b.Roles, []casework.Role{casework.Platform}) || slices.Equal(b.Roles, []casework.Role{casework.Auditor}),
		"department", casework.Say("请填写部门", "the department is missing"))
	for _, d := range b.Districts {
		if d != casework.AllDistricts {
			c.Nested("districts", d.Check())
		}
	}
	c.Require(b.Password == "" || (len([]rune(b.Password)) >= minPassword && len(b.Password) <= maxPassword), "password",
		casework.Sayf("密码应为 %[1]d 至 %[2]d 个字符", "a password has %[1]d to %[2]d characters", minPassword, maxPassword))
	return c.Err()
}

func (a *API) putStaff(ctx context.Context, in *staffInput) (*reply[casework.Staff], error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	b := in.Body
	staff := casework.Staff{ID: in.ID, Name: b.Name, Department: b.Department, Roles: b.Roles, Districts: b.Districts, Active: b.Active}
	actor := actorOf(ctx)
	if in.ID == actor.ID && (!slices.Equal(b.Roles, actor.Roles) || !b.Active) {
		return nil, casework.Refuse(casework.Forbidden, "own_roles",
			casework.Say("不能更改自己的角色或停用自己，请由同事操作", "nobody changes their own roles or switches themselves off; ask a colleague"))
	}
	if err := a.audit(ctx, "staff_changed", in.ID, map[string]any{
		"roles": b.Roles, "districts": b.Districts, "department": b.Department, "active": b.Active, "password": b.Password != "",
	}); err != nil {
		return nil, err
	}
	hash := ""
	if b.Password != "" {
		hash = HashPassword(b.Password)
	}
	if err := a.store.PutStaff(ctx, staff, hash); err != nil {
		return nil, err
	}
	a.identities.forget(in.ID)
	return answer(staff, nil)
}
