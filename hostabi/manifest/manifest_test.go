package manifest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/exgate/exgate/internal/wasmfile"
	"github.com/exgate/exgate/internal/wasmtest"
)

const meter = `{
  "name": "meter", "version": "1.2.0", "license": "Apache-2.0", "author": "Plant 7",
  "links": {"source": "https://example.com/meter"}, "abi_minor": 1,
  "transports": [{"type": "tcp", "port": 7000}],
  "config": {
    "$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "https://example.com/meter.json",
    "type": "object", "required": ["site"], "additionalProperties": false,
    "properties": {
      "site": {"type": "string", "pattern": "^[a-z]+$"}, "port": {"$ref": "#/$defs/port"},
      "lines": {"type": "array", "items": {"type": "object", "properties": {"port": {"$ref": "#/$defs/port"}}}}
    },
    "$defs": {"port": {"type": "integer", "minimum": 1, "maximum": 65535}}
  },
  "topics": [{"topic": "meter/{client_id}/up", "direction": "publish", "payload": {"type": "object"}}],
  "limits": {"memory_pages": 1024, "fuel": 20000000}
}`

func TestSetAndOf(t *testing.T) {
	module := wasmtest.Guest().Bytes()
	if m, err := Of(module); m != nil || err != nil {
		t.Fatalf("without a manifest: %v, %v", m, err)
	}
	with, err := Set(module, []byte(meter))
	if err != nil {
		t.Fatal(err)
	}
	again, err := Set(with, []byte(meter))
	if err != nil || string(again) != string(with) {
		t.Errorf("set again: %v", err)
	}
	m, err := Of(with)
	if err != nil || m.Name != "meter" || m.Limits.MemoryPages != 1024 || m.Transports[0].Port != 7000 {
		t.Errorf("%+v, %v", m, err)
	}
	twice := wasmtest.Section(with, 0, append([]byte("\x06exgate"), meter...))
	if _, err := Of(twice); err == nil || !strings.Contains(err.Error(), "2 sections named exgate") {
		t.Errorf("two sections: %v", err)
	}
}

func TestCheckConfig(t *testing.T) {
	m, err := Parse([]byte(meter))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.CheckConfig([]byte(`{"site": "north", "port": 502, "lines": [{"port": 1}]}`)); err != nil {
		t.Error(err)
	}
	for config, want := range map[string]string{
		"":                                      "config: missing property",
		"site=north":                            "must be JSON or YAML settings",
		`{"site": 7}`:                           "config.site: got number, want string",
		`{"site": "a", "prot": 1}`:              "additional properties 'prot' not allowed",
		`{"site": "a", "lines": [{"port": 0}]}`: "config.lines.0.port: minimum: got 0, want 1",
		`{"site": "a", "port": 1e999999999}`:    "out of range",
		`{"site": "` + strings.Repeat("a", maxConfig) + `"}`: "at most 65536",
		`{"site": "\u001b[31m"}`:                             `does not match pattern`,
	} {
		err := m.CheckConfig([]byte(config))
		if _, ok := errors.AsType[*ConfigError](err); !ok || !strings.Contains(err.Error(), want) ||
			strings.ContainsFunc(err.Error(), unprintable) {
			t.Errorf("%.60s: %v, want %s", config, err, want)
		}
	}
	if err := (*Manifest)(nil).CheckConfig([]byte("anything")); err != nil {
		t.Error(err)
	}
}

// with returns a manifest with a schema of the configuration.
func with(schema string) string { return `{"name": "a", "version": "1", "config": ` + schema + `}` }

