package config

import (
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

type kind uint8

const (
	kindSection  kind = iota // settings with fixed names
	kindNamed                // sections whose names the operator chooses
	kindText                 //
	kindChoice               // one of a few words
	kindFlag                 // true or false
	kindCount                // a whole number
	kindBytes                // a whole number, or one with KiB, MiB or GiB
	kindDuration             //
	kindPercent              // a number and %
	kindList                 // of texts
	kindData                 // text, or settings that become JSON
)

// node describes what a setting or a section may contain.
type node struct {
	kind     kind
	children map[string]*node // of a section
	each     *node            // of a named section
	choices  []string
	min, max int64
	path     bool // relative to the file that says it
	single   bool // a list that may be one text
}

// schema describes what a configuration may contain; it is derived from [Config], so that the two cannot differ.
var schema = schemaOf(reflect.TypeFor[Config](), "")

// moduleSchema describes what the file of a module may contain.
var moduleSchema = schemaOf(reflect.TypeFor[Module](), "")

func schemaOf(t reflect.Type, tag reflect.StructTag) *node {
	n := &node{max: math.MaxInt}
	if v, ok := tag.Lookup("min"); ok {
		n.min, _ = strconv.ParseInt(v, 10, 64)
	}
	if v, ok := tag.Lookup("max"); ok {
		n.max, _ = strconv.ParseInt(v, 10, 64)
	}
	_, n.path = tag.Lookup("path")
	_, n.single = tag.Lookup("single")
	n.choices = strings.Fields(tag.Get("oneof"))
	n.kind = kindOf(t, tag)
	switch n.kind {
	case kindSection:
		n.children = make(map[string]*node)
		for i := range t.NumField() {
			if f := t.Field(i); f.IsExported() && f.Tag.Get("koanf") != "-" {
				n.children[f.Tag.Get("koanf")] = schemaOf(f.Type, f.Tag)
			}
		}
	case kindNamed:
		n.each = schemaOf(t.Elem(), "")
	}
	return n
}

func kindOf(t reflect.Type, tag reflect.StructTag) kind {
	_, data := tag.Lookup("data")
	switch {
	case data:
		return kindData
	case t.Kind() == reflect.Pointer:
		return kindOf(t.Elem(), tag)
	case t.Kind() == reflect.Slice:
		return kindList
	case t.Kind() == reflect.Struct:
		return kindSection
	case t.Kind() == reflect.Map:
		return kindNamed
	case t == reflect.TypeFor[time.Duration]():
		return kindDuration
	case t == reflect.TypeFor[Percent]():
		return kindPercent
	case t.Kind() == reflect.Bool:
		return kindFlag
	case tag.Get("unit") == "bytes":
		return kindBytes
	case t.Kind() == reflect.Int || t.Kind() == reflect.Int64:
		return kindCount
	case tag.Get("oneof") != "":
		return kindChoice
	}
	return kindText
}

// child returns the node under name, or nil.
func (n *node) child(name string) *node {
	if n.kind == kindNamed {
		return n.each
	}
	return n.children[name]
}

// section reports whether n holds settings instead of a value.
func (n *node) section() bool { return n.kind == kindSection || n.kind == kindNamed }

// names returns the names under n, in order.
func (n *node) names() []string {
	names := make([]string, 0, len(n.children))
	for name := range n.children {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// at returns the node of a dotted name. If there is none, it returns the nearest section and the word that is unknown
// in it.
func (n *node) at(key string) (found *node, unknown string, ok bool) {
	for word := range strings.SplitSeq(key, ".") {
		next := n.child(word)
		if next == nil || word == "" {
			return n, word, false
		}
		n = next
	}
	return n, "", true
}

// example returns the name of a setting below n, or the path of one.
func (n *node) example() string {
	switch {
	case n.kind == kindNamed:
		return join("name", n.each.example())
	case n.kind != kindSection:
		return ""
	case n.children["bind"] != nil:
		return "bind"
	}
	first := n.names()[0]
	if deeper := n.children[first].example(); deeper != "" {
		return join(first, deeper)
	}
	return first
}

// every lists the dotted names of the settings below n, with * for a name that the operator chooses.
func (n *node) every(key string) []string {
	switch n.kind {
	case kindNamed:
		return n.each.every(join(key, "*"))
	case kindSection:
		var all []string
		for _, name := range n.names() {
			all = append(all, n.children[name].every(join(key, name))...)
		}
		return all
	}
	return []string{key}
}

// Differences returns the settings that differ between two configurations, dotted and in order. A listener that only
// one of them has is one difference, listeners.NAME.
func Differences(a, b *Config) []string {
	d := differing{a: a, b: b}
	d.section("", reflect.ValueOf(*a), reflect.ValueOf(*b))
	slices.Sort(d.keys)
	return d.keys
}

type differing struct {
	a, b *Config
	keys []string
}

// section compares two sections of the same type. What is in a section may depend on whether it is there at all, so
// this counts, too.
func (d *differing) section(key string, a, b reflect.Value) {
	before := len(d.keys)
	t := a.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		name := f.Tag.Get("koanf")
		if !f.IsExported() || name == "" || name == "-" {
			continue
		}
		d.value(strings.TrimPrefix(key+"."+name, "."), kindOf(f.Type, f.Tag), a.Field(i), b.Field(i))
	}
	if key != "" && len(d.keys) == before && d.a.Said(key) != d.b.Said(key) {
		d.keys = append(d.keys, key)
	}
}

func (d *differing) value(key string, kind kind, a, b reflect.Value) {
	switch kind {
	case kindSection:
		if a.Kind() != reflect.Pointer {
			d.section(key, a, b)
			return
		}
	case kindNamed:
		d.named(key, a, b)
		return
	}
	if !reflect.DeepEqual(a.Interface(), b.Interface()) {
		d.keys = append(d.keys, key)
	}
}

// named compares two maps of sections.
func (d *differing) named(key string, a, b reflect.Value) {
	for _, name := range a.MapKeys() {
		under := key + "." + name.String()
		if !b.MapIndex(name).IsValid() {
			d.keys = append(d.keys, under)
			continue
		}
		d.section(under, a.MapIndex(name), b.MapIndex(name))
	}
	for _, name := range b.MapKeys() {
		if !a.MapIndex(name).IsValid() {
			d.keys = append(d.keys, key+"."+name.String())
		}
	}
}
