package sim

import (
	"crypto/rand"
	_ "embed" // the senders of the demo
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

// demoSenders is the senders' file of the demo: one sender of each kind, each
// with another way of proving itself.
//
//go:embed senders.yaml
var demoSenders string

// demoAddress is where the file says that the stand-in listens.
const demoAddress = "127.0.0.1:8790"

// DemoSenders is the senders' file of the demo, with the address at which the
// stand-in listens.
func DemoSenders(address string) []byte {
	return []byte(strings.ReplaceAll(demoSenders, demoAddress, address))
}

// sender is what the stand-in reads of a senders' file. What else stands there
// is for the other side.
type sender struct {
	ID      string `yaml:"id"`
	Name    string `yaml:"name"`
	Adapter string `yaml:"adapter"`
	Proof   scheme `yaml:"proof"`
	Decrypt any    `yaml:"decrypt"`
	// Secrets are for the adapter alone; here they are only made.
	Secrets map[string]string `yaml:"secrets"`
	Report  *struct {
		URL     string        `yaml:"url"`
		Proof   scheme        `yaml:"proof"`
		Encrypt any           `yaml:"encrypt"`
		Timeout time.Duration `yaml:"timeout"`
		Cases   string        `yaml:"cases"`
	} `yaml:"report"`
	Exchange *struct {
		URLEnv string        `yaml:"url_env"`
		Every  time.Duration `yaml:"every"`
	} `yaml:"exchange"`
}

// watches tells whether the sender is told of all cases.
func (s sender) watches() bool { return s.Report != nil && s.Report.Cases == "all" }

func readSenders(file []byte) ([]sender, error) {
	var all struct {
		Senders []sender `yaml:"senders"`
	}
	if err := yaml.Unmarshal(file, &all); err != nil {
		return nil, fmt.Errorf("来件方文件无法读取 the senders' file can't be read: %w", err)
	}
	if len(all.Senders) == 0 {
		return nil, errors.New("来件方文件中没有来件方 the senders' file has no senders")
	}
	return all.Senders, nil
}

// Secrets makes whatever secrets a senders' file names, fresh: the variables of
// both sides. Of a sender that signs with a key of its own there are two, the
// public one that the file names and the private one of the stand-in.
func Secrets(file []byte) (map[string]string, error) {
	all, err := readSenders(file)
	if err != nil {
		return nil, err
	}
	secrets := map[string]string{}
	for _, s := range all {
		if err := s.Proof.secretsFor(secrets); err != nil {
			return nil, err
		}
		for _, name := range s.Secrets {
			if _, have := secrets[name]; !have {
				secrets[name] = rand.Text()
			}
		}
		if s.Report != nil {
			if err := s.Report.Proof.secretsFor(secrets); err != nil {
				return nil, err
			}
		}
	}
	return secrets, nil
}

// ready looks up the sender's secrets and judges whether the stand-in can play
// it.
func (s sender) ready(getenv func(string) string) (sender, error) {
	var err error
	if s.Decrypt != nil || s.Report != nil && s.Report.Encrypt != nil {
		return s, fmt.Errorf("来件方 %[1]s：替身不加密报文 sender %[1]s: the stand-in encrypts no bodies", s.ID)
	}
	if s.Proof, err = s.Proof.ready(getenv); err != nil {
		return s, fmt.Errorf("来件方 %[1]s sender %[1]s: proof: %[2]w", s.ID, err)
	}
	if s.Report == nil {
		return s, nil
	}
	u, err := url.Parse(s.Report.URL)
	if err != nil || !loopback(u.Hostname()) {
		return s, fmt.Errorf("来件方 %[1]s：回传地址应为本机，替身才收得到 sender %[1]s: report.url must be on this machine, or the stand-in is not told", s.ID)
	}
	if s.Report.Proof, err = s.Report.Proof.ready(getenv); err != nil {
		return s, fmt.Errorf("来件方 %[1]s sender %[1]s: report.proof: %[2]w", s.ID, err)
	}
	return s, nil
}
