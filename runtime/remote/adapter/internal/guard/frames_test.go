package guard

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"golang.org/x/net/http2"
)

// FuzzFrames: however bytes are cut, the same frames come out, and where they are frames they are those that another
// implementation reads.
func FuzzFrames(f *testing.F) {
	var seed bytes.Buffer
	w := http2.NewFramer(&seed, nil)
	_ = w.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1})
	_ = w.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x82}, EndHeaders: true})
	_ = w.WriteData(1, false, []byte("hello"))
	_ = w.WriteData(1, true, nil)
	_ = w.WriteRSTStream(3, http2.ErrCodeCancel)
	f.Add(seed.Bytes(), uint8(1))
	f.Add(seed.Bytes(), uint8(10))
	f.Add([]byte{0xff, 0xff, 0xff, 0, 1, 0xff, 0xff, 0xff, 0xff}, uint8(3))
	f.Fuzz(func(t *testing.T, b []byte, step uint8) {
		whole := followed(b, len(b))
		if pieces := followed(b, int(step)); !slices.Equal(whole, pieces) {
			t.Errorf("in one piece %v, in pieces of %d %v", whole, step, pieces)
		}
		reader := http2.NewFramer(nil, bytes.NewReader(b))
		reader.AllowIllegalReads = true
		reader.SetMaxReadFrameSize(1<<24 - 1)
		for i := 0; ; i++ {
			read, err := reader.ReadFrame()
			if err != nil {
				return
			}
			h := read.Header()
			ends := (h.Type == http2.FrameData || h.Type == http2.FrameHeaders) && h.Flags.Has(http2.FlagDataEndStream)
			want := fmt.Sprint(frame{kind: byte(h.Type), end: ends, stream: h.StreamID, length: int(h.Length)})
			if i >= len(whole) || whole[i] != want {
				t.Fatalf("frame %d of %v: want %s", i, whole, want)
			}
		}
	})
}

func followed(b []byte, step int) []string {
	var f frames
	var seen []string
	for piece := range slices.Chunk(b, max(1, step)) {
		f.follow(piece, func(next frame) { seen = append(seen, fmt.Sprint(next)) })
	}
	return seen
}
