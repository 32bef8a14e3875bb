// Package hocon reads the subset of HOCON that EMQX 5 documents and writes: objects, arrays, comments, dotted and
// quoted keys, all three kinds of strings, concatenation, substitutions and includes. Every value has its file and
// line.
//
// The syntax is that of lightbend/config's HOCON.md, as far as github.com/emqx/hocon supports it. Values other than
// strings are kept as written, since the meaning of 15s or 1MB depends on the setting. += and substitutions by
// environment variables are not supported.
package hocon

import "fmt"

// Kind is the kind of a value.
type Kind uint8

// The kinds of values.
const (
	Scalar Kind = iota // a text, a number, true, false or null
	Array
	Object
	joined // adjacent values, including substitutions; Lookup turns it into one of the others
)

// Value is a value of a document.
type Value struct {
	Kind   Kind
	Text   string            // of a Scalar, without quotes
	Items  []*Value          // of an Array
	Keys   []string          // of an Object, in the order of first appearance
	Fields map[string]*Value // of an Object
	File   string
	Line   int

	ref      string // of a substitution: the path
	optional bool   // of a substitution
}

// SyntaxError is an error in a document.
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

// Set sets the field key of an object. Two objects are merged, otherwise the later value wins.
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

// setPath sets a field of an object inside v, creating objects on the way.
func (v *Value) setPath(path []string, to *Value) {
	for _, key := range path[:len(path)-1] {
		if next, ok := v.Fields[key]; !ok || next.Kind != Object {
			v.Set(key, NewObject(to.File, to.Line))
		}
		v = v.Fields[key]
	}
	v.Set(path[len(path)-1], to)
}
