package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds a configuration file; beyond it a wrong file was named.
const maxFile = 4 << 20

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
	at := origin{where: name, order: orderFile}
	f, err := os.Open(name)
	if err != nil {
		problems.add(at, "", "cannot be read: %v", cause(err))
		return newSettings()
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		problems.add(at, "", "cannot be read: %v", cause(err))
		return newSettings()
	case len(data) > maxFile:
		problems.add(at, "", "is larger than %d MiB: is it a configuration file?", maxFile>>20)
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
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, second yaml.Node
	err := decoder.Decode(&document)
	if errors.Is(err, io.EOF) {
		return w.settings
	}
	if err == nil && !errors.Is(decoder.Decode(&second), io.EOF) {
		err = errors.New("holds more than one document (---)")
	}
	if err != nil {
		at, text := w.syntaxError(err)
		problems.add(at, "", "%s", text)
		return w.settings
	}
	w.section(schema, document.Content[0], "")
	return w.settings
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?`)

// countsFromZero matches the errors of the YAML package's parser, whose lines count from 0; those of its scanner count from 1.
var countsFromZero = regexp.MustCompile(`^did not find expected (node content|key|'-' indicator|',' or|<)`)

// syntaxError turns an error of the YAML package, which has the line in its text, into a place and a text.
func (w *walker) syntaxError(err error) (origin, string) {
	text := err.Error()
	found := yamlLine.FindStringSubmatch(text)
	rest := text[len(found[0]):]
	if line, err := strconv.Atoi(found[1]); err == nil {
		if countsFromZero.MatchString(rest) {
			line++
		}
		return w.at(line), rest
	}
	return origin{where: w.name, order: orderFile}, rest
}

// walker goes through a document beside the schema.
type walker struct {
	name     string // of the file
	folder   string
	problems *collector
	settings settings
}

func (w *walker) at(line int) origin {
	return origin{where: fmt.Sprintf("%s:%d", w.name, line), order: orderFile + line}
}

func (w *walker) problem(n *yaml.Node, key, format string, args ...any) {
	w.problems.add(w.at(n.Line), key, format, args...)
}
