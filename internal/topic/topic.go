// Package topic checks topic names and filters by the rules of MQTT 5, section 4.7.
package topic

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxLevels is how many levels a name or filter may have. Brokers have such a limit too (mosquitto 200, EMQX 128): matching deeper ones costs much.
const MaxLevels = 128

var (
	errEmpty    = errors.New("it is empty")
	errLong     = errors.New("it is longer than 65535 bytes")
	errDeep     = fmt.Errorf("it has more than %d levels", MaxLevels)
	errText     = errors.New("it is not valid UTF-8 without NUL")
	errWildcard = errors.New("a name to publish to has no wildcards")
	errPlus     = errors.New("+ must be a whole level")
	errHash     = errors.New("# must be the whole last level")
	errShare    = errors.New("a shared filter is $share/GROUP/FILTER, GROUP without wildcards")
)

// CheckName says what is wrong with a topic to publish to.
func CheckName(name string) error {
	if err := checkText(name); err != nil {
		return fmt.Errorf("topic %.100q: %w", name, err)
	}
	if strings.ContainsAny(name, "+#") {
		return fmt.Errorf("topic %.100q: %w", name, errWildcard)
	}
	return nil
}

// CheckFilter says what is wrong with a filter to subscribe to.
func CheckFilter(filter string) error {
	err := checkText(filter)
	if err == nil {
		err = checkShape(filter)
	}
	if err != nil {
		return fmt.Errorf("filter %.100q: %w", filter, err)
	}
	return nil
}

func checkText(s string) error {
	switch {
	case s == "":
		return errEmpty
	case len(s) > 65535:
		return errLong
	case strings.Count(s, "/") >= MaxLevels:
		return errDeep
	case strings.IndexByte(s, 0) >= 0 || !utf8.ValidString(s):
		return errText
	}
	return nil
}

func checkShape(filter string) error {
	if isShared(filter) {
		group, rest, ok := cutShared(filter)
		if !ok || group == "" || rest == "" || strings.ContainsAny(group, "+#") {
			return errShare
		}
		filter = rest
	}
	for filter != "" {
		level, rest, more := strings.Cut(filter, "/")
		if level != "+" && strings.Contains(level, "+") {
			return errPlus
		}
		if strings.Contains(level, "#") && (level != "#" || more) {
			return errHash
		}
		filter = rest
	}
	return nil
}

// Unshare returns the filter inside a shared one, and any other filter as it is.
func Unshare(filter string) (inner string, shared bool) {
	if !isShared(filter) {
		return filter, false
	}
	_, inner, _ = cutShared(filter)
	return inner, true
}

// isShared ignores the case, as mochi does: otherwise $SHARE would be a way around the access rules.
func isShared(filter string) bool {
	first, _, _ := strings.Cut(filter, "/")
	return strings.EqualFold(first, "$share")
}

func cutShared(filter string) (group, rest string, ok bool) {
	_, after, _ := strings.Cut(filter, "/")
	return strings.Cut(after, "/")
}

// Matches reports whether filter, which is not shared, matches name.
func Matches(filter, name string) bool {
	if strings.HasPrefix(name, "$") && (strings.HasPrefix(filter, "+") || strings.HasPrefix(filter, "#")) {
		return false
	}
	for {
		f, fRest, fMore := strings.Cut(filter, "/")
		if f == "#" {
			return true
		}
		n, nRest, nMore := strings.Cut(name, "/")
		if f != "+" && f != n {
			return false
		}
		if !nMore {
			return !fMore || fRest == "#"
		}
		if !fMore {
			return false
		}
		filter, name = fRest, nRest
	}
}

// CheckClientID says what is wrong with a client id.
func CheckClientID(id string) error {
	err := checkText(strings.ReplaceAll(id, "/", "-"))
	if err != nil {
		return fmt.Errorf("client id %.100q: %w", id, err)
	}
	return nil
}
