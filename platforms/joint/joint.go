// Package joint reads the joint service for water, electricity and gas
// (水电气一网通办): one push asks for several utilities. No sample of its messages
// is public; the mapping says so.
package joint

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
	return push.New(mapping, push.Options{Channel: casework.JointUtility})
}
