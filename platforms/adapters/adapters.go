// Package adapters lists the adapters by the names that the senders' file uses.
// Only cmd imports it: whoever calls an adapter knows it by its interface.
package adapters

import (
	"crypto/rsa"
	"maps"
	"slices"
	"strings"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms"
	"github.com/curbstop/curbstop/platforms/channels"
	"github.com/curbstop/curbstop/platforms/gonggai"
	"github.com/curbstop/curbstop/platforms/hotline"
	"github.com/curbstop/curbstop/platforms/joint"
	"github.com/curbstop/curbstop/platforms/park"
	"github.com/curbstop/curbstop/platforms/portal"
	"github.com/curbstop/curbstop/platforms/property"
	"github.com/curbstop/curbstop/platforms/rating"
	"github.com/curbstop/curbstop/platforms/startup"
)

// Setup is what an adapter is made of. Only the mapping concerns all of them.
type Setup struct {
	Mapping  []byte            // nil: the adapter's own
	Channel  casework.Channel  // portal: gov_portal (the default) or wanshitong
	Database string            // gonggai: the exchange database
	Token    string            // gonggai: what the platform wants in the body of a report
	Key      *rsa.PrivateKey   // gonggai: opens what is encrypted for us
	PeerKey  *rsa.PublicKey    // gonggai: closes what we answer
	Balances property.Balances // property: what an account owes
}

// all are the constructors by name.
var all = map[string]func(Setup) (platforms.Adapter, error){
	"gonggai": func(s Setup) (platforms.Adapter, error) {
		return made(gonggai.New(s.Mapping, gonggai.Options{Database: s.Database, Token: s.Token, Key: s.Key, PlatformKey: s.PeerKey}))
	},
	"portal": func(s Setup) (platforms.Adapter, error) {
		if s.Channel == "" {
			s.Channel = casework.GovPortal
		}
		return made(portal.New(s.Mapping, s.Channel))
	},
	"startup":  func(s Setup) (platforms.Adapter, error) { return made(startup.New(s.Mapping)) },
	"park":     func(s Setup) (platforms.Adapter, error) { return made(park.New(s.Mapping)) },
	"joint":    func(s Setup) (platforms.Adapter, error) { return made(joint.New(s.Mapping)) },
	"property": func(s Setup) (platforms.Adapter, error) { return made(property.New(s.Mapping, s.Balances)) },
	"hotline":  func(s Setup) (platforms.Adapter, error) { return made(hotline.New(s.Mapping)) },
	"rating":   func(s Setup) (platforms.Adapter, error) { return made(rating.New(s.Mapping)) },
	"channels": func(Setup) (platforms.Adapter, error) { return channels.New(), nil },
}

// made keeps a constructor's failure from becoming an adapter that is a nil
// pointer and no nil.
func made[A platforms.Adapter](a A, err error) (platforms.Adapter, error) {
	if err != nil {
		return nil, err
	}
	return a, nil
}

// Names lists the adapters.
func Names() []string { return slices.Sorted(maps.Keys(all)) }

// New makes an adapter by its name.
func New(name string, s Setup) (platforms.Adapter, error) {
	build, ok := all[name]
	if !ok {
		return nil, casework.Refuse(casework.Invalid, "unknown_adapter",
			casework.Sayf("没有适配器“%s”；可用：%s", "there is no adapter %q; allowed: %s", name, strings.Join(Names(), "、")))
	}
	return build(s)
}
