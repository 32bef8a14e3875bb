package config

import (
	"errors"
	"time"

	"github.com/exgate/exgate/runtime/listener/admission"
)

// Access says which addresses may connect.
type Access struct {
	Rules []string `koanf:"rules"`
	File  string   `koanf:"file" path:"file"`
}

// Ban refuses, for a time, sources that keep failing.
type Ban struct {
	Failures int           `koanf:"failures" min:"1" max:"100"`
	Window   time.Duration `koanf:"window"`
	Duration time.Duration `koanf:"duration"`
}

// admission checks which devices may connect, and how often.
func (r rules) admission(key string, l Listener) {
	r.access(key+".access", l.Access)
	if at, ok := r.cfg.said(key + ".ban"); ok && l.Ban.Failures == 0 && !r.broken(key+".ban") {
		r.problems.add(at, key+".ban", "needs failures, the number after which a source is refused")
	}
	r.burst(key+".connection_burst", l.ConnectionBurst, "connection_rate", l.ConnectionRate)
	limits := key + ".limits."
	r.burst(limits+"bytes_burst", l.Limits.BytesBurst, "bytes_per_second", l.Limits.BytesPerSecond)
	r.burst(limits+"messages_burst", l.Limits.MessagesBurst, "messages_per_second", l.Limits.MessagesPerSecond)
	r.burst(limits+"publishes_burst", l.Limits.PublishesBurst, "publishes_per_second", l.Limits.PublishesPerSecond)
}

// burst refuses a burst without its rate.
func (r rules) burst(key string, burst int, name string, rate int) {
	if burst != 0 && rate == 0 {
		r.problem(key, "needs %s", name)
	}
}

// access checks the rules for addresses that may connect.
func (r rules) access(key string, a Access) {
	r.exclusive(key+".rules", key+".file")
	for i, rule := range a.Rules {
		if _, err := admission.ParseAccess([]string{rule}); err != nil {
			r.problems.add(r.cfg.origins.ofItem(key+".rules", i), key+".rules", "%s: %v", quoted(rule),
				errors.Unwrap(err))
		}
	}
	r.file(key+".file", a.File)
	if a.File == "" || r.broken(key+".file") {
		return
	}
	if _, err := admission.LoadAccess(a.File, nil); err != nil {
		r.problem(key+".file", "%v", err)
	}
}
