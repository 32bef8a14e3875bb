package config

import (
	"encoding/json"
	"errors"
	"strconv"

	"go.yaml.in/yaml/v3"

	"github.com/exgate/exgate/hostabi/manifest"
)

const (
	// maxDataDepth is how deep settings of a module may be nested.
	maxDataDepth = 32
	// maxData bounds them as JSON, in bytes. Aliases can make a small file expand to very much.
	maxData = 1 << 20
)

// data reads settings of a module, which become JSON. It records where each of them is, for the problems that the
// module's schema finds.
func (w *walker) data(y *yaml.Node, key string) {
	at := w.at(y.Line)
	d := dataWalker{walker: w}
	if text := d.append(nil, y, key, 0); !d.failed {
		w.say(key, at, string(text))
	}
}

type dataWalker struct {
	*walker

	failed bool
}

// fail reports the first problem.
func (d *dataWalker) fail(y *yaml.Node, key, text string) []byte {
	if !d.failed {
		d.problem(y, key, "%s", text)
	}
	d.failed = true
	return nil
}

// append appends a value as JSON.
func (d *dataWalker) append(b []byte, y *yaml.Node, key string, depth int) []byte {
	d.say(key, d.at(y.Line), nil)
	switch y = resolve(y); {
	case d.failed || d.full:
		d.failed = true
		return nil
	case depth > maxDataDepth:
		return d.fail(y, key, "is nested more than "+strconv.Itoa(maxDataDepth)+" levels deep")
	case len(b) > maxData:
		return d.fail(y, key, "is more than 1 MiB as JSON, counting what aliases repeat")
	case y.Kind == yaml.MappingNode:
		return d.object(b, y, key, depth)
	case y.Kind == yaml.SequenceNode:
		b = append(b, '[')
		for i, item := range y.Content {
			if i > 0 {
				b = append(b, ',')
			}
			b = d.append(b, item, join(key, strconv.Itoa(i)), depth+1)
		}
		return append(b, ']')
	}
	return d.scalar(b, y, key)
}

func (d *dataWalker) object(b []byte, y *yaml.Node, key string, depth int) []byte {
	b = append(b, '{')
	seen := make(map[string]bool)
	for i := 0; i+1 < len(y.Content) && !d.failed; i += 2 {
		name := y.Content[i]
		switch {
		case name.Kind != yaml.ScalarNode || name.ShortTag() == "!!merge":
			return d.fail(name, key, "merge keys and keys that are not plain words are not supported")
		case seen[name.Value]:
			return d.fail(name, join(key, name.Value), "is set twice")
		}
		seen[name.Value] = true
		if i > 0 {
			b = append(b, ',')
		}
		quoted, _ := json.Marshal(name.Value)
		b = append(append(b, quoted...), ':')
		b = d.append(b, y.Content[i+1], join(key, name.Value), depth+1)
	}
	return append(b, '}')
}

func (d *dataWalker) scalar(b []byte, y *yaml.Node, key string) []byte {
	var value any = y.Value
	switch y.ShortTag() {
	case "!!str", "!!timestamp":
	case "!!null", "!!bool", "!!int", "!!float":
		if err := y.Decode(&value); err != nil {
			return d.fail(y, key, "cannot be read: "+quoted(y.Value))
		}
	default:
		return d.fail(y, key, "must be text, a number, true or false, not "+describe(y))
	}
	text, err := json.Marshal(value)
	if err != nil { // not a number, or infinite
		return d.fail(y, key, "has no form in JSON: "+quoted(y.Value))
	}
	return append(b, text...)
}

// ConfigProblems returns the problems that a module's schema found in its configuration, each with its line in the
// file, or nil if err has none.
func (m *Module) ConfigProblems(err error) Problems { return dataProblems(m.origins, "", err) }

// ConfigProblems returns the problems that the schema of the module of the handler key found in its configuration, or
// nil if err has none.
func (c *Config) ConfigProblems(key string, err error) Problems {
	if c.origins == nil {
		return dataProblems(nil, key, err)
	}
	return dataProblems(c.origins.origins, key, err)
}

func dataProblems(from origins, key string, err error) (all Problems) {
	wrong, ok := errors.AsType[*manifest.ConfigError](err)
	if !ok {
		return nil
	}
	for _, p := range wrong.Problems {
		at := join(key, "config")
		for _, word := range p.Path {
			at = join(at, word)
		}
		all = append(all, Problem{Where: from.of(at).where, Key: at, Text: p.Text})
	}
	return all
}
