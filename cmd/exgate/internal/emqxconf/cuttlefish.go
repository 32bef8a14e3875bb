package emqxconf

import (
	"fmt"
	"strings"

	"github.com/exgate/exgate/cmd/exgate/internal/emqxconf/hocon"
)

// own is the field for the value of a key that also has keys below it, such as exproto.listener.NAME.
const own = ""

// parseCuttlefish reads lines of the form key.path = value, the format of EMQX 4. A # begins a comment; the last of two
// equal keys wins.
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

// deepestKey bounds the parts of a key. ExProto's have up to five.
const deepestKey = 32

// say sets the value of the key with a path.
func say(in *hocon.Value, path []string, value *hocon.Value) {
	for _, word := range path {
		if in.Fields[word] == nil {
			in.Set(word, hocon.NewObject(value.File, value.Line))
		}
		in = in.Fields[word]
	}
	in.Set(own, value)
}

// unquoted removes quotes around a text.
func unquoted(s string) string {
	for _, quote := range []string{`"`, `'`} {
		if len(s) > 1 && strings.HasPrefix(s, quote) && strings.HasSuffix(s, quote) {
			return s[1 : len(s)-1]
		}
	}
	return s
}

// flatten turns keys that have only their own value into plain values.
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
