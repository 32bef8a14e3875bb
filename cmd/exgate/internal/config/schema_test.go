package config

import (
	"reflect"
	"slices"
	"testing"
	"time"
)

// TestDifferences changes each setting alone, and expects that it is the only difference.
func TestDifferences(t *testing.T) {
	eachSetting(t, func(key string, set func(*Config)) {
		a, b := new(Config), new(Config)
		a.Listeners, b.Listeners = map[string]Listener{"l": {}}, map[string]Listener{"l": {}}
		set(b)
		for _, got := range [][]string{Differences(a, b), Differences(b, a)} {
			if !slices.Equal(got, []string{key}) {
				t.Errorf("%s differs, found %v", key, got)
			}
		}
		if got := Differences(b, b); got != nil {
			t.Errorf("%s: %v differ from themselves", key, got)
		}
	})
}

// eachSetting calls do with each setting and a function that gives it another value.
func eachSetting(t *testing.T, do func(key string, set func(*Config))) {
	t.Helper()
	eachField(reflect.TypeFor[Config](), "", nil, func(key string, at []int) {
		do(key, func(c *Config) { setOther(t, reflect.ValueOf(c).Elem().FieldByIndex(at)) })
	})
	eachField(reflect.TypeFor[Listener](), "listeners.l.", nil, func(key string, at []int) {
		do(key, func(c *Config) {
			var l Listener
			setOther(t, reflect.ValueOf(&l).Elem().FieldByIndex(at))
			c.Listeners["l"] = l
		})
	})
}

func eachField(section reflect.Type, key string, at []int, do func(key string, at []int)) {
	for i := range section.NumField() {
		f := section.Field(i)
		name := f.Tag.Get("koanf")
		if !f.IsExported() || name == "" || name == "-" {
			continue
		}
		under := append(slices.Clone(at), i)
		switch kindOf(f.Type, f.Tag) {
		case kindSection:
			eachField(f.Type, key+name+".", under, do)
		case kindNamed: // the listeners
		default:
			do(key+name, under)
		}
	}
}

func setOther(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(time.Second))
	case reflect.Float64:
		v.SetFloat(1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
	default:
		t.Fatalf("a setting of kind %v", v.Kind())
	}
}
