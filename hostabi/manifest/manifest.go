package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/exgate/exgate/internal/wasmfile"
)

// Section is the name of the custom section.
const Section = "exgate"

// MaxBytes is the largest manifest.
const MaxBytes = 256 << 10

// Manifest is what a module says about itself. Every field but the name and the version is optional.
type Manifest struct {
	Name       string            `json:"name"`
	Version    string            `json:"version"`
	License    string            `json:"license,omitempty"` // an SPDX expression
	Author     string            `json:"author,omitempty"`
	Links      map[string]string `json:"links,omitempty"`     // http or https, by what they lead to, such as source
	ABIMinor   int               `json:"abi_minor,omitempty"` // of exproto_v1, that the module needs
	Transports []Transport       `json:"transports,omitempty"`
	Config     json.RawMessage   `json:"config,omitempty"` // JSON Schema of the configuration
	Topics     []Topic           `json:"topics,omitempty"`
	Limits     Limits            `json:"limits,omitzero"`

	schema *schema // of Config; nil if there is none
}

// Transport is a way in which devices connect.
type Transport struct {
	Type string `json:"type"`           // tcp, tls, udp, dtls, ws or wss
	Port int    `json:"port,omitempty"` // the usual one
}

// Topic is a topic that the module uses.
type Topic struct {
	Topic     string          `json:"topic"`     // placeholders such as {client_id} stand for what differs
	Direction string          `json:"direction"` // publish or subscribe
	About     string          `json:"about,omitempty"`
	Payload   json.RawMessage `json:"payload,omitempty"` // JSON Schema of the payload
}

// Limits are limits that the module wants. They are a wish: they raise no limit.
type Limits struct {
	MemoryPages uint32 `json:"memory_pages,omitempty"`
	Fuel        uint32 `json:"fuel,omitempty"`
	EventBytes  uint32 `json:"event_bytes,omitempty"`
}

// Of returns the manifest of a module, or nil if it has none.
func Of(module []byte) (*Manifest, error) {
	var content []byte
	n := 0
	for name, b := range wasmfile.CustomSections(module) {
		if name == Section {
			content, n = b, n+1
		}
	}
	switch {
	case n == 0:
		return nil, nil
	case n > 1:
		return nil, fmt.Errorf("the module has %d sections named %s: it may have one", n, Section)
	}
	return Parse(content)
}

// Parse parses and checks a manifest. Unknown fields are ignored: later versions may add some.
func Parse(content []byte) (*Manifest, error) { return parse(content, false) }

// Set returns a copy of a module with a manifest, whose JSON is checked and compacted. Unknown fields are refused: they
// are misspelt.
func Set(module, content []byte) ([]byte, error) {
	if _, err := parse(content, true); err != nil {
		return nil, err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, content); err != nil {
		return nil, err
	}
	return wasmfile.SetCustom(module, Section, compact.Bytes())
}

func parse(content []byte, strict bool) (*Manifest, error) {
	if len(content) > MaxBytes {
		return nil, fmt.Errorf("a manifest of %d bytes: at most %d", len(content), MaxBytes)
	}
	if err := bounded(content); err != nil {
		return nil, err
	}
	m := &Manifest{}
	d := json.NewDecoder(bytes.NewReader(content))
	if strict {
		d.DisallowUnknownFields()
	}
	if err := d.Decode(m); err != nil {
		return nil, describe(content, err)
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	var err error
	if m.schema, err = compile(m.Config); err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	for i, t := range m.Topics {
		if _, err := compile(t.Payload); err != nil {
			return nil, fmt.Errorf("topics[%d].payload: %w", i, err)
		}
	}
	return m, nil
}

// describe says on which line the JSON is wrong.
func describe(content []byte, err error) error {
	at := int64(-1)
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		at = e.Offset
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		at = e.Offset
	}
	if at < 0 || at > int64(len(content)) {
		return fmt.Errorf("%s", printable(err.Error()))
	}
	return fmt.Errorf("line %d: %s", 1+bytes.Count(content[:at], []byte("\n")), printable(err.Error()))
}

const (
	maxDepth  = 32
	maxNumber = 40 // characters
)

// bounded checks that JSON is one value, not nested deeper than maxDepth, without numbers that are costly to read.
func bounded(content []byte) error {
	d := json.NewDecoder(bytes.NewReader(content))
	d.UseNumber()
	depth := 0
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return describe(content, err)
		}
		switch v := token.(type) {
		case json.Delim:
			if v == '{' || v == '[' {
				depth++
			} else {
				depth--
			}
		case json.Number:
			if isCostly(string(v)) {
				return fmt.Errorf("the number %.*s is out of range", maxNumber, v)
			}
		}
		if depth > maxDepth {
			return fmt.Errorf("more than %d levels of JSON", maxDepth)
		}
	}
	if !json.Valid(content) {
		return errors.New("not one JSON value")
	}
	return nil
}

// isCostly reports whether a number has many digits, written out: comparing it exactly would take as much memory.
func isCostly(number string) bool {
	if i := strings.IndexAny(number, "eE"); i >= 0 {
		exponent, err := strconv.Atoi(number[i+1:])
		return err != nil || exponent > maxNumber || exponent < -maxNumber || i > maxNumber
	}
	return len(number) > maxNumber
}
