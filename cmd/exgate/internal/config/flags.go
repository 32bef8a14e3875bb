package config

import (
	"strings"

	"github.com/spf13/pflag"
)

// flagKeys are the settings that have a flag of their own.
var flagKeys = map[string]string{
	"log-level":    "log.level",
	"log-format":   "log.format",
	"node":         "node",
	"metrics-bind": "metrics.bind",
	"upstream-url": "upstream.url",
}

// AddFlags adds the flags that are settings: a few by name, and --set for every one.
func AddFlags(flags *pflag.FlagSet) {
	flags.String("log-level", "", "log from this level on: debug, info, warn or error")
	flags.String("log-format", "", "log as text or json; auto is text on a terminal")
	flags.String("node", "", "name of this gateway in messages")
	flags.String("metrics-bind", "", "serve Prometheus metrics and health at this `address`")
	flags.String("upstream-url", "", "connect devices to the MQTT broker at this `url`; or several servers of it, with commas")
	flags.StringArray("set", nil, "set any `key=value`, such as listeners.demo.bind=:8000; may be repeated")
}

// readFlags takes the settings out of the flags that were given.
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
