package config

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// parse returns the value that text represents, or an error that says what it must be.
func (n *node) parse(text string) (any, error) {
	switch n.kind {
	case kindText, kindData:
		return text, nil
	case kindChoice:
		for _, choice := range n.choices {
			if text == choice {
				return text, nil
			}
		}
		return nil, fmt.Errorf("must be %s, not %s", either(n.choices), quoted(text))
	case kindFlag:
		if text != "true" && text != "false" {
			return nil, fmt.Errorf("must be true or false, not %s", quoted(text))
		}
		return text == "true", nil
	case kindCount:
		v, err := strconv.ParseInt(text, 10, 64)
		if errors.Is(err, strconv.ErrRange) {
			return nil, tooLarge(text)
		}
		if err != nil {
			return nil, fmt.Errorf("must be a whole number, not %s", quoted(text))
		}
		return n.bounded(v)
	case kindBytes:
		v, err := parseBytes(text)
		if err != nil {
			return nil, err
		}
		return n.bounded(v)
	case kindDuration:
		v, err := time.ParseDuration(text)
		if err != nil && tooLong.MatchString(text) {
			return nil, fmt.Errorf("%s is too long: the longest duration is %s", cut(text),
				time.Duration(math.MaxInt64).Truncate(time.Hour))
		}
		if days, ok := strings.CutSuffix(text, "d"); err != nil && ok && isDigits(days) && len(days) < 6 {
			n, _ := strconv.Atoi(days)
			return nil, fmt.Errorf("days are not supported: write %dh", 24*n)
		}
		if err != nil {
			return nil, fmt.Errorf("must be a duration such as 500ms, 10s or 1m30s, not %s", quoted(text))
		}
		if v <= 0 {
			return nil, fmt.Errorf("must be above 0, not %s", text)
		}
		return v, nil
	case kindPercent:
		return parsePercent(text)
	case kindList:
		return splitList(text), nil
	}
	return nil, fmt.Errorf("is a group of settings (%s), not a value", strings.Join(n.names(), ", "))
}

func (n *node) bounded(v int64) (any, error) {
	switch {
	case v < n.min:
		return nil, fmt.Errorf("must be at least %d, not %d", n.min, v)
	case v > n.max:
		return nil, fmt.Errorf("must be at most %d, not %d", n.max, v)
	}
	return v, nil
}

// wants describes the values that n accepts.
func (n *node) wants() string {
	switch n.kind {
	case kindText:
		return "text"
	case kindData:
		return "text, or settings"
	case kindChoice:
		return either(n.choices)
	case kindFlag:
		return "true or false"
	case kindCount:
		return "a whole number"
	case kindBytes:
		return "a number of bytes such as 65536 or 64KiB"
	case kindDuration:
		return "a duration such as 500ms, 10s or 1m30s"
	case kindPercent:
		return "a percentage such as 1%"
	case kindList:
		if n.single {
			return "text, or a list such as [a, b]"
		}
		return "a list such as [a, b]"
	case kindNamed:
		return "a section with a name for each listener, such as {meters: {bind: \":7993\"}}"
	}
	return "a section with " + strings.Join(n.names(), ", ")
}

var byteUnits = []struct {
	suffix string
	factor int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}}

func parseBytes(text string) (int64, error) {
	digits, factor := text, int64(1)
	for _, unit := range byteUnits {
		if before, ok := strings.CutSuffix(text, unit.suffix); ok {
			digits, factor = strings.TrimSpace(before), unit.factor
		}
	}
	v, err := strconv.ParseInt(digits, 10, 64)
	if errors.Is(err, strconv.ErrRange) || err == nil && v > math.MaxInt64/factor {
		return 0, tooLarge(text)
	}
	if err != nil || v < 0 {
		return 0, fmt.Errorf("must be a number of bytes such as 65536 or 64KiB, not %s", quoted(text))
	}
	return v * factor, nil
}

// tooLong matches durations that are valid except for their length.
var tooLong = regexp.MustCompile(`^[-+]?(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+$`)

func isDigits(text string) bool { return text != "" && strings.Trim(text, "0123456789") == "" }

func tooLarge(text string) error { return fmt.Errorf("%s is too large", cut(text)) }

func either(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// splitList reads a list from a variable or a flag, in which commas separate the items.
func splitList(text string) []string {
	items := strings.Split(text, ",")
	for i, item := range items {
		items[i] = strings.TrimSpace(item)
	}
	return items
}

// list reads the items of a list, and records the line of each.
func (w *walker) list(n *node, y *yaml.Node, key string) {
	at := w.at(y.Line)
	y = resolve(y)
	if n.single && y.Kind == yaml.ScalarNode && y.ShortTag() == "!!str" {
		w.say(key, at, splitList(y.Value))
		return
	}
	if y.Kind != yaml.SequenceNode {
		w.problems.add(at, key, "must be %s, not %s", n.wants(), describe(y))
		return
	}
	items := make([]string, len(y.Content))
	for i, item := range y.Content {
		if item.Kind != yaml.ScalarNode || item.ShortTag() != "!!str" {
			w.problem(item, key, "must contain strings, not %s", describe(item))
			return
		}
		items[i] = item.Value
		w.say(itemKey(key, i), w.at(item.Line), nil)
	}
	w.say(key, at, items)
}

// itemKey is the key of an item of a list in origins.
func itemKey(key string, i int) string { return fmt.Sprintf("%s.%d", key, i) }

// ofItem returns where item i of the list key was set: its own line in a file, otherwise where the list was set.
func (o origins) ofItem(key string, i int) origin {
	list := o.of(key)
	if item, ok := o[itemKey(key, i)]; ok && list.order < orderEnvironment {
		return item
	}
	return list
}
