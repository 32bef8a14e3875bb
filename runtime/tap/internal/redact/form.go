package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
)

// form is an encoding of a secret.
type form struct {
	text          []byte
	before, after int  // how many characters around text contain a part of the secret
	fold          bool // the case of letters is ignored
}

// The shortest passwords whose encodings are covered. Those of shorter ones occur everywhere.
const (
	shortestHex    = 2
	shortestBase64 = 3
)

// formsOf returns the encodings of password: itself, hexadecimal, base64, and escaped for JSON and URLs.
func formsOf(password string) []form {
	forms := []form{{text: []byte(password)}}
	if len(password) >= shortestHex {
		forms = append(forms, form{text: []byte(hex.EncodeToString([]byte(password))), fold: true})
	}
	if len(password) >= shortestBase64 {
		for offset := range 3 {
			forms = append(forms, base64Form(base64.RawStdEncoding, password, offset),
				base64Form(base64.RawURLEncoding, password, offset))
		}
	}
	for _, text := range escapedForms(password) {
		if text != password {
			forms = append(forms, form{text: lowered([]byte(text)), fold: true})
		}
	}
	return distinct(forms)
}

// base64Form returns the base64 characters that consist of bits of password only, if it follows offset other bytes.
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

// distinct removes forms that another one includes.
func distinct(forms []form) []form {
	var kept []form
	for _, f := range forms {
		known := false
		for _, k := range kept {
			known = known || bytes.Equal(k.text,
				f.text) && k.before >= f.before && k.after >= f.after && (k.fold || !f.fold)
		}
		if !known && len(f.text) > 0 {
			kept = append(kept, f)
		}
	}
	return kept
}
