// Package startup reads what the platform for founding enterprises (企业开办)
// pushes: a new enterprise wants water and gas at its address. No sample of its
// messages is public; the mapping says so.
package startup

import (
	_ "embed" // the default mapping

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms/push"
)

//go:embed wuhu.yaml
var wuhu []byte

// New makes the adapter; without a mapping file it has Wuhu's.
func New(mapping []byte) (*push.Adapter, error) {
	if mapping == nil {
		mapping = wuhu
	}
	return push.New(mapping, push.Options{Channel: casework.EnterpriseStartup})
}
