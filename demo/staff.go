package demo

import "github.com/curbstop/curbstop/casework"

// Staff is a small utility's table of staff: at least one person a role.
func Staff() []casework.Staff {
	all := []casework.District{casework.AllDistricts}
	north := []casework.District{"340202", "340207", "340210"}
	person := func(id, name string, department casework.Role, districts []casework.District, roles ...casework.Role) casework.Staff {
		s := casework.Staff{ID: id, Name: name, Roles: append([]casework.Role{department}, roles...), Districts: districts, Active: true}
		if d := department.Department(); d.Valid() {
			s.Department = d
		}
		return s
	}
	return []casework.Staff{
		person("tf-01", "王专", casework.Taskforce, all),
		person("tf-02", "李班", casework.Taskforce, north),
		person("office-01", "周办", casework.TaskforceOffice, all),
		person("lead-01", "吴组", casework.TaskforceLead, all),
		person("mgmt-01", "郑总", casework.Management, all),
		person("eng-01", "冯工", casework.Engineering, all),
		person("eng-02", "陈工", casework.Engineering, north),
		person("net-01", "褚网", casework.Network, all),
		person("prod-01", "卫产", casework.Production, all),
		person("qual-01", "蒋检", casework.Quality, all),
		person("hall-01", "沈厅", casework.ServiceHall, all),
		person("hot-01", "韩线", casework.Hotline, all),
		person("audit-01", "杨督", casework.Auditor, all),
		person("park-01", "园区推送", casework.Platform, all),
	}
}
