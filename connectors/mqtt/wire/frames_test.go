package wire

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

func TestFrames(t *testing.T) {
	publish := func(n int) []byte {
		return Publication{Topic: "t", Payload: make([]byte, n)}.Append(nil)
	}
	for name, c := range map[string]struct {
		stream []byte
		limit  int64
		want   error
	}{
		"nothing":                          {nil, 1, nil},
		"a packet without a body":          {[]byte{0xD0, 0}, 2, nil},
		"one byte too large":               {[]byte{0xD0, 0}, 1, ErrTooLarge},
		"as large as may be":               {publish(94), 100, nil},
		"too large by one":                 {publish(95), 100, ErrTooLarge},
		"a second one that is too large":   {append(publish(94), publish(95)...), 100, ErrTooLarge},
		"a length of two bytes":            {publish(194), 201, nil},
		"a length of two bytes, too large": {publish(194), 200, ErrTooLarge},
		"no limit":                         {publish(1 << 20), 0, nil},
		"the largest length":               {[]byte{0x30, 0xFF, 0xFF, 0xFF, 0x7F}, 0, nil},
		"a length of five bytes":           {[]byte{0x30, 0xFF, 0xFF, 0xFF, 0xFF, 1}, 0, errMalformed},
		"a length that is not shortest":    {[]byte{0x30, 0x80, 0x80, 0x80, 0}, 10, nil},
	} {
		f := frames{limit: c.limit}
		if err := f.pass(c.stream); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// FuzzFrames expects the same result however the stream is cut, and the same packets as paho's reader.
func FuzzFrames(f *testing.F) {
	f.Add([]byte{0xD0, 0, 0xD0, 0}, uint16(10), uint8(1))
	f.Add(Publication{Topic: "t", Payload: make([]byte, 200)}.Append(nil), uint16(100), uint8(3))
	f.Add([]byte{0x30, 0xFF, 0xFF, 0xFF, 0xFF, 1}, uint16(0), uint8(2))
	f.Add([]byte{0x20, 3, 0, 0, 0, 0x30, 0x81, 0x80, 0, 7}, uint16(20), uint8(4))
	f.Fuzz(func(t *testing.T, stream []byte, limit uint16, size uint8) {
		whole, pieces := frames{limit: int64(limit)}, frames{limit: int64(limit)}
		want := whole.pass(stream)
		var got error
		for rest := stream; len(rest) > 0 && got == nil; {
			n := min(int(size)+1, len(rest))
			got, rest = pieces.pass(rest[:n]), rest[n:]
		}
		if (want == nil) != (got == nil) || (want != nil && want.Error() != got.Error()) {
			t.Fatalf("whole: %v, in pieces of %d: %v", want, int(size)+1, got)
		}
		if want == nil && whole != pieces {
			t.Fatalf("whole: %+v, in pieces: %+v", whole, pieces)
		}
		if tooLarge := firstTooLarge(stream, int64(limit)); tooLarge != errors.Is(want, ErrTooLarge) &&
			!errors.Is(want, errMalformed) {
			t.Fatalf("a packet is too large: %v, got %v", tooLarge, want)
		}
	})
}

// firstTooLarge finds the first packet that is too large, with the whole stream at hand.
func firstTooLarge(stream []byte, limit int64) bool {
	for r := bytes.NewReader(stream); r.Len() > 0; {
		before := r.Len()
		_, _ = r.ReadByte()
		size, shift := int64(0), 0
		for {
			b, err := r.ReadByte()
			if err != nil || shift > 21 {
				return false
			}
			size |= int64(b&0x7F) << shift
			shift += 7
			if b < 0x80 {
				break
			}
		}
		if limit > 0 && int64(before-r.Len())+size > limit {
			return true
		}
		if _, err := r.Seek(size, io.SeekCurrent); err != nil {
			return false
		}
	}
	return false
}
