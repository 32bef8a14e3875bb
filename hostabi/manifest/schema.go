package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// schema is a compiled JSON Schema.
type schema struct{ compiled *jsonschema.Schema }

// never is a loader that loads nothing.
type never struct{}

func (never) Load(string) (any, error) {
	return nil, errors.New("a schema is not loaded from elsewhere")
}

const schemaURL = "exgate:schema"

// compile compiles a schema. It returns nil without one.
func compile(text json.RawMessage) (*schema, error) {
	if len(text) == 0 || string(text) == "null" {
		return nil, nil
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	c := &coster{document: document, costs: map[string]int{}, open: map[string]bool{}}
	if _, err := c.of(document, true); err != nil {
		return nil, err
	}
	if root, ok := document.(map[string]any); ok {
		delete(root, "$id") // references are within the schema
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(never{})
	if err := compiler.AddResource(schemaURL, document); err != nil {
		return nil, fmt.Errorf("the schema: %s", printable(err.Error()))
	}
	compiled, err := compiler.Compile(schemaURL)
	if err != nil {
		return nil, fmt.Errorf("the schema: %s", printable(err.Error()))
	}
	return &schema{compiled}, nil
}

// maxConfig is the largest configuration that is checked, in bytes.
const maxConfig = 64 << 10

// ConfigProblem is one thing that is wrong with a configuration.
type ConfigProblem struct {
	Path []string // names and indices that lead to it; empty for the whole
	Text string
}

// ConfigError lists what is wrong with a configuration.
type ConfigError struct{ Problems []ConfigProblem }

func (e *ConfigError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = strings.Join(append([]string{"config"}, p.Path...), ".") + ": " + p.Text
	}
	return printable(strings.Join(lines, "; "))
}

// maxProblems is the number of problems that are listed.
const maxProblems = 20

// CheckConfig checks a configuration against the module's schema; without one, everything is valid. No configuration is
// checked as {}. An error is a [ConfigError].
func (m *Manifest) CheckConfig(config []byte) error {
	if m == nil || m.schema == nil {
		return nil
	}
	wrong := func(format string, args ...any) error {
		return &ConfigError{[]ConfigProblem{{Text: fmt.Sprintf(format, args...)}}}
	}
	if len(config) == 0 {
		config = []byte("{}")
	}
	if len(config) > maxConfig {
		return wrong("%d bytes: at most %d where the module has a schema", len(config), maxConfig)
	}
	if err := bounded(config); err != nil {
		return wrong("the module has a schema, so this must be JSON or YAML settings: %v", err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(config))
	if err != nil {
		return wrong("%s", printable(err.Error()))
	}
	if err := m.schema.compiled.Validate(value); err != nil {
		return configError(err)
	}
	return nil
}

func configError(err error) error {
	invalid, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return &ConfigError{[]ConfigProblem{{Text: printable(err.Error())}}}
	}
	e := &ConfigError{}
	e.add(invalid, message.NewPrinter(language.English))
	return e
}

// add adds the innermost causes.
func (e *ConfigError) add(v *jsonschema.ValidationError, p *message.Printer) {
	if len(e.Problems) == maxProblems {
		return
	}
	for _, cause := range v.Causes {
		e.add(cause, p)
	}
	if len(v.Causes) == 0 {
		e.Problems = append(e.Problems, ConfigProblem{v.InstanceLocation, printable(v.ErrorKind.LocalizedString(p))})
	}
}
