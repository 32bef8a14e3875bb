package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
)

func secrets(passwords ...string) *Secrets {
	s := new(Secrets)
	for _, p := range passwords {
		s.Add(p)
	}
	return s
}

func TestFormsAreCovered(t *testing.T) {
	const password = `pä"ss w0rd/+`
	quoted, _ := json.Marshal(password)
	forms := map[string]string{
		"plain": password, "hex": hex.EncodeToString([]byte(password)),
		"HEX":  strings.ToUpper(hex.EncodeToString([]byte(password))),
		"json": string(quoted[1 : len(quoted)-1]), "query": url.QueryEscape(password), "path": url.PathEscape(password),
		"path in small letters": strings.ToLower(url.PathEscape(password)),
	}
	for name, form := range forms {
		want := "<" + strings.Repeat("*", len(form)) + ">"
		if got := secrets(password).Text("<" + form + ">"); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestBase64AtAnyOffset(t *testing.T) {
	const password = "hunter2"
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawURLEncoding} {
		for before := range 7 {
			for after := range 4 {
				encoded := encoding.EncodeToString([]byte(strings.Repeat("<", before) + password + strings.Repeat(">",
					after)))
				covered := secrets(password).Text(encoded)
				kept := before * 8 / 6 // characters without a bit of the password
				if covered[:kept] != encoded[:kept] || covered[kept:][:10] != strings.Repeat("*",
					10) || len(covered) != len(encoded) {
					t.Errorf("%d before, %d after: %s became %s", before, after, encoded, covered)
				}
			}
		}
	}
}

func TestSplitOverPieces(t *testing.T) {
	s := secrets("hunter2")
	pieces := [][]byte{[]byte("login a hu"), []byte("n"), {}, []byte("ter2\nping")}
	s.Pieces(pieces)
	if got := string(bytes.Join(pieces, []byte("|"))); got != "login a **|*||****\nping" {
		t.Errorf("got %q", got)
	}
	for text, want := range map[string]int{
		"": 0, "x": 0, "xhun": 3, "xhunter2": 0, "6875": 4, "687": 3, "6": 1,
		"aHVud": 5,
	} {
		if got := s.Begun([]byte(text)); got != want {
			t.Errorf("%q may begin a secret with %d bytes, want %d", text, got, want)
		}
	}
}

func TestOverlapsAndStars(t *testing.T) {
	if got := secrets("abab").Text("xabababx"); got != "x******x" {
		t.Error(got)
	}
	if got := secrets("a*", "#").Text("-a*#-"); got != "-____-" && got != "-----" {
		t.Error(got)
	}
	b := []byte("nothing")
	if got := secrets("x", "").Bytes(b); &got[0] != &b[0] {
		t.Error("copied")
	}
}

func TestBounds(t *testing.T) {
	s := new(Secrets)
	for i := range 16 {
		if !s.Add(strings.Repeat("x", i+1)) {
			t.Fatal(i)
		}
	}
	if !s.Add("x") || s.Add("y") || new(Secrets).Add(strings.Repeat("x", 4097)) {
		t.Error("bounds")
	}
}

func FuzzBytes(f *testing.F) {
	f.Add("hunter2", []byte("login a hunter2\n"), 9)
	f.Add("aa", []byte("aaaaa"), 1)
	f.Fuzz(func(t *testing.T, password string, b []byte, cut int) {
		s := new(Secrets)
		if !s.Add(password) || password == "" || s.cover == 0 {
			return
		}
		before := bytes.Clone(b)
		covered := s.Bytes(b)
		if !bytes.Equal(b, before) || len(covered) != len(b) || bytes.Contains(covered, []byte(password)) {
			t.Errorf("%q of %q became %q", password, b, covered)
		}
		cut = min(max(cut, 0), len(b))
		pieces := [][]byte{bytes.Clone(b[:cut]), bytes.Clone(b[cut:])}
		s.Pieces(pieces)
		if got := bytes.Join(pieces, nil); !bytes.Equal(got, covered) {
			t.Errorf("in pieces %q, else %q", got, covered)
		}
	})
}
