package adapters_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms"
	"github.com/curbstop/curbstop/platforms/adapters"
)

func TestEachAdapterIsMadeByItsName(t *testing.T) {
	t.Parallel()
	assert.Equal(t, []string{"channels", "gonggai", "hotline", "joint", "park", "portal", "property", "rating", "startup"}, adapters.Names())
	for _, name := range adapters.Names() {
		a, err := adapters.New(name, adapters.Setup{})
		require.NoError(t, err, name)
		// Whatever arrives is answered, and nothing is made of it.
		_, _ = a.Read(platforms.Message{Kind: "nowhere", Body: []byte("?")})
		assert.NotEmpty(t, a.Reply(platforms.Message{ID: "M1", Kind: "nowhere"}, platforms.Outcome{Fault: casework.Refuse(casework.Invalid, "x", casework.Say("错", "wrong"))}).Body, name)
	}
	_, err := adapters.New("fax", adapters.Setup{})
	require.ErrorContains(t, err, "gonggai")
}

func TestMappingThatIsWrongMakesNoAdapter(t *testing.T) {
	t.Parallel()
	for _, name := range adapters.Names() {
		if name == "channels" {
			continue // it has none
		}
		a, err := adapters.New(name, adapters.Setup{Mapping: []byte("layouts: 1\n")})
		require.Error(t, err, name)
		assert.Nil(t, a, name)
		assert.Equal(t, "bad_mapping", casework.AsFault(err).Code, name)
	}
}
