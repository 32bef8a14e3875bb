package c_test

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/exgate/exgate/hostabi/conformance"
	"github.com/exgate/exgate/hostabi/sdk/go/framing"
)

func TestVectors(t *testing.T) {
	n := startNative(t, "testdata/vectors.c")
	for _, f := range conformance.FramingVectors().Framers {
		for _, c := range f.Cases {
			var want []string
			for _, o := range c.Outcomes {
				if o != "too_long" && o != "broken" {
					o = "=" + o
				}
				want = append(want, o)
			}
			cuts := c.Cuts()
			for i, got := range n.outcomes(f.Framer, cuts) {
				if got != strings.Join(want, ",") {
					t.Errorf("%s: %s: %x: got %s, want %s", f.Framer, c.Name, cuts[i], got, want)
				}
			}
		}
	}
}

func TestStuff(t *testing.T) {
	n := startNative(t, "testdata/vectors.c")
	for _, v := range conformance.FramingVectors().Stuffed {
		got := n.ask("stuff "+v.Framer, hex.EncodeToString(v.Frame))
		if got[1] != hex.EncodeToString(v.Out) {
			t.Errorf("%s: %x became %s, want %x", v.Framer, v.Frame, got[1], v.Out)
		}
	}
}

func TestRefused(t *testing.T) {
	n := startNative(t, "testdata/vectors.c")
	for _, notation := range conformance.FramingVectors().Refused {
		if got := n.ask("framer " + notation); got[0] != "refused" {
			t.Errorf("%s is %s", notation, got[0])
		}
	}
}

// inGo is what the Go SDK makes of a stream in one piece.
func inGo(notation string, b []byte) (outcomes string, ok bool) {
	rules, err := framing.Parse(notation)
	if err != nil {
		return "", false
	}
	made, err := framing.New(rules)
	if err != nil {
		return "", false
	}
	var all []string
	for frame, err := range made.Framer().Frames(&b) {
		switch {
		case errors.Is(err, framing.ErrTooLong):
			all = append(all, "too_long")
		case err != nil:
			all = append(all, "broken")
		default:
			all = append(all, "="+hex.EncodeToString(frame))
		}
	}
	return strings.Join(all, ","), true
}

// FuzzFraming compares with the Go SDK: the notation, and the outcomes of a stream that is cut in two.
func FuzzFraming(f *testing.F) {
	for _, v := range conformance.FramingVectors().Framers {
		for _, c := range v.Cases {
			f.Add(v.Framer, []byte(strings.Join(pieces(c), "")), uint16(3))
		}
	}
	for _, notation := range conformance.FramingVectors().Refused {
		f.Add(notation, []byte("ab"), uint16(1))
	}
	n := startNative(f, "testdata/vectors.c")
	f.Fuzz(func(t *testing.T, notation string, b []byte, cut uint16) {
		if strings.ContainsAny(notation, "\n\x00") || len(b) > 1<<12 || len(notation) > 1<<12 {
			return
		}
		n.t = t
		want, ok := inGo(notation, b)
		if got := n.ask("framer " + notation)[0]; (got == "ok") != ok {
			t.Fatalf("%q is %s, in Go %v", notation, got, ok)
		}
		if !ok {
			return
		}
		at := int(cut) % (len(b) + 1)
		if got := n.outcomes(notation, [][][]byte{{b[:at], b[at:]}})[0]; got != want {
			t.Errorf("%s: %x cut at %d: got %s, in Go %s", notation, b, at, got, want)
		}
	})
}

func pieces(c conformance.FramingCase) (all []string) {
	for _, p := range c.Pieces {
		all = append(all, string(p))
	}
	return all
}
