package api

import (
	"context"
	"net/http"
	"slices"
	"time"

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
	}, a.listStaff)
	handle(a, route{
		id: "put-staff", method: http.MethodPut, path: "/v1/staff/{id}", tag: "staff", access: forRoles(casework.TaskforceOffice),
		summary: casework.Say("新增或更改人员；密码不填则不变（操作留痕）", "add or change a member of staff; audited"),
	}, a.putStaff)
}

// staffView is a member of staff, and whether they are there.
type staffView struct {
	casework.Staff
	AbsentUntil time.Time `json:"absent_until,omitzero" doc:"缺勤至；在岗则没有 absent until; not there while the person is"`
	Deputy      string    `json:"deputy,omitempty" doc:"缺勤期间的代理人工号 who stands in meanwhile"`
}

func (a *API) listStaff(ctx context.Context, in *Paging) (*reply[page[staffView]], error) {
	staff, next, err := a.store.StaffList(ctx, in.page())
	if err != nil {
		return nil, err
	}
	ids, views := make([]string, len(staff)), make([]staffView, len(staff))
	at := make(map[string]int, len(staff))
	for i, s := range staff {
		ids[i], views[i].Staff, at[s.ID] = s.ID, s, i
	}
	now := a.now()
	absences, err := a.store.AbsencesOf(ctx, ids, now, now.Add(time.Second))
	for _, absence := range absences {
		view := &views[at[absence.Person]]
		view.AbsentUntil, view.Deputy = absence.Until(), absence.Deputy
	}
	return answer(page[staffView]{views, next}, err)
}

type staffInput struct {
	ID   string `path:"id" maxLength:"64" doc:"工号 staff number"`
	Body struct {
		Name       string              `json:"name" doc:"姓名 name"`
		Department casework.Department `json:"department,omitempty" doc:"部门；政务平台不填 department; none for a platform"`
		Roles      []casework.Role     `json:"roles" doc:"角色 roles"`
		Districts  []casework.District `json:"districts" doc:"区县代码，* 为全市 district codes; * is the whole city"`
		Active     bool                `json:"active" doc:"启用 active"`
		Email      string              `json:"email,omitempty" maxLength:"254" doc:"接收消息的邮箱；不填为没有 where messages reach them; none: nowhere"`
		Password   string              `json:"password,omitempty" doc:"新密码；不填则不变 a new password; none leaves the old one"`
	}
}

// CheckPassword refuses a password that is too short or too long.
func CheckPassword(password string) error {
	var c casework.Check
	c.Require(len([]rune(password)) >= minPassword && len(password) <= maxPassword, "password",
		casework.Sayf("密码应为 %[1]d 至 %[2]d 个字符", "a password has %[1]d to %[2]d characters", minPassword, maxPassword))
	return c.Err()
}

func (in *staffInput) staff() casework.Staff {
	b := in.Body
	return casework.Staff{ID: in.ID, Name: b.Name, Department: b.Department, Roles: b.Roles, Districts: b.Districts, Active: b.Active, Email: b.Email}
}

func (a *API) putStaff(ctx context.Context, in *staffInput) (*reply[casework.Staff], error) {
	b, staff := in.Body, in.staff()
	if err := staff.Validate(); err != nil {
		return nil, err
	}
	if b.Password != "" {
		if err := CheckPassword(b.Password); err != nil {
			return nil, err
		}
	}
	actor := actorOf(ctx)
	if in.ID == actor.ID && (!slices.Equal(b.Roles, actor.Roles) || !b.Active) {
		return nil, casework.Refuse(casework.Forbidden, "own_roles",
			casework.Say("不能更改自己的角色或停用自己，请由同事操作", "nobody changes their own roles or switches themselves off; ask a colleague"))
	}
	if !b.Active {
		if n, err := a.store.OpenTasksOf(ctx, in.ID); err != nil {
			return nil, err
		} else if n > 0 {
			return nil, casework.HoldsTasks(in.ID, n)
		}
	}
	if err := a.audit(ctx, "staff_changed", in.ID, map[string]any{
		"roles": b.Roles, "districts": b.Districts, "department": b.Department, "active": b.Active, "email": b.Email != "", "password": b.Password != "",
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
