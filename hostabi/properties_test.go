package hostabi

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

// FuzzProperties expects what is parsed to be parsed the same after it was written again.
func FuzzProperties(f *testing.F) {
	f.Add(AppendProperties(nil, Properties{
		Retain: true, Expiry: 1<<32 - 1, ContentType: "text/plain", ResponseTopic: "r", Correlation: []byte{0, 0xff},
		User: []Property{{"a", "ü"}, {"a", ""}, {"", ""}},
	}))
	f.Add([]byte("\x08\x00\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x32\x00"))
	f.Add([]byte("\x1a\x01\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseProperties(b)
		if err != nil {
			return
		}
		again, err := ParseProperties(AppendProperties(nil, p))
		if p.Correlation = bytes.Clone(p.Correlation); len(p.Correlation) == 0 {
			p.Correlation = nil
		}
		if err != nil || !reflect.DeepEqual(again, p) {
			t.Errorf("%+v came back as %+v, %v", p, again, err)
		}
	})
}

func TestPropertiesThatAreMalformed(t *testing.T) {
	for _, b := range []string{
		"\x08", "\x1a\x02a", "\x1a\x01\xff",
		"\x32\x03\x0a\x01\xff", "\x32\x01\x0a", "\x00\x01",
	} {
		if p, err := ParseProperties([]byte(b)); err == nil {
			t.Errorf("%x is %+v", b, p)
		}
	}
	if _, err := ParseProperties([]byte(strings.Repeat("\x32\x00", maxParsedUser+1))); err == nil {
		t.Errorf("%d user properties are accepted", maxParsedUser+1)
	}
}
