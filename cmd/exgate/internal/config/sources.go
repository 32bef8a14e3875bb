package config

import (
	"regexp"
	"strings"

	"github.com/spf13/pflag"
)

// Sources is where a configuration comes from.
type Sources struct {
	// File is the configuration file, or a pipe that is read until its end. Optional.
	File string
	// Environ holds environment variables as NAME=value. Optional.
	Environ []string
	// Flags are those that [AddFlags] added. Optional.
	Flags *pflag.FlagSet
}

// settings are values by dotted name, and where each was set.
type settings struct {
	values  map[string]any
	origins origins
}

func newSettings() settings {
	return settings{values: make(map[string]any), origins: make(origins)}
}

// prefix begins the environment variables that are settings.
const prefix = "EXGATE_"

// notSettings are variables with our prefix that mean something else: the password of pub and sub, and what Kubernetes
// puts into each container if there is a Service named exgate.
var notSettings = regexp.MustCompile(`^EXGATE_(PASSWORD|SERVICE_(HOST|PORT(_.*)?)|PORT(_.*)?)$`)

// Variable is the environment variable of a setting: EXGATE_LOG__LEVEL for log.level.
func Variable(key string) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(key, ".", "__"))
}

// readEnvironment reads the settings from variables of the form NAME=value. An empty variable counts as not set.
func readEnvironment(environ []string, problems *collector) settings {
	s := newSettings()
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		word, ours := strings.CutPrefix(name, prefix)
		if !ours || notSettings.MatchString(name) {
			continue
		}
		key := strings.ToLower(strings.ReplaceAll(word, "__", "."))
		at := origin{where: name, order: orderEnvironment}
		n, _, known := schema.at(key)
		section := known && n.section()
		switch {
		case value == "" && section:
			problems.add(at, key, "is a section, and the variable is empty: set one of its settings, such as %s, or "+
				"unset the variable",
				Variable(join(key, n.example())))
			continue
		case value == "":
			continue
		case !known || section:
			if meant := missingUnderscore(key); meant != "" {
				problems.add(at, key, "unknown key, did you mean %s?", meant)
				continue
			}
		}
		s.say(key, value, at, problems)
	}
	return s
}

// missingUnderscore returns the variable that was meant by a key with single underscores between some of its parts, or
// "".
func missingUnderscore(key string) string {
	flat := strings.ReplaceAll(key, ".", "_")
	best, shortest := "", len(flat)
	for _, setting := range schema.every("") {
		before, after, named := strings.Cut(strings.ReplaceAll(setting, ".", "_"), "*")
		name, ok := strings.CutPrefix(flat, before)
		if ok {
			name, ok = strings.CutSuffix(name, after)
		}
		// the longest setting leaves the shortest name
		if !ok || named != listenerName.MatchString(name) || len(name) >= shortest {
			continue
		}
		if meant := strings.Replace(setting, "*", name, 1); meant != key {
			best, shortest = meant, len(name)
		}
	}
	if best == "" {
		return ""
	}
	return Variable(best)
}

// say sets key to the value that text represents.
func (s settings) say(key, text string, at origin, problems *collector) {
	n, unknown, known := schema.at(key)
	switch {
	case !known && nameless(key):
		problems.add(at, key, "%s", lacksName(key))
		return
	case !known:
		problems.add(at, key, "%s", unknownKey(n, unknown, key))
		return
	case n.section() && nameless(key):
		problems.add(at, key, "%s", lacksName(key))
		return
	case !nameable(key):
		problems.add(at, key, "is not a valid listener name: use a-z, 0-9, - and _")
		return
	}
	v, err := n.parse(text)
	if err != nil {
		problems.add(at, key, "%v", err)
		return
	}
	s.values[key], s.origins[key] = v, at
}

// nameable reports whether the listener in key, if there is one, has a valid name.
func nameable(key string) bool {
	words := strings.Split(key, ".")
	return len(words) < 2 || words[0] != "listeners" || listenerName.MatchString(words[1])
}

// flagKeys are the settings that have a flag of their own.
var flagKeys = map[string]string{
	"log-level":    "log.level",
	"log-format":   "log.format",
	"node":         "node",
	"metrics-bind": "metrics.bind",
	"upstream-url": "upstream.url",
}

// AddFlags adds the flags for settings: a few have a flag of their own, and --set sets any of them.
func AddFlags(flags *pflag.FlagSet) {
	flags.String("log-level", "", "log level: debug, info, warn or error")
	flags.String("log-format", "", "log format: auto (text on a terminal, otherwise json), text or json")
	flags.String("node", "", "name of this gateway in messages and logs")
	flags.String("metrics-bind", "", "serve Prometheus metrics and health checks on this `address`")
	flags.String("upstream-url", "", "`url` of the MQTT broker, or a comma-separated list of its servers")
	flags.StringArray("set", nil, "set any setting by `key=value`, such as listeners.demo.bind=:8000; may be repeated")
}

// readFlags reads the settings from the flags that were given.
func readFlags(flags *pflag.FlagSet, problems *collector) settings {
	s := newSettings()
	if flags == nil {
		return s
	}
	flags.Visit(func(f *pflag.Flag) {
		at := origin{where: "--" + f.Name, order: orderFlags}
		if key, ok := flagKeys[f.Name]; ok {
			s.say(key, f.Value.String(), at, problems)
		}
	})
	assignments, _ := flags.GetStringArray("set")
	for _, assignment := range assignments {
		at := origin{where: "--set", order: orderFlags}
		key, value, ok := strings.Cut(assignment, "=")
		if !ok {
			problems.add(at, key, "must be key=value")
			continue
		}
		s.say(key, value, at, problems)
	}
	return s
}
