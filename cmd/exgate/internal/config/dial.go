package config

import (
	"time"

	"github.com/exgate/exgate/runtime/listener/dial"
)

// Dial configures a dial listener, which connects to devices that are servers. Zero fields take the defaults of
// [dial.Config].
type Dial struct {
	Targets        []string      `koanf:"targets"`
	File           string        `koanf:"file" path:"file"`
	ConnectTimeout time.Duration `koanf:"connect_timeout"`
	MaxDialing     int           `koanf:"max_dialing" min:"1" max:"65536"`
	MinPause       time.Duration `koanf:"min_pause"`
	MaxPause       time.Duration `koanf:"max_pause"`
	TLS            DialTLS       `koanf:"tls"`
}

// DialTLS says how targets at tls:// are verified, and how the gateway authenticates itself to them.
type DialTLS struct {
	CA                 string `koanf:"ca" path:"file"`
	Cert               string `koanf:"cert" path:"file"`
	Key                string `koanf:"key" path:"file"`
	ServerName         string `koanf:"server_name"`
	InsecureSkipVerify bool   `koanf:"insecure_skip_verify"`
}

// Client returns the settings that every client has.
func (t DialTLS) Client() ClientTLS {
	return ClientTLS{CA: t.CA, Cert: t.Cert, Key: t.Key, ServerName: t.ServerName}
}

// Dials reports whether the listener connects to devices, instead of accepting connections of devices.
func (l Listener) Dials() bool { return l.Type == "dial" }

// List returns the targets.
func (d Dial) List() (dial.List, error) {
	if d.File == "" {
		return dial.Parse(d.Targets), nil
	}
	file, err := dial.LoadFile(d.File)
	if err != nil {
		return dial.List{}, err
	}
	return file.List(), nil
}

// count is the number of targets, or 0 if they cannot be read.
func (d Dial) count() int {
	list, _ := d.List()
	return len(list.Targets)
}

// dial checks the targets of the listener key. A wrong line of a file is a warning: the gateway starts without it, as
// it goes on without it when the file changes.
func (r rules) dial(key string, l Listener) {
	d, section := l.Dial, key+".dial"
	r.exclusive(section+".targets", section+".file")
	r.clientTLS(section+".tls", d.TLS.Client())
	if at, ok := r.cfg.said(section + ".tls.insecure_skip_verify"); ok && d.TLS.InsecureSkipVerify {
		r.warn(at, section+".tls.insecure_skip_verify", "the certificates of targets are not verified: anybody on "+
			"the way can answer for a device")
	}
	if d.MinPause > 0 && d.MaxPause > 0 && d.MinPause > d.MaxPause {
		r.problem(section+".max_pause", "is below min_pause")
	}
	r.file(section+".file", d.File)
	if r.broken(section) {
		return
	}
	if len(d.Targets) == 0 && d.File == "" {
		if !r.broken(key) {
			r.problem(key, "needs dial.targets, a list such as [meter-1 192.0.2.7:502], or dial.file, which has one "+
				"a line")
		}
		return
	}
	list, err := d.List()
	switch {
	case err != nil:
		r.problem(section+".file", "%v", err)
	case d.File != "" && len(list.Targets) == 0 && len(list.Wrong) > 0:
		r.problem(section+".file", "no line is right: %v", list.Wrong[0])
	case d.File != "":
		at := r.cfg.origins.of(section + ".file")
		for _, wrong := range list.Wrong[:min(len(list.Wrong), maxWrongLines)] {
			r.warn(at, section+".file", "%v", wrong)
		}
		if more := len(list.Wrong) - maxWrongLines; more > 0 {
			r.warn(at, section+".file", "%d more lines are wrong", more)
		}
	default:
		for _, wrong := range list.Wrong {
			r.problems.add(r.cfg.origins.ofItem(section+".targets", wrong.Line-1), section+".targets", "%s: %v",
				quoted(d.Targets[wrong.Line-1]), wrong.Err)
		}
	}
}

// maxWrongLines bounds the wrong lines of one file that are reported.
const maxWrongLines = 20
