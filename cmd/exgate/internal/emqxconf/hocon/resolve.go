package hocon

import (
	"fmt"
	"slices"
	"strings"
)

// mostResolved bounds the values created by substitutions, which can double with every line.
const mostResolved = 100_000

// longestChain bounds chains of substitutions.
const longestChain = 100

// trail holds the substitutions in progress, innermost first.
type trail struct {
	ref   string
	outer *trail
	depth int
}

func (t *trail) has(ref string) bool {
	for ; t != nil; t = t.outer {
		if t.ref == ref {
			return true
		}
	}
	return false
}

func (t *trail) with(ref string) *trail {
	inner := &trail{ref: ref, outer: t, depth: 1}
	if t != nil {
		inner.depth += t.depth
	}
	return inner
}

// join joins adjacent values. It drops white space between them, as EMQX does.
func join(parts []*Value) *Value {
	if len(parts) == 1 {
		return parts[0]
	}
	first := parts[0]
	if !slices.ContainsFunc(parts, func(v *Value) bool { return v.Kind == joined || v.Kind != first.Kind }) {
		return concat(parts)
	}
	return &Value{Kind: joined, Items: parts, File: first.File, Line: first.Line}
}

// concat joins values of the same kind.
func concat(parts []*Value) *Value {
	first := parts[0]
	v := &Value{Kind: first.Kind, File: first.File, Line: first.Line}
	if v.Kind == Object {
		v.Fields = map[string]*Value{}
	}
	var text strings.Builder
	for _, part := range parts {
		text.WriteString(part.Text)
		v.Items = append(v.Items, part.Items...)
		if v.Kind == Object {
			v.merge(part)
		}
	}
	v.Text = text.String()
	return v
}

// Lookup returns the value at path with substitutions resolved, or nil. It ignores substitutions elsewhere in the
// document.
func (d *Document) Lookup(path ...string) (*Value, error) {
	v, err := d.find(path, nil)
	if v == nil || err != nil {
		return nil, err
	}
	return d.resolve(v, nil)
}

// find returns the value at path, within the substitutions of t.
func (d *Document) find(path []string, t *trail) (*Value, error) {
	v := d.Root
	for _, key := range path {
		v = v.Fields[key]
		if v != nil && v.Kind == joined {
			var err error
			if v, err = d.resolve(v, t); err != nil {
				return nil, err
			}
		}
		if v == nil {
			return nil, nil
		}
	}
	return v, nil
}

// resolve returns v with substitutions resolved, or nil if nothing is left.
func (d *Document) resolve(v *Value, t *trail) (*Value, error) {
	if d.resolved++; d.resolved > mostResolved || len(v.Text) > largest {
		return nil, &SyntaxError{v.File, v.Line, fmt.Sprintf("substitutions produce more than %d values", mostResolved)}
	}
	switch {
	case v.ref != "":
		return d.substitute(v, t)
	case v.Kind == Scalar:
		return v, nil
	case v.Kind == Object:
		return d.resolveFields(v, t)
	}
	var items []*Value
	for _, item := range v.Items {
		got, err := d.resolve(item, t)
		if err != nil {
			return nil, err
		}
		if got != nil {
			items = append(items, got)
		}
	}
	if v.Kind == Array {
		return &Value{Kind: Array, Items: items, File: v.File, Line: v.Line}, nil
	}
	return d.concat(v, items)
}

// concat joins the resolved parts of v.
func (d *Document) concat(v *Value, parts []*Value) (*Value, error) {
	if len(parts) == 0 {
		return nil, nil
	}
	size := 0
	for _, part := range parts {
		if part.Kind != parts[0].Kind {
			return nil, &SyntaxError{v.File, v.Line, "adjacent values have different types"}
		}
		size += len(part.Text)
	}
	if d.size += size; d.size > largest {
		return nil, &SyntaxError{v.File, v.Line, "substitutions produce more than 16 MiB"}
	}
	got := concat(parts)
	got.File, got.Line = v.File, v.Line
	return got, nil
}

func (d *Document) resolveFields(v *Value, t *trail) (*Value, error) {
	got := NewObject(v.File, v.Line)
	for _, key := range v.Keys {
		field, err := d.resolve(v.Fields[key], t)
		if err != nil {
			return nil, err
		}
		if field != nil {
			got.Set(key, field)
		}
	}
	return got, nil
}

func (d *Document) substitute(v *Value, t *trail) (*Value, error) {
	if t.has(v.ref) {
		return nil, &SyntaxError{v.File, v.Line, fmt.Sprintf("the substitution ${%s} refers to itself", v.ref)}
	}
	if t = t.with(v.ref); t.depth > longestChain {
		return nil, &SyntaxError{v.File, v.Line, fmt.Sprintf("a chain of more than %d substitutions",
			longestChain)}
	}
	got, err := d.find(strings.Split(v.ref, "."), t)
	if err != nil {
		return nil, err
	}
	if got != nil {
		got, err = d.resolve(got, t)
	}
	switch {
	case err != nil || got == nil && v.optional:
		return nil, err
	case got == nil:
		return nil, &SyntaxError{v.File, v.Line, fmt.Sprintf("the substitution ${%s} refers to an unknown key", v.ref)}
	}
	at := *got
	at.File, at.Line = v.File, v.Line
	return &at, nil
}
