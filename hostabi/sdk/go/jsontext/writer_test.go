package jsontext_test

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/exgate/exgate/hostabi/sdk/go/jsontext"
)

func reading(w *jsontext.Writer, name string, value float64) []byte {
	w.Reset()
	w.Object()
	w.Key("name")
	w.Text(name)
	w.Key("at")
	w.Int(1790000000)
	w.Key("value")
	w.Float(value, 3)
	w.Key("raw")
	w.Decimal(-215, 1)
	w.EndObject()
	return w.Written()
}

func TestNothingIsAllocated(t *testing.T) {
	w := jsontext.NewWriter(200)
	if got := string(reading(w, "a\nb", 21.3)); got != `{"name":"a\nb","at":1790000000,"value":21.3,"raw":-21.5}` {
		t.Errorf("got %s", got)
	}
	if n := testing.AllocsPerRun(100, func() { reading(w, "a\nb", 21.3) }); n != 0 {
		t.Errorf("%v allocations a text", n)
	}
}

func FuzzText(f *testing.F) {
	f.Add([]byte("a\"\xff\xe2\x82\xf0\x9f\x98\x80\x00"), 40)
	f.Fuzz(func(t *testing.T, b []byte, most int) {
		w := jsontext.NewWriter(most)
		w.TextBytes(b)
		got := w.Written()
		if len(got) > max(most, 0) || w.OK() != (got != nil) {
			t.Fatalf("%x of %d bytes became %q", b, most, got)
		}
		want := strings.ToValidUTF8(string([]rune(string(b))), "\uFFFD")
		var back string
		if got != nil && (json.Unmarshal(got, &back) != nil || back != want || !utf8.Valid(got)) {
			t.Errorf("%x became %q", b, got)
		}
		if got == nil && most >= 6*len(b)+2 {
			t.Errorf("%x does not fit into %d bytes", b, most)
		}
	})
}

func FuzzFloat(f *testing.F) {
	f.Add(21.299999, 2)
	f.Add(9e15, 9)
	f.Fuzz(func(t *testing.T, v float64, decimals int) {
		decimals = int(uint(decimals) % 10)
		w := jsontext.NewWriter(100)
		w.Float(v, decimals)
		got := string(w.Written())
		if math.IsNaN(v) || math.Abs(v) >= 9e18 {
			if got != "null" {
				t.Errorf("%v became %s", v, got)
			}
			return
		}
		back, err := strconv.ParseFloat(got, 64)
		if most := 0.6*math.Pow10(-decimals) + math.Abs(v)*1e-15; err != nil || math.Abs(back-v) > most {
			t.Errorf("%v with %d decimals became %s", v, decimals, got)
		}
		if _, after, ok := strings.Cut(got, "."); ok && (len(after) > decimals || strings.HasSuffix(after, "0")) {
			t.Errorf("%v with %d decimals became %s", v, decimals, got)
		}
	})
}
