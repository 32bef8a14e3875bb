package service

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/internal/boundedfile"
	"github.com/exgate/exgate/runtime/gateway"
)

// Plan is what another configuration changes in the running service.
type Plan struct {
	Changes []Change
	Next    *config.Config
}

// Change is one step of a plan.
type Change struct {
	Listener string   // the listener; empty if the settings are of the whole gateway
	Does     Step     // what is done
	Keys     []string // the settings that differ, relative to the listener
	Devices  int      // the connections of the listener now
	Ends     bool     // they are closed

	files bool // a file that the handler is made of has other contents
}

// Step is what a change does.
type Step int

// The steps.
const (
	StepSet    Step = iota // settings of the gateway
	StepRemove             // close a listener and its connections
	StepReopen             // use new settings of the socket; connections of streams stay
	StepChange             // use new settings for new connections
	StepAdd                // open a listener
)

// String describes the change in one line.
func (c Change) String() string {
	keys := strings.Join(c.Keys, ", ")
	switch c.Does {
	case StepAdd:
		return fmt.Sprintf("+ listener %s", c.Listener)
	case StepRemove:
		return fmt.Sprintf("- listener %s: %s", c.Listener, c.fate())
	case StepReopen:
		return fmt.Sprintf("~ listener %s: %s: the socket is set up again; %s", c.Listener, keys, c.fate())
	case StepChange:
		return fmt.Sprintf("~ listener %s: %s: for new connections; %s", c.Listener, keys, c.fate())
	}
	return "~ " + keys
}

func (c Change) fate() string {
	devices := fmt.Sprintf("%d connected devices", c.Devices)
	if c.Devices == 1 {
		devices = "1 connected device"
	}
	switch {
	case c.Devices == 0:
		return "no device is connected"
	case c.Ends:
		return devices + " must reconnect"
	case c.Devices == 1:
		return devices + " keeps the old settings until it reconnects"
	}
	return devices + " keep the old settings until they reconnect"
}

// settable are the settings outside of listeners that can change while the gateway runs.
var settable = []string{"log.level", "max_connections", "shutdown_timeout", "upgrade_timeout"}

// Plan returns what changes with the configuration next, in the order in which it is done. The error is of type
// [config.Problems] if next has settings that only a new process can use.
func (s *Service) Plan(next *config.Config) (Plan, error) {
	p := Plan{Next: next}
	byListener := make(map[string][]string)
	var set []string
	var problems config.Problems
	for _, key := range config.Differences(s.config(), next) {
		rest, ofListener := strings.CutPrefix(key, "listeners.")
		switch {
		case ofListener:
			name, setting, _ := strings.Cut(rest, ".")
			byListener[name] = append(byListener[name], setting)
		case slices.Contains(settable, key):
			set = append(set, key)
		default:
			problems = append(problems, next.Problem(key,
				"cannot change while the gateway runs: use exgate upgrade, which starts a new process"))
		}
	}
	if len(problems) > 0 {
		return Plan{}, problems
	}
	if len(set) > 0 {
		p.Changes = append(p.Changes, Change{Does: StepSet, Keys: set})
	}
	for _, name := range allNames(s.config(), next) {
		if c, ok := s.changeOf(name, byListener[name], next); ok {
			p.Changes = append(p.Changes, c)
		}
	}
	slices.SortStableFunc(p.Changes, func(a, b Change) int { return cmp.Compare(a.Does, b.Does) })
	return p, nil
}

func allNames(a, b *config.Config) []string {
	names := append(a.Names(), b.Names()...)
	slices.Sort(names)
	return slices.Compact(names)
}

// changeOf returns what is done with the listener name, whose settings keys differ.
func (s *Service) changeOf(name string, keys []string, next *config.Config) (Change, bool) {
	now, then := s.opened.find(name), next.Listeners[name]
	c := Change{Listener: name, Keys: keys, Devices: s.connected(name, false)}
	_, stays := next.Listeners[name]
	switch {
	case !stays:
		c.Does, c.Ends = StepRemove, true
	case now == nil:
		c.Does = StepAdd
	case slices.ContainsFunc(keys, func(key string) bool { return needsSocket(key, then) }):
		c.Does, c.Ends = StepReopen, now.takesConnections()
		if now.cfg.Datagram() {
			c.Devices = s.connected(name, true)
		}
	default:
		if files := filesOf(then.Handler); files != now.files {
			c.files = true
			if !slices.ContainsFunc(keys, ofHandler) {
				c.Keys = append(slices.Clone(keys), "handler (its files)")
			}
		}
		if len(c.Keys) == 0 {
			return c, false
		}
		c.Does = StepChange
	}
	return c, true
}

// needsSocket reports whether a setting of a listener is given to its socket when that is opened. All others are read
// for each new connection.
func needsSocket(key string, l config.Listener) bool {
	section, _, _ := strings.Cut(key, ".")
	switch section {
	case "handler", "session", "limits", "mountpoint", "publish_topics", "subscribe_topics", "capture", "access", "ban",
		"max_connections", "max_connections_per_source", "connection_rate", "connection_burst",
		"listener_bytes_per_second", "listener_messages_per_second":
		return false
	case "idle_timeout":
		return l.Datagram() || l.Dials()
	}
	return true
}

func ofHandler(key string) bool { return key == "handler" || strings.HasPrefix(key, "handler.") }

// filesOf returns a fingerprint of the files that a handler is made of: its module, and secrets that are read once.
func filesOf(h config.Handler) (sum [sha256.Size]byte) {
	all := sha256.New()
	for _, name := range []string{h.Wasm, h.Shadow.Wasm, h.TokenFile, h.AdapterTokenFile} {
		var content []byte
		if name != "" && !strings.HasPrefix(name, config.Builtin) {
			content, _ = boundedfile.Read(name, maxModule) // an unreadable file is a problem when it is used
		}
		one := sha256.Sum256(content)
		all.Write(one[:])
	}
	all.Sum(sum[:0])
	return sum
}

// connected returns the number of the listener's connections, or only of those over UDP and DTLS: others may have
// stayed from a time when the listener had another type.
func (s *Service) connected(name string, datagram bool) (n int) {
	for c := range s.gateway.Conns() {
		if c.Listener() == name && (!datagram || c.Info().SocketType >= gateway.SocketUDP) {
			n++
		}
	}
	return n
}
