package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/exgate/exgate/internal/boundedfile"
)

// readFile reads a configuration file of the schema with read. Relative paths in it become relative to its folder.
func readFile(schema *node, name string, read fileReader, problems *collector) settings {
	data, err := readText(name, read)
	if err != nil {
		problems.add(origin{where: name, order: orderFile}, "", "%v", err)
		return newSettings()
	}
	return parseFile(schema, name, data, problems)
}

// folderOf is the folder that paths in the file are relative to: the file's own, or for a pipe the working folder.
func folderOf(name string) string {
	if info, err := os.Stat(name); err == nil && info.Mode()&fs.ModeNamedPipe != 0 {
		return "."
	}
	return filepath.Dir(name)
}

// cause strips the operation and the path from err: the message around it names them.
func cause(err error) error {
	var pathErr *os.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}

// parseFile reads a YAML document.
func parseFile(schema *node, name string, data []byte, problems *collector) settings {
	w := &walker{name: name, folder: folderOf(name), problems: problems, settings: newSettings()}
	wrong := notText(data)
	if wrong == nil {
		root, err := parseYAML(data)
		switch {
		case err != nil && isEnd(err):
			return w.settings
		case err != nil:
			wrong = diagnose(data, err)
		case root.Kind != yaml.MappingNode && !isNull(root):
			wrong = oneValue(root, data)
		}
		if wrong == nil {
			w.section(schema, root, "")
			if w.full {
				return newSettings()
			}
			return w.settings
		}
	}
	at := origin{where: w.name, order: orderFile}
	if wrong.line > 0 {
		at = w.at(wrong.line)
	}
	problems.add(at, "", "%s", wrong.text)
	return w.settings
}

// oneValue explains why a file that holds a single value is not a configuration.
func oneValue(root *yaml.Node, data []byte) *syntaxError {
	lines := strings.SplitAfter(string(data), "\n")
	if text := foreign(lines); text != "" {
		return &syntaxError{root.Line, text}
	}
	if text := missingSpace(strings.TrimRight(lines[min(root.Line, len(lines))-1], "\r\n")); text != "" {
		return &syntaxError{root.Line, text}
	}
	if root.Kind != yaml.ScalarNode {
		return nil
	}
	return &syntaxError{root.Line, "must contain settings such as log: {level: info}, not " + describe(root)}
}

// walker walks a document along with the schema.
type walker struct {
	name     string // of the file
	folder   string
	problems *collector
	settings settings
	full     bool // maxSettings was reached
}

// maxSettings bounds the values of a file. Aliases can make a small file expand to very many.
const maxSettings = 500_000

// say records the value of a setting, or a section, which has none.
func (w *walker) say(key string, at origin, value any) {
	if len(w.settings.origins) >= maxSettings {
		if !w.full {
			w.problems.add(at, "", "contains more than %d settings, counting those that aliases repeat", maxSettings)
		}
		w.full = true
		return
	}
	w.settings.origins[key] = at
	if value != nil {
		w.settings.values[key] = value
	}
}

func (w *walker) at(line int) origin {
	return origin{where: fmt.Sprintf("%s:%d", w.name, line), order: orderFile + line}
}

func (w *walker) problem(n *yaml.Node, key, format string, args ...any) {
	w.problems.add(w.at(n.Line), key, format, args...)
}

// maxFile bounds a configuration file, in bytes; a larger file is probably not one.
const maxFile = 4 << 20

// fileReader is [boundedfile.Read] or [boundedfile.ReadArgument].
type fileReader func(name string, limit int64) ([]byte, error)

// readText reads a configuration file with read. Its error is for a person.
func readText(name string, read fileReader) ([]byte, error) {
	if name == "-" {
		return nil, errors.New("is not a file: the configuration is read again on an upgrade, so it cannot come " +
			"from standard input")
	}
	data, err := read(name, maxFile)
	switch {
	case errors.Is(err, boundedfile.ErrTooLarge):
		return nil, fmt.Errorf("is larger than %d MiB: is it a configuration file?", maxFile>>20)
	case errors.Is(err, boundedfile.ErrNotRegular):
		return nil, fmt.Errorf("cannot be read: it is %s", whatIs(name))
	case err != nil:
		return nil, fmt.Errorf("cannot be read: %w", cause(err))
	}
	return data, nil
}

// whatIs describes a path that is not a regular file.
func whatIs(name string) string {
	info, err := os.Stat(name)
	if err == nil && info.IsDir() {
		return "a directory"
	}
	if err == nil && info.Mode()&fs.ModeNamedPipe != 0 {
		return "a named pipe, not a regular file"
	}
	return "not a regular file"
}

// listenerName matches valid names of listeners: environment variables must be able to name them, with __ between the
// parts.
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
			w.problem(name, inner, "is set twice, first on line %d", first)
			continue
		}
		lines[name.Value] = name.Line
		w.setting(n, name, value, inner)
	}
}

// noSection reports a value where a section is expected.
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
		w.problem(name, key, "is not a valid name: use a-z, 0-9, - and _")
	case next.section():
		w.say(key, w.at(name.Line), nil)
		w.section(next, value, key)
	case next.kind == kindList:
		w.list(next, value, key)
	case next.kind == kindData && resolve(value).Kind != yaml.ScalarNode:
		w.data(value, key)
	default:
		w.value(next, value, key)
	}
}

// value reads the value of one setting.
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

// takes reports whether n accepts a value of this YAML type. Text must be a YAML string, so that 1.10 does not become
// 1.1, nor no become false.
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

// relativeTo resolves a path against the folder of the file that contains it.
func relativeTo(folder, path string) string {
	if path == "" || strings.HasPrefix(path, Builtin) || isURL(path) || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(folder, path)
}

// isURL reports whether a setting that is a path or a URL is a URL.
func isURL(text string) bool { return strings.Contains(text, "://") }

// resolve follows an alias. An alias cannot refer to another alias.
func resolve(y *yaml.Node) *yaml.Node {
	if y.Kind == yaml.AliasNode {
		return y.Alias
	}
	return y
}

func isNull(y *yaml.Node) bool { return y.Kind == yaml.ScalarNode && y.ShortTag() == "!!null" }

// describe describes a value in an error message.
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

// quoted quotes text, shortened if it is long.
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
