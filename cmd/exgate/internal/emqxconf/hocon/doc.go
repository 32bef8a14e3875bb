// Package hocon reads the part of HOCON that EMQX 5 documents and writes: objects, arrays, comments, dotted and quoted
// keys, strings of all three kinds, concatenation, substitutions and includes. Every value knows the file and line it
// was read from.
//
// The syntax is that of lightbend/config's HOCON.md, as far as github.com/emqx/hocon takes it: values other than
// strings are kept as they were written, since what 15s or 1MB means is the setting's to say; += and substitutions by
// environment variables are not there.
package hocon

import "fmt"

// Kind is what a value is.
type Kind uint8

// The kinds of values.
const (
	Scalar Kind = iota // a text, a number, true, false or null
	Array
	Object
	joined // values beside each other, some of them substitutions: becomes one of the others when it is looked up
)

// Value is a value of a document.
type Value struct {
	Kind   Kind
	Text   string            // of a Scalar, without quotes
	Items  []*Value          // of an Array
	Keys   []string          // of an Object, in the order in which they were first said
	Fields map[string]*Value // of an Object
	File   string
	Line   int

	ref      string // of a substitution: the path
	optional bool   // of a substitution
}

// SyntaxError is what is wrong with a document, and where.
type SyntaxError struct {
	File string
	Line int
	What string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.What) }

// NewObject returns an object without fields.
func NewObject(file string, line int) *Value {
	return &Value{Kind: Object, Fields: map[string]*Value{}, File: file, Line: line}
}

// Set gives the field key of an object a value. Two objects become one, else the later value stays.
func (v *Value) Set(key string, to *Value) {
	old, ok := v.Fields[key]
	switch {
	case !ok:
		v.Keys = append(v.Keys, key)
	case old.Kind == Object && to.Kind == Object:
		old.merge(to)
		return
	}
	v.Fields[key] = to
}

func (v *Value) merge(other *Value) {
	for _, key := range other.Keys {
		v.Set(key, other.Fields[key])
	}
}

// setPath sets a field of an object inside v; the objects on the way are made.
func (v *Value) setPath(path []string, to *Value) {
	for _, key := range path[:len(path)-1] {
		if next, ok := v.Fields[key]; !ok || next.Kind != Object {
			v.Set(key, NewObject(to.File, to.Line))
		}
		v = v.Fields[key]
	}
	v.Set(path[len(path)-1], to)
}
