package sim

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhatIsPassedOnGoesOn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		told   []State
		broken int
	}{
		"it goes on":             {[]State{received, passedOn, accepted, inWork, completed}, 0},
		"the clock stood":        {[]State{received, suspended, passedOn, resumed, withdrawn}, 0},
		"received twice":         {[]State{received, passedOn, received}, 1},
		"passed on after an end": {[]State{received, completed, passedOn}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var entries []Entry
			for i, s := range c.told {
				entries = append(entries, Entry{N: i + 1, Direction: Told, Platform: "park", External: "K-1", State: string(s), Meaning: s, Reaction: Took})
			}
			require.Len(t, inOrder(entries).Broken, c.broken)
		})
	}
}
