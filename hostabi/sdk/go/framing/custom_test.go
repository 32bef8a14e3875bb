package framing_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/exgate/exgate/hostabi/sdk/go/framing"
)

// measure measures frames of a length and so many bytes; of Z and bytes up to another Z; and refuses what begins with
// X.
func measure(b []byte) int {
	switch {
	case b[0] == 'Z':
		if i := bytes.IndexByte(b[1:], 'Z'); i >= 0 {
			return i + 2
		}
		return 0
	case b[0] == 'X' || b[0] == 'Y' && len(b) > 1 && b[1] == 'X':
		return -1
	case b[0] == 'Y' && len(b) == 1:
		return 0
	}
	return int(b[0]%16) + 1
}

func all(framer *framing.Framer, pieces ...[]byte) (outcomes string) {
	for _, b := range pieces {
		for frame, err := range framer.Frames(&b) {
			outcomes += fmt.Sprintf("%x %v\n", frame, err)
		}
	}
	return outcomes
}

func FuzzCustom(f *testing.F) {
	f.Add([]byte("\x02abXX\x0fYX\x01cZ...Z\x0b01234567890ab\x00"), uint8(3), uint8(9))
	f.Add([]byte("YYYYXZZXZ012345678901234567890123456789"), uint8(1), uint8(16))
	f.Fuzz(func(t *testing.T, b []byte, cut, most uint8) {
		frames, err := framing.New(framing.Custom{Measure: measure, Max: int(most%32) + 1})
		if err != nil {
			t.Fatal(err)
		}
		want := all(frames.Framer(), b)
		at := int(cut) % (len(b) + 1)
		if got := all(frames.Framer(), b[:at], b[at:]); got != want {
			t.Errorf("%q cut at %d:\n%swant\n%s", b, at, got, want)
		}
		var bytewise [][]byte
		for i := range b {
			bytewise = append(bytewise, b[i:i+1])
		}
		framer := frames.Framer()
		if got := all(framer, bytewise...); got != want {
			t.Errorf("%q byte by byte:\n%swant\n%s", b, got, want)
		}
		if framer.Held() > int(most%32)+1 {
			t.Errorf("%d bytes are held", framer.Held())
		}
	})
}
