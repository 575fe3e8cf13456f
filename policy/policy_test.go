package policy_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/policy"
)

func TestDefaultSaysWhatTheMeasuresSay(t *testing.T) {
	t.Parallel()
	terms := policy.Default().Terms()
	day := calendar.Budget{Unit: calendar.WorkingDays, Days: 1}
	for name, want := range map[casework.LimitName]calendar.Budget{
		"lane_101": day, "lane_201": day, "upload_survey": day,
		"hand_over_permit": {Unit: calendar.SameDay}, "enter_site": {Unit: calendar.NextDay}, "complete_entry": {Unit: calendar.SameDay},
	} {
		require.Equal(t, want, terms.Limits[name], name)
	}
	require.Equal(t, casework.Lane101, terms.Lane)
}

// Every task of the process has a limit of its own, but for the two that the
// lane's limit covers.
func TestEveryTaskIsTimed(t *testing.T) {
	t.Parallel()
	for _, p := range []policy.Policy{policy.Default(), policy.Demo()} {
		for _, name := range policy.LimitNames() {
			_, ok := p.Limits[name]
			byLane := name == "install_meter" || name == "turn_on_supply"
			require.Equal(t, !byLane, ok, "%s: %s", p.Version, name)
		}
	}
}

func TestParseNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	good := `version: v1
utilities: [water]
lane: "101"
hours: {spans: [{from: "08:30", to: "17:30"}]}
retention_days: 30
limits: {upload_survey: 1 working_day}
ladder: [{name: breach, to: taskforce_office, level: 1}]
`
	_, err := policy.Parse([]byte(good))
	require.NoError(t, err)
	for name, test := range map[string]struct{ old, new, want string }{
		"unknown field":          {"lane:", "lanes:", "lanes"},
		"unknown limit":          {"upload_survey", "upload_everything", "limits.upload_everything"},
		"limit in no unit":       {"1 working_day", "one day", "one day"},
		"unknown role":           {"taskforce_office", "boss", "ladder[0].to"},
		"closing before opening": {"17:30", "07:30", "hours"},
		"no utility":             {"[water]", "[]", "utilities"},
		"reminder in days":       {"level: 1", "level: 1, before: 1 working_day", "ladder[0].before"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := policy.Parse([]byte(strings.Replace(good, test.old, test.new, 1)))
			require.ErrorContains(t, err, test.want)
		})
	}
}
