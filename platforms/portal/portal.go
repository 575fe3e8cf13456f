// Package portal speaks with 安徽政务服务网 and 皖事通: applications come in,
// their steps and ends go back, and the service code that a customer shows at
// a window fills the form.
package portal

import (
	_ "embed" // the default mapping

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms/push"
)

//go:embed wuhu.yaml
var wuhu []byte

// New makes the adapter; without a mapping file it has Wuhu's. The channel is
// that of the portal or of the app, which send in the same words.
func New(mapping []byte, channel casework.Channel) (*push.Adapter, error) {
	if mapping == nil {
		mapping = wuhu
	}
	return push.New(mapping, push.Options{Channel: channel})
}
