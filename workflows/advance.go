package workflows

import (
	"time"

	"github.com/curbstop/curbstop/casework"
)

// Advance opens what the stages of a case need now, exactly as the workflow of
// its kind does after each decision. It serves those who play cases without
// Temporal; a running case is advanced by its own workflow alone.
func Advance(k *casework.Case, now time.Time) {
	if k.Kind == casework.UpgradeCase {
		w := networkUpgrade{casefile{state: k}}
		w.stages(now)
		return
	}
	if k.Service != nil {
		w := service{casefile{state: k}}
		w.stages(now)
		return
	}
	w := connection{casefile: casefile{state: k}, leads: true}
	w.stages(now)
}
