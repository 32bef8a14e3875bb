package emqxconf

import (
	"strconv"
	"strings"
	"time"

	"github.com/exgate/exgate/cmd/exgate/internal/emqxconf/hocon"
)

// scope is a section of EMQX's configuration and its conversion.
type scope struct {
	*importer
	key  string // of the section
	to   target // the result of the section
	kind string // of the listener: tcp, tls, udp or dtls
	wish *wish
}

// rule carries a setting over.
type rule func(s *scope, name string, v *hocon.Value)

// rules holds the rules for the settings of a section.
type rules map[string]rule

// apply carries over each setting of a section.
func (s *scope) apply(section *hocon.Value, by rules) {
	if section.Kind != hocon.Object {
		s.decide(section, s.key, "must be a section with settings")
		return
	}
	for _, name := range section.Keys {
		v := section.Fields[name]
		if r, ok := by[name]; ok {
			r(s, name, v)
		} else {
			s.decide(v, s.name(name), "is not a known setting of ExProto")
		}
	}
}

// name returns the full name of a setting of the section.
func (s *scope) name(of string) string { return strings.TrimSuffix(s.key+"."+of, ".") }

// within applies rules to a subsection.
func within(by rules) rule {
	return func(s *scope, name string, v *hocon.Value) {
		inner := *s
		inner.key = s.name(name)
		inner.apply(v, by)
	}
}

// ignored is the rule for a setting that exgate does not need.
func ignored(why string) rule {
	return func(s *scope, name string, v *hocon.Value) { s.needless(v, s.name(name), why) }
}

// lost is the rule for a setting that exgate does not have.
func lost(why string) rule {
	return func(s *scope, name string, v *hocon.Value) { s.decide(v, s.name(name), "%s", why) }
}

// count carries over a number above 0.
func count(to string) rule {
	return func(s *scope, name string, v *hocon.Value) {
		if n, ok := s.number(name, v); ok {
			s.to.set(to, n)
		}
	}
}

func (s *scope) number(name string, v *hocon.Value) (int, bool) {
	n, err := strconv.ParseInt(v.Text, 10, 32)
	if v.Kind != hocon.Scalar || err != nil || n < 1 {
		s.decide(v, s.name(name), "must be a whole number above 0")
		return 0, false
	}
	return int(n), true
}

// duration carries over a duration above 0.
func duration(to string) rule {
	return func(s *scope, name string, v *hocon.Value) {
		if d, ok := s.duration(name, v); ok {
			s.to.set(to, d.String())
		}
	}
}

func (s *scope) duration(name string, v *hocon.Value) (time.Duration, bool) {
	d, ok := parseDuration(v.Text)
	if v.Kind != hocon.Scalar || !ok || d <= 0 {
		s.decide(v, s.name(name), "must be a duration above 0 such as 30s")
		return 0, false
	}
	return d, true
}

// size carries over a number of bytes.
func size(to string) rule {
	return func(s *scope, name string, v *hocon.Value) {
		text, ok := parseSize(v.Text)
		if v.Kind != hocon.Scalar || !ok {
			s.decide(v, s.name(name), "must be a size above 0 such as 2KB")
			return
		}
		s.to.set(to, text)
	}
}

// flag reads true, false, on or off.
func (s *scope) flag(name string, v *hocon.Value) (value, ok bool) {
	switch v.Text {
	case "true", "on":
		return true, true
	case "false", "off":
		return false, true
	}
	s.decide(v, s.name(name), "must be true or false")
	return false, false
}

// wanted is the rule for a setting that is always want in exgate; the other value is lost.
func wanted(want bool, why string) rule {
	return func(s *scope, name string, v *hocon.Value) {
		switch got, ok := s.flag(name, v); {
		case ok && got == want:
			s.needless(v, s.name(name), "exgate always does this")
		case ok:
			s.decide(v, s.name(name), "%s", why)
		}
	}
}
