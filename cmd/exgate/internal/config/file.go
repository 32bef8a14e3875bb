package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// settings are values by dotted name, and where each was said.
type settings struct {
	values  map[string]any
	origins origins
}

func newSettings() settings {
	return settings{values: make(map[string]any), origins: make(origins)}
}

// readFile reads a configuration file of the schema. Relative paths in it become relative to its folder.
func readFile(schema *node, name string, problems *collector) settings {
	data, err := readText(name)
	if err != nil {
		problems.add(origin{where: name, order: orderFile}, "", "%v", err)
		return newSettings()
	}
	return parseFile(schema, name, data, problems)
}

// cause is err without the operation and the path, which the message around it has already.
func cause(err error) error {
	var pathErr *os.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}

// parseFile reads a YAML document.
func parseFile(schema *node, name string, data []byte, problems *collector) settings {
	w := &walker{name: name, folder: filepath.Dir(name), problems: problems, settings: newSettings()}
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

// oneValue says why a file that holds one value is no configuration.
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
	return &syntaxError{root.Line, "must hold settings such as log: {level: info}, not " + describe(root)}
}

// walker goes through a document beside the schema.
type walker struct {
	name     string // of the file
	folder   string
	problems *collector
	settings settings
	full     bool // there are more settings than there may be
}

// maxSettings bounds the values of a file. Aliases can make a small file say very many.
const maxSettings = 500_000

// say takes the value of a setting, or a section without one.
func (w *walker) say(key string, at origin, value any) {
	if len(w.settings.origins) >= maxSettings {
		if !w.full {
			w.problems.add(at, "", "holds more than %d settings, with those that aliases repeat", maxSettings)
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
