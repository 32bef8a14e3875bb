package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
)

// form is how a secret may be written.
type form struct {
	text          []byte
	before, after int  // how many characters around text have a part of the secret
	fold          bool // in capitals or not
}

// The shortest passwords whose forms are looked for. Those of shorter ones are everywhere, and say nothing.
const (
	shortestHex    = 2
	shortestBase64 = 3
)

// formsOf lists the forms of password: itself, hexadecimal, base64, and escaped as in JSON and in URLs.
func formsOf(password string) []form {
	forms := []form{{text: []byte(password)}}
	if len(password) >= shortestHex {
		forms = append(forms, form{text: []byte(hex.EncodeToString([]byte(password))), fold: true})
	}
	if len(password) >= shortestBase64 {
		for offset := range 3 {
			forms = append(forms, base64Form(base64.RawStdEncoding, password, offset), base64Form(base64.RawURLEncoding, password, offset))
		}
	}
	for _, text := range escapedForms(password) {
		if text != password {
			forms = append(forms, form{text: lowered([]byte(text)), fold: true})
		}
	}
	return distinct(forms)
}

// base64Form is what base64 makes of password behind offset other bytes: the characters that have nothing but the password's bits.
func base64Form(encoding *base64.Encoding, password string, offset int) form {
	behind := append(make([]byte, offset), password...)
	encoded := []byte(encoding.EncodeToString(behind))
	start, end := (8*offset+5)/6, 8*len(behind)/6
	f := form{text: encoded[start:end]}
	if offset > 0 {
		f.before = 1
	}
	if end < len(encoded) {
		f.after = 1
	}
	return f
}

func escapedForms(password string) []string {
	forms := []string{url.QueryEscape(password), url.PathEscape(password)}
	for _, html := range []bool{true, false} {
		var quoted bytes.Buffer
		e := json.NewEncoder(&quoted)
		e.SetEscapeHTML(html)
		if e.Encode(password) == nil {
			forms = append(forms, quoted.String()[1:quoted.Len()-2]) // without the quotes and the newline
		}
	}
	return forms
}

// distinct leaves out forms that are another one again.
func distinct(forms []form) []form {
	var kept []form
	for _, f := range forms {
		known := false
		for _, k := range kept {
			known = known || bytes.Equal(k.text, f.text) && k.before >= f.before && k.after >= f.after && (k.fold || !f.fold)
		}
		if !known && len(f.text) > 0 {
			kept = append(kept, f)
		}
	}
	return kept
}
