package gbk_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/exgate/exgate/hostabi/sdk/go/gbk"
	"golang.org/x/text/encoding/simplifiedchinese"
)

func private(r rune) bool { return 0xe000 <= r && r < 0xf900 }

// theirs is what golang.org/x/text makes of a text, without characters for private use.
func theirs(t *testing.T, b []byte) string {
	t.Helper()
	text, err := simplifiedchinese.GBK.NewDecoder().Bytes(b)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Map(func(r rune) rune {
		if private(r) {
			return utf8.RuneError
		}
		return r
	}, string(text))
}

func TestEveryPair(t *testing.T) {
	for first := range 256 {
		for second := range 256 {
			b := []byte{byte(first), byte(second), 'x'}
			if got, want := string(gbk.Append(nil, b)), theirs(t, b); got != want {
				t.Fatalf("%x became %q, want %q", b, got, want)
			}
		}
	}
}

func TestEveryCharacter(t *testing.T) {
	for r := range rune(0x11000) {
		if !utf8.ValidRune(r) {
			continue
		}
		want, err := simplifiedchinese.GBK.NewEncoder().Bytes([]byte(string(r)))
		got, ok := gbk.AppendGBK(nil, string(r))
		if ok != (err == nil && !private(r)) {
			t.Fatalf("%U: ok is %v", r, ok)
		}
		if !ok {
			want = []byte("?")
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("%U became %x, want %x", r, got, want)
		}
	}
}

func FuzzAppend(f *testing.F) {
	f.Add([]byte("\xc4\xe3\xba\xc3, GBK \x80\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		text := string(gbk.Append(nil, b))
		if want := theirs(t, b); text != want {
			t.Fatalf("%x became %q, want %q", b, text, want)
		}
		if back, ok := gbk.AppendGBK(nil, text); ok && string(gbk.Append(nil, back)) != text {
			t.Errorf("%q became %x", text, back)
		}
	})
}
