package config

import (
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// listenerName is what a listener may be called: the environment must be able to name it, with __ between the parts.
var listenerName = regexp.MustCompile(`^[a-z0-9]+([_-][a-z0-9]+)*$`)

// section walks through the settings of one section.
func (w *walker) section(n *node, y *yaml.Node, key string) {
	y = resolve(y)
	if isNull(y) && n.kind == kindSection {
		return
	}
	if y.Kind != yaml.MappingNode && !isNull(y) {
		w.noSection(n, y, key)
		return
	}
	lines := make(map[string]int)
	for i := 0; i+1 < len(y.Content) && !w.full; i += 2 {
		name, value := y.Content[i], y.Content[i+1]
		inner := join(key, name.Value)
		if first, ok := lines[name.Value]; ok {
			w.problem(name, inner, "is there twice, the first time in line %d", first)
			continue
		}
		lines[name.Value] = name.Line
		w.setting(n, name, value, inner)
	}
}

// noSection says what is wrong with a value where a section should be.
func (w *walker) noSection(n *node, y *yaml.Node, key string) {
	if found := noSpace.FindStringSubmatch(y.Value); found != nil && n.child(found[2]) != nil && n.kind == kindSection {
		w.problem(y, key, "%s", spaceBehind(found[2], found[3]))
		return
	}
	w.problem(y, key, "must be %s, not %s", n.wants(), describe(y))
}

// setting walks into one key of the section n.
func (w *walker) setting(n *node, name, value *yaml.Node, key string) {
	next := n.child(name.Value)
	switch {
	case name.Kind != yaml.ScalarNode || name.ShortTag() == "!!merge":
		w.problem(name, "", "merge keys and keys that are not plain words are not supported")
	case n.lacksName(name.Value, value):
		w.problem(name, key, "%s", lacksName(key))
	case next == nil:
		w.problem(name, key, "%s", unknownKey(n, name.Value, key))
	case n.kind == kindNamed && !listenerName.MatchString(name.Value):
		w.problem(name, key, "is no name: use a-z, 0-9, - and _")
	case next.section():
		w.say(key, w.at(name.Line), nil)
		w.section(next, value, key)
	case next.kind == kindList:
		w.list(next, value, key)
	default:
		w.value(next, value, key)
	}
}

// value takes the value of one setting.
func (w *walker) value(n *node, y *yaml.Node, key string) {
	at := w.at(y.Line)
	y = resolve(y)
	if isNull(y) {
		w.problems.add(at, key, "has no value: it must be %s", n.wants())
		return
	}
	if (n.kind == kindCount || n.kind == kindBytes) && y.ShortTag() == "!!float" && isDigits(y.Value) {
		w.problems.add(at, key, "%v", tooLarge(y.Value))
		return
	}
	if !n.takes(y) {
		w.problems.add(at, key, "must be %s, not %s", n.wants(), describe(y))
		return
	}
	v, err := n.parse(y.Value)
	if err != nil {
		w.problems.add(at, key, "%v", err)
		return
	}
	if text, ok := v.(string); ok && n.path {
		v = relativeTo(w.folder, text)
	}
	w.say(key, at, v)
}

// takes reports whether a value of this YAML type may be read by n. Text must be text, so that 1.10 does not become 1.1 nor no become false.
func (n *node) takes(y *yaml.Node) bool {
	if y.Kind != yaml.ScalarNode {
		return false
	}
	switch y.ShortTag() {
	case "!!str":
		return n.kind != kindFlag && n.kind != kindCount
	case "!!int":
		return n.kind == kindCount || n.kind == kindBytes || n.kind == kindDuration
	case "!!float": // tls.min_version: 1.2
		return n.kind == kindChoice
	case "!!bool":
		return n.kind == kindFlag
	}
	return false
}

// relativeTo makes a path relative to the folder of the file that says it.
func relativeTo(folder, path string) string {
	if path == "" || strings.HasPrefix(path, Builtin) || isURL(path) || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(folder, path)
}

// isURL reports whether a setting that may be a path is a URL.
func isURL(text string) bool { return strings.Contains(text, "://") }

// resolve follows an alias. An alias cannot stand for another alias.
func resolve(y *yaml.Node) *yaml.Node {
	if y.Kind == yaml.AliasNode {
		return y.Alias
	}
	return y
}

func isNull(y *yaml.Node) bool { return y.Kind == yaml.ScalarNode && y.ShortTag() == "!!null" }

// describe says what a value is, for a person.
func describe(y *yaml.Node) string {
	switch {
	case y.Kind == yaml.SequenceNode:
		return "a list"
	case y.Kind == yaml.MappingNode:
		return "a section"
	case isNull(y):
		return "nothing"
	case y.ShortTag() == "!!str":
		return "the text " + quoted(y.Value)
	case !strings.HasPrefix(y.ShortTag(), "!!"):
		return "a value with the tag " + quoted(y.ShortTag())
	case y.ShortTag() == "!!int" || y.ShortTag() == "!!float":
		return "the number " + y.Value
	}
	return y.Value
}

// quoted is text in quotes, cut where it is long.
func quoted(text string) string {
	const longest = 60
	if len(text) > longest {
		return strconv.Quote(text[:longest]) + "..."
	}
	return strconv.Quote(text)
}

func join(section, name string) string {
	if section == "" {
		return name
	}
	return section + "." + name
}
