package emqxconf

import (
	"fmt"
	"strings"

	"github.com/exgate/exgate/cmd/exgate/internal/emqxconf/hocon"
)

// own is the field that holds the value of a key which has keys below it too, such as exproto.listener.NAME.
const own = ""

// parseCuttlefish reads lines in the form key.path = value, as all files of EMQX 4 are. A # begins a comment, the last
// of two equal keys stays.
func parseCuttlefish(file, text string) (*hocon.Value, error) {
	root := hocon.NewObject(file, 1)
	number := 0
	for line := range strings.Lines(text) {
		number++
		line, _, _ = strings.Cut(strings.TrimPrefix(line, "\ufeff"), "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		path := strings.Split(strings.TrimSpace(key), ".")
		if !ok || strings.ContainsAny(strings.TrimSpace(key), " \t\"") ||
			strings.Contains("."+strings.TrimSpace(key)+".", "..") {
			return nil, &hocon.SyntaxError{File: file, Line: number, What: "must be like key.path = value"}
		}
		if len(path) > deepestKey {
			return nil, &hocon.SyntaxError{
				File: file, Line: number,
				What: fmt.Sprintf("the key has more than %d parts", deepestKey),
			}
		}
		say(root, path, &hocon.Value{Text: unquoted(strings.TrimSpace(value)), File: file, Line: number})
	}
	return root, nil
}

// deepestKey is how many parts a key may have. ExProto's have up to five.
const deepestKey = 32

// say gives the key with a path a value.
func say(in *hocon.Value, path []string, value *hocon.Value) {
	for _, word := range path {
		if in.Fields[word] == nil {
			in.Set(word, hocon.NewObject(value.File, value.Line))
		}
		in = in.Fields[word]
	}
	in.Set(own, value)
}

// unquoted takes the quotes off a text that stands in them.
func unquoted(s string) string {
	for _, quote := range []string{`"`, `'`} {
		if len(s) > 1 && strings.HasPrefix(s, quote) && strings.HasSuffix(s, quote) {
			return s[1 : len(s)-1]
		}
	}
	return s
}

// flatten makes plain values of the keys that hold nothing but their own.
func flatten(v *hocon.Value) *hocon.Value {
	if v.Kind != hocon.Object {
		return v
	}
	if len(v.Keys) == 1 && v.Keys[0] == own {
		return v.Fields[own]
	}
	flat := hocon.NewObject(v.File, v.Line)
	for _, key := range v.Keys {
		flat.Set(key, flatten(v.Fields[key]))
	}
	return flat
}
