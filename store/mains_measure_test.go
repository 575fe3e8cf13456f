//go:build measure

package store_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/network"
	"github.com/curbstop/curbstop/testkit"
)

// The register with 100,000 mains:
//
//	go test -tags measure ./store/ -run TestMeasureMains -v
func TestMeasureMains(t *testing.T) {
	url := testkit.Database(t)
	s := openAt(t, url, key)
	random := rand.New(rand.NewPCG(5, 5))
	mains := streets(random, 100_000)
	began := time.Now()
	imported(t, s, mains, network.Version{}, "k")
	t.Logf("imported in %s", time.Since(began))
	began = time.Now()
	mains[7].Diameter = 900
	imported(t, s, mains, network.Version{}, "k2")
	t.Logf("imported again, one changed, in %s", time.Since(began))
	require.NoError(t, execute(t, url, "ANALYZE mains"))
	var took []time.Duration
	for range 500 {
		p := casework.Position{Lon: 118.2 + 0.4*random.Float64(), Lat: 31.1 + 0.4*random.Float64()}
		began := time.Now()
		near, err := s.NearestMains(t.Context(), casework.Water, p, 5)
		took = append(took, time.Since(began))
		require.NoError(t, err)
		require.Len(t, near, 5)
	}
	slices.Sort(took)
	t.Logf("nearest five: p50 %s, p99 %s", took[len(took)/2], took[len(took)*99/100])
}
