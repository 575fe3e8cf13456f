package casework

import (
	"regexp"
	"slices"
	"strings"
)

// Role is what a person or system may do (section "who" of the process). A
// staff member may hold several.
type Role string

// The roles, spelt as in the process.
const (
	Taskforce       Role = "taskforce"        // 营商专班
	TaskforceOffice Role = "taskforce_office" // 营商专班办公室
	TaskforceLead   Role = "taskforce_lead"   // 专班组长
	Management      Role = "management"       // 经管层
	Engineering     Role = "engineering"      // 工程管理部
	Network         Role = "network"          // 管网运行部(产销差办)
	Production      Role = "production"       // 生产运行部
	Quality         Role = "quality"          // 水质检测中心
	ServiceHall     Role = "service_hall"     // 服务大厅/窗口
	Hotline         Role = "hotline"          // 热线中心
	Customer        Role = "customer"         // 客户
	Platform        Role = "platform"         // 政务平台
	Auditor         Role = "auditor"          // 监督
)

// Roles lists every role in the order of the process.
func Roles() []Role {
	return []Role{
		Taskforce, TaskforceOffice, TaskforceLead, Management, Engineering, Network, Production,
		Quality, ServiceHall, Hotline, Customer, Platform, Auditor,
	}
}

// Valid tells whether r is one of the roles.
func (r Role) Valid() bool { return slices.Contains(Roles(), r) }

// Name is the role's Chinese name.
func (r Role) Name() string { return roleNames[r] }

var roleNames = map[Role]string{
	Taskforce: "营商专班", TaskforceOffice: "营商专班办公室", TaskforceLead: "专班组长", Management: "经管层",
	Engineering: "工程管理部", Network: "管网运行部", Production: "生产运行部", Quality: "水质检测中心",
	ServiceHall: "服务大厅", Hotline: "热线中心", Customer: "客户", Platform: "政务平台", Auditor: "监督",
}

// Department is the unit that holds a task and answers for it. Departments
// are spelt as the role that their people hold; the taskforce's office and
// lead belong to the taskforce.
type Department string

// Department gives the unit to which the people of a role belong.
func (r Role) Department() Department {
	switch r {
	case TaskforceOffice, TaskforceLead:
		return Department(Taskforce)
	default:
		return Department(r)
	}
}

// Departments lists every unit that can hold a task.
func Departments() []Department {
	return []Department{
		Department(Taskforce), Department(Engineering), Department(Network), Department(Production),
		Department(Quality), Department(ServiceHall), Department(Hotline), Department(Management),
	}
}

// Valid tells whether d is one of the departments.
func (d Department) Valid() bool { return slices.Contains(Departments(), d) }

// Name is the department's Chinese name.
func (d Department) Name() string { return roleNames[Role(d)] }

// Actor is who does something: a member of staff, a customer, a platform or
// the system itself. The api builds it from a verified identity; nothing in a
// request body can change it.
type Actor struct {
	ID         string     `json:"id"`                   // staff number, "customer", platform code, or "system"
	Name       string     `json:"name,omitempty"`       // as shown to colleagues
	Department Department `json:"department,omitempty"` // empty for customers and platforms
	Roles      []Role     `json:"roles,omitempty"`
	Districts  []District `json:"districts,omitempty"` // empty: none; [AllDistricts]: the whole city
}

// System is the actor of what time and the process itself do.
func System() Actor { return Actor{ID: "system", Name: "系统"} }

// AsCustomer is the actor of what a customer does with the case's code.
func AsCustomer() Actor { return Actor{ID: "customer", Name: "客户", Roles: []Role{Customer}} }

// Has tells whether the actor holds one of the roles.
func (a Actor) Has(roles ...Role) bool {
	for _, r := range roles {
		if slices.Contains(a.Roles, r) {
			return true
		}
	}
	return false
}

// Covers tells whether the actor works in a district.
func (a Actor) Covers(d District) bool {
	return slices.Contains(a.Districts, AllDistricts) || slices.Contains(a.Districts, d)
}

// SeesAll tells whether the actor reads cases of every department: those who
// supervise, audit or assist intake.
func (a Actor) SeesAll() bool {
	return a.Has(TaskforceOffice, TaskforceLead, Management, Auditor)
}

// Dispatches tells whether the actor may give tasks to others (dispatch is
// the taskforce office's duty, the lead's and the management's above it).
func (a Actor) Dispatches() bool { return a.Has(TaskforceOffice, TaskforceLead, Management) }

// Staff is a member of staff as the built-in table keeps them.
type Staff struct {
	ID         string     `json:"id"` // staff number, such as "tf-01"
	Name       string     `json:"name"`
	Department Department `json:"department"`
	Roles      []Role     `json:"roles"`
	Districts  []District `json:"districts"`
	Active     bool       `json:"active"`
	Email      string     `json:"email,omitempty"` // where messages reach them; empty: nowhere
}

// Actor is the staff member as an actor.
func (s Staff) Actor() Actor {
	return Actor{ID: s.ID, Name: s.Name, Department: s.Department, Roles: s.Roles, Districts: s.Districts}
}

// Validate judges a row of the staff table and names every field that is wrong.
// Platforms and auditors belong to no department.
func (s Staff) Validate() error {
	var c Check
	// Names that stand for something else in records are nobody's number.
	c.Require(staffID.MatchString(s.ID) && s.ID != System().ID && s.ID != AsCustomer().ID, "id",
		Say("工号应为 2 至 64 位字母、数字或 . _ @ -", "a staff number has 2 to 64 letters, digits or . _ @ -"))
	c.Require(strings.TrimSpace(s.Name) != "" && len([]rune(s.Name)) <= maxName, "name", Say("请填写姓名", "the name is missing"))
	outside := slices.Equal(s.Roles, []Role{Platform}) || slices.Equal(s.Roles, []Role{Auditor})
	c.Require(s.Department.Valid() || outside && s.Department == "", "department", Sayf("部门应为：%s", "department must be one of: %s", joinAny(Departments())))
	c.Require(len(s.Roles) > 0, "roles", Say("请至少指定一个角色", "name at least one role"))
	for _, r := range s.Roles {
		c.Require(r.Valid() && r != Customer, "roles", Sayf("角色应为：%s", "role must be one of: %s", joinAny(Roles())))
	}
	for _, d := range s.Districts {
		if d != AllDistricts {
			c.Nested("districts", d.Check())
		}
	}
	c.Require(s.Email == "" || MailAddress(s.Email), "email", Say("邮箱应写作 name@example.cn", "an email address is written name@example.cn"))
	return c.Err()
}

// MailAddress tells whether a text is a plain mail address, without a name
// beside it.
func MailAddress(s string) bool { return len(s) <= maxMailAddress && mailAddress.MatchString(s) }

const maxMailAddress = 254 // RFC 5321, with the brackets

// mailAddress is narrower than RFC 5321 on purpose: what it accepts can stand
// in a header and in a command as it is.
var mailAddress = regexp.MustCompile(`^[A-Za-z0-9._%+-]{1,64}@([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,}$`)

var staffID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{1,63}$`)
