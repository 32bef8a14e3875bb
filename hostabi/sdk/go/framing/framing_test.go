package framing_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"testing"

	"github.com/exgate/exgate/hostabi/conformance"
	"github.com/exgate/exgate/hostabi/sdk/go/framing"
)

func parse(t testing.TB, notation string) framing.Framing {
	t.Helper()
	rules, err := framing.Parse(notation)
	if err != nil {
		t.Fatalf("%s: %v", notation, err)
	}
	f, err := framing.New(rules)
	if err != nil {
		t.Fatalf("%s: %v", notation, err)
	}
	return f
}

// outcomes runs pieces through f, as the vectors write what comes of it.
func outcomes(f *framing.Framer, pieces [][]byte) []string {
	out := []string{}
	for _, p := range pieces {
		event := bytes.Clone(p)
		p = event
		for frame, err := range f.Frames(&p) {
			switch {
			case errors.Is(err, framing.ErrTooLong):
				out = append(out, "too_long")
			case err != nil:
				out = append(out, "broken")
			default:
				out = append(out, hex.EncodeToString(frame))
			}
		}
		clear(event) // as the buffer of a module's events is used again
	}
	return out
}

func TestVectors(t *testing.T) {
	for _, f := range conformance.FramingVectors().Framers {
		framing := parse(t, f.Framer)
		for _, c := range f.Cases {
			for _, pieces := range c.Cuts() {
				if got := outcomes(framing.Framer(), pieces); !slices.Equal(got, c.Outcomes) {
					t.Errorf("%s: %s: %x: got %q, want %q", f.Framer, c.Name, pieces, got, c.Outcomes)
				}
			}
		}
	}
}

func TestStuff(t *testing.T) {
	for _, v := range conformance.FramingVectors().Stuffed {
		rules, err := framing.Parse(v.Framer)
		if err != nil {
			t.Fatal(err)
		}
		if got := rules.(framing.Escape).Stuff(nil, v.Frame); !bytes.Equal(got, v.Out) {
			t.Errorf("%s: %x became %x, want %x", v.Framer, v.Frame, got, v.Out)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, notation := range conformance.FramingVectors().Refused {
		rules, err := framing.Parse(notation)
		if err == nil {
			_, err = framing.New(rules)
		}
		if err == nil {
			t.Errorf("%s is accepted", notation)
		}
	}
}

func TestWrongNotation(t *testing.T) {
	for _, notation := range []string{
		"", "delimiter", "delimiter 0a 8", "delimiter 0A 8 line", "delimiter 0a 8 line ", "delimiter 0a  8 line",
		"delimiter 0a +8 line", "delimiter 0 8 line",
		"length 1 big 0 - 8 keep", "length 1 big 0 --1 8 keep", "length 1 middle 0 0 8 keep", "length 1 big 0 0 8 line",
		"length 1 big -1 0 8 keep",
		"fixed", "fixed 4294967296", "fixed 3 3", "slip", "escape 7e 7e 7d 8 xor 2000", "escape 7e - 7d 8 xor 20",
		"escape 7e7e 7e 7d 8 xor 20",
		"escape 7e 7e 7d 8 map", "escape 7e 7e 7d 8 map 027e,", "escape 7e 7e 7d 8 not 20",
	} {
		if rules, err := framing.Parse(notation); err == nil {
			t.Errorf("%q was read as %+v", notation, rules)
		}
	}
}

func TestBreakLeavesTheRest(t *testing.T) {
	lines := parse(t, "delimiter 0a 8 line").Framer()
	piece := []byte("a\nb\nc")
	for range lines.Frames(&piece) {
		break
	}
	if string(piece) != "b\nc" {
		t.Errorf("%q is left after the first line", piece)
	}
	if got := outcomes(lines, [][]byte{piece, []byte("\n")}); !slices.Equal(got, []string{"62", "63"}) {
		t.Errorf("got %q", got)
	}
}

func TestResetForgets(t *testing.T) {
	for notation, dirt := range map[string]string{
		"delimiter 0a 2 line": "abcdef", "length 1 big 0 -1 8 keep": "\x00", "length 2 big 0 0 8 keep": "\xff\xff12",
		"fixed 3":                  "a",
		"escape 7e 7e 7d 8 xor 20": "~ab}",
	} {
		f := parse(t, notation).Framer()
		outcomes(f, [][]byte{[]byte(dirt)})
		f.Reset()
		if f.Held() != 0 {
			t.Errorf("%s holds %d bytes after Reset", notation, f.Held())
		}
		fresh, stream := parse(t, notation).Framer(), [][]byte{[]byte("a\n\x01\x02~a~")}
		if got, want := outcomes(f, stream), outcomes(fresh, stream); !slices.Equal(got, want) {
			t.Errorf("%s: after Reset %q, and new %q", notation, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, v := range conformance.FramingVectors().Framers {
		f.Add(v.Framer, []byte("ab\n~c"))
	}
	f.Fuzz(func(_ *testing.T, notation string, b []byte) {
		if rules, err := framing.Parse(notation); err == nil {
			if made, err := framing.New(rules); err == nil {
				outcomes(made.Framer(), [][]byte{b})
			}
		}
	})
}

// FuzzCuts checks that outcomes do not depend on how the stream is cut, and that what is held is bounded.
func FuzzCuts(f *testing.F) {
	all := []string{
		"delimiter 0a 8 line", "delimiter 616162 4 strip", "length 1 big 1 -1 16 keep", "length 2 little 0 2 40 strip",
		"fixed 3",
		"escape 7e 7e 7d 8 map 027e,017d", "escape 02 03 10 8 xor 80", "escape - c0 db 8 map dcc0,dddb",
	}
	f.Add([]byte("aaab\n\x02\x01~}\x02~\x03\xc0\xdb\xdc\xc0"), uint64(0b1011001))
	f.Fuzz(func(t *testing.T, b []byte, cuts uint64) {
		for _, notation := range all {
			whole, cut := parse(t, notation).Framer(), parse(t, notation).Framer()
			var pieces [][]byte
			from := 0
			for i := range b {
				if cuts>>(i%64)&1 == 1 {
					pieces = append(pieces, b[from:i])
					from = i
				}
			}
			pieces = append(pieces, b[from:])
			if got, want := outcomes(cut, pieces), outcomes(whole, [][]byte{b}); !slices.Equal(got, want) {
				t.Errorf("%s: %q cut as %q: got %q, want %q", notation, b, pieces, got, want)
			}
			if cut.Held() > 42 {
				t.Errorf("%s holds %d bytes", notation, cut.Held())
			}
		}
	})
}

// FuzzStuff checks that stuffed frames are decoded to the original.
func FuzzStuff(f *testing.F) {
	f.Add([]byte("~}\x02\x03\x10\xc0\xdb"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, notation := range []string{
			"escape 7e 7e 7d 4096 map 027e,017d", "escape 02 03 10 4096 xor 80",
			"escape - c0 db 4096 map dcc0,dddb",
		} {
			rules, err := framing.Parse(notation)
			if err != nil {
				t.Fatal(err)
			}
			if len(b) == 0 || len(b) > 4096 {
				continue
			}
			wire := rules.(framing.Escape).Stuff(nil, b)
			if got := outcomes(parse(t, notation).Framer(), [][]byte{wire}); !slices.Equal(got,
				[]string{hex.EncodeToString(b)}) {
				t.Errorf("%s: %x came back as %q", notation, b, got)
			}
		}
	})
}
