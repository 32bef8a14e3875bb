package config

import (
	"regexp"
	"strings"
)

// prefix begins the environment variables that are settings.
const prefix = "EXGATE_"

// notSettings are variables with our prefix that mean something else: the password of pub and sub, and what Kubernetes puts into
// each container beside a Service named exgate.
var notSettings = regexp.MustCompile(`^EXGATE_(PASSWORD|SERVICE_(HOST|PORT(_.*)?)|PORT(_.*)?)$`)

// Variable is the environment variable of a setting: EXGATE_LOG__LEVEL for log.level.
func Variable(key string) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(key, ".", "__"))
}

// readEnvironment takes the settings out of variables in the form NAME=value. An empty variable is not set.
func readEnvironment(environ []string, problems *collector) settings {
	s := newSettings()
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		word, ours := strings.CutPrefix(name, prefix)
		if !ours || value == "" || notSettings.MatchString(name) {
			continue
		}
		key := strings.ToLower(strings.ReplaceAll(word, "__", "."))
		at := origin{where: name, order: orderEnvironment}
		if meant := missingUnderscore(key); meant != "" {
			problems.add(at, key, "unknown key, did you mean %s?", meant)
			continue
		}
		s.say(key, value, at, problems)
	}
	return s
}

// missingUnderscore returns the variable that was meant where single underscores stand between the parts of its name.
func missingUnderscore(key string) string {
	for _, setting := range schema.every("") {
		if setting != key && strings.ReplaceAll(setting, ".", "_") == key {
			return Variable(setting)
		}
	}
	return ""
}

// say sets key to what text stands for.
func (s settings) say(key, text string, at origin, problems *collector) {
	n, unknown := schema.at(key)
	switch {
	case unknown != "" || key == "":
		problems.add(at, key, "%s", unknownKey(n, unknown))
		return
	case !nameable(key):
		problems.add(at, key, "names no listener: use a-z, 0-9, - and _")
		return
	}
	v, err := n.parse(text)
	if err != nil {
		problems.add(at, key, "%v", err)
		return
	}
	s.values[key], s.origins[key] = v, at
}

// nameable reports whether the listener of key, if it is a listener's, may be called so.
func nameable(key string) bool {
	words := strings.Split(key, ".")
	return len(words) < 2 || words[0] != "listeners" || listenerName.MatchString(words[1])
}