// Everything hostile has a name.
func TestHostileManifests(t *testing.T) {
	var doubling strings.Builder // 2^60 schemas
	doubling.WriteString(`{"$ref": "#/$defs/a0", "$defs": {`)
	for i := range 60 {
		fmt.Fprintf(&doubling, `"a%d": {"allOf": [{"$ref": "#/$defs/a%d"}, {"$ref": "#/$defs/a%d"}]},`, i, i+1, i+1)
	}
	doubling.WriteString(`"a60": true}}`)
	for content, want := range map[string]string{
		"":                "not one JSON value",
		"[1":              "not one JSON value",
		"{} {}":           "not one JSON value",
		`{"name": 7}`:     "line 1: json: cannot unmarshal number",
		`{"name": "A b"}`: "use up to 64 of a-z",
		`{"name": "a"}`:   "version is missing",
		`{"name": "a", "version": "1\u001b[31m"}`:                          "of printable characters",
		`{"name": "a", "version": "` + strings.Repeat("1", 300) + `"}`:     "at most 256 bytes",
		`{"name": "a", "version": "1", "abi_minor": 99}`:                   "abi_minor 99: this host has minor",
		`{"name": "a", "version": "1", "links": {"x": "javascript:1"}}`:    "not an http or https address",
		`{"name": "a", "version": "1", "transports": [{"type": "smoke"}]}`: "type must be one of",
		`{"name": "a", "version": "1", "topics": [{"topic": "x"}]}`:        "needs topic, and direction",
		strings.Repeat("[", 100):                                           "levels of JSON",
		with(`{"minimum": 1e400}`):                                         "out of range",
		with(`{"multipleOf": 1e-400}`):                                     "out of range",
		with(`{"$ref": "http://127.0.0.1/schema"}`):                        "nothing is loaded",
		with(`{"$ref": "file:///etc/passwd"}`):                             "nothing is loaded",
		with(`{"$schema": "http://127.0.0.1/schema"}`):                     "use that of draft",
		with(`{"$dynamicRef": "#x"}`):                                      "only $ref within the schema",
		with(`{"not": {"$id": "http://127.0.0.1/"}}`):                      "$id inside",
		with(`{"properties": {"a": {"$ref": "#"}}}`):                       "refers to itself",
		with(`{"$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}}`):         "refers to itself",
		with(`{"$ref": "#/$defs/b"}`):                                      "leads nowhere",
		with(`{"pattern": "((a{100}){100}){100}"}`):                        "invalid repeat count",
		with(`{"pattern": "` + strings.Repeat(".{999}", 100) + `"}`):       "too large",
		with(`{"pattern": "(?=a)"}`):                                       "invalid or unsupported Perl syntax",
		with(`{"type": 7}`):                                                "the schema:",
		with(`[]`):                                                         "a schema is an object, true or false",
		with(doubling.String()):                                            "too large, with what its references",
	} {
		m, err := Parse([]byte(content))
		if err == nil || !strings.Contains(err.Error(), want) || strings.ContainsFunc(err.Error(), unprintable) {
			t.Errorf("%.80s: %v, %v; want %s", content, m, err, want)
		}
	}
	big, err := wasmfile.SetCustom(wasmtest.Guest().Bytes(), Section, make([]byte, MaxBytes+1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Of(big); err == nil || !strings.Contains(err.Error(), "at most 262144") {
		t.Errorf("too large: %v", err)
	}
	if _, err := Set(wasmtest.Guest().Bytes(), []byte(`{"name": "a", "version": "1", "licence": "x"}`)); err == nil {
		t.Error("a misspelt field is accepted")
	}
	if _, err := Parse([]byte(`{"name": "a", "version": "1", "later": [1]}`)); err != nil {
		t.Errorf("a field of a later version: %v", err)
	}
}

// FuzzParse: no manifest panics, and what is accepted checks any configuration in bounded work.
func FuzzParse(f *testing.F) {
	f.Add([]byte(meter), []byte(`{"site": "north", "port": 502}`))
	f.Add([]byte(with(`{"anyOf": [{"type": "string"}, {"items": {"not": {"const": 1}}}]}`)), []byte("[1]"))
	f.Fuzz(func(t *testing.T, content, config []byte) {
		m, err := Parse(content)
		if err == nil {
			err = m.CheckConfig(config)
		}
		if err != nil && strings.ContainsFunc(err.Error(), unprintable) {
			t.Errorf("%q", err)
		}
	})
}
