package topic

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// MaxLevels limits the levels of a name or filter. Brokers have such a limit too (mosquitto 200, EMQX 128), because
// matching deep topics is expensive.
const MaxLevels = 128

// Errors in a name or filter, other than in its text.
var (
	ErrDeep     = fmt.Errorf("must have at most %d levels", MaxLevels)
	ErrWildcard = errors.New("a topic to publish to must not contain '+' or '#'")
	ErrFilter   = errors.New("'#' must be the last level of a filter, '+' a whole level")
	ErrShare    = errors.New("a shared subscription is $share/GROUP/FILTER: GROUP without wildcards, FILTER not shared")
)

// CheckName checks a topic to publish to.
func CheckName(name string) error {
	err := checkTopic(name)
	if err == nil && strings.ContainsAny(name, "+#") {
		err = ErrWildcard
	}
	if err != nil {
		return fmt.Errorf("topic %.100q: %w", name, err)
	}
	return nil
}

// CheckReceived checks the topic of a message from a broker. It may have more levels than CheckName allows.
func CheckReceived(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("topic: %w", ErrEmpty)
	case strings.ContainsAny(name, "+#"):
		return fmt.Errorf("topic %.100q: %w", name, ErrWildcard)
	}
	return CheckString("topic", name)
}

// CheckFilter checks a filter to subscribe to.
func CheckFilter(filter string) error {
	err := checkTopic(filter)
	if err == nil {
		err = checkShape(filter)
	}
	if err != nil {
		return fmt.Errorf("filter %.100q: %w", filter, err)
	}
	return nil
}

// checkTopic checks the rules for both names and filters.
func checkTopic(s string) error {
	switch {
	case s == "":
		return ErrEmpty
	case len(s) > MaxString:
		return ErrLong
	case strings.Count(s, "/") >= MaxLevels:
		return ErrDeep
	}
	return checkText(s)
}

func checkShape(filter string) error {
	if isShared(filter) {
		group, rest, ok := cutShared(filter)
		if !ok || group == "" || rest == "" || strings.ContainsAny(group, "+#") || isShared(rest) {
			return ErrShare
		}
		filter = rest
	}
	for filter != "" {
		level, rest, more := strings.Cut(filter, "/")
		if (strings.Contains(level, "+") && level != "+") || (strings.Contains(level, "#") && (level != "#" || more)) {
			return ErrFilter
		}
		filter = rest
	}
	return nil
}

// Unshare returns the filter inside a shared one, and any other filter unchanged.
func Unshare(filter string) (inner string, shared bool) {
	if !isShared(filter) {
		return filter, false
	}
	_, inner, _ = cutShared(filter)
	return inner, true
}

// brokerWords are first levels that some broker removes from a filter or name, to interpret the rest as another one:
// MQTT 5 (share), EMQX (queue, exclusive, delayed, local, q, s), VerneMQ and others (oshare).
var brokerWords = []string{"$share", "$queue", "$exclusive", "$delayed", "$local", "$oshare", "$q", "$s"}

// CheckMount checks a mountpoint, which is prepended to names and filters. It may be empty.
func CheckMount(mount string) error {
	if err := CheckString("mountpoint", mount); err != nil {
		return err
	}
	if strings.ContainsAny(mount, "+#") {
		return fmt.Errorf("mountpoint %.100q: must not contain '+' or '#': it is prepended to topics", mount)
	}
	first, _, _ := strings.Cut(mount, "/")
	if first == "$" ||
		slices.ContainsFunc(brokerWords, func(word string) bool { return strings.EqualFold(first, word) }) {
		return fmt.Errorf("mountpoint %.100q: must not begin with %s: brokers strip it from the topic",
			mount, first)
	}
	return nil
}

// Mount prepends mount to a filter that CheckFilter accepts; in a shared filter, to the part after $share/GROUP/, with
// $share in lower case, so that every broker treats it as shared. Check the result again: it may be too long, or join a
// level of mount with a wildcard.
func Mount(mount, filter string) string {
	if !isShared(filter) {
		return mount + filter
	}
	group, rest, _ := cutShared(filter)
	return "$share/" + group + "/" + mount + rest
}

// isShared ignores case, as mochi does: otherwise $SHARE would bypass the access rules.
func isShared(filter string) bool {
	first, _, _ := strings.Cut(filter, "/")
	return strings.EqualFold(first, "$share")
}

func cutShared(filter string) (group, rest string, ok bool) {
	_, after, _ := strings.Cut(filter, "/")
	return strings.Cut(after, "/")
}

// Matches reports whether filter, which must not be shared, matches name.
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
