package config

import (
	"reflect"
	"slices"
	"strings"
)

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
