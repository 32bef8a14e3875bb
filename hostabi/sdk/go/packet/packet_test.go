package packet_test

import (
	"bytes"
	"testing"

	"github.com/exgate/exgate/hostabi/sdk/go/packet"
)

// read reads fields as ops says, and writes them to w.
func read(r *packet.Reader, w *packet.Writer, op byte) {
	switch n := int(op >> 4); op & 15 {
	case 0:
		w.Uint8(r.Uint8())
	case 1:
		w.Uint16(r.Uint16())
	case 2:
		w.Uint16LE(r.Uint16LE())
	case 3:
		w.Uint24(r.Uint24())
	case 4:
		w.Uint24LE(r.Uint24LE())
	case 5:
		w.Uint32(uint32(r.Int32()))
	case 6:
		w.Uint32LE(r.Uint32LE())
	case 7:
		w.Uint64(r.Uint64())
	case 8:
		w.Uint64LE(uint64(r.Int64LE()))
	case 9:
		w.BCD(r.BCD(min(n, 9)), min(n, 9))
	case 10:
		w.BCDLE(r.BCDLE(min(n, 9)), min(n, 9))
	default:
		w.Bytes(r.Bytes(n))
	}
}

// What is read and written again is the frame, however it ends.
func FuzzReader(f *testing.F) {
	f.Add([]byte("\x12\x34\x56\x78abcdefghi"), []byte{0, 0x29, 0x2a, 1, 0x3f})
	f.Fuzz(func(t *testing.T, frame, ops []byte) {
		r, w := packet.Read(frame), packet.NewWriter(len(frame))
		for _, op := range ops {
			left := r.Len()
			if read(r, w, op); r.Len() > left {
				t.Fatalf("%d bytes are left after %d", r.Len(), left)
			}
			if !r.OK() {
				break
			}
		}
		if r.OK() && (!w.OK() || !bytes.Equal(w.Written(), frame[:len(frame)-r.Len()])) {
			t.Errorf("%x became %x", frame, w.Written())
		}
		if w.Len() > len(frame) {
			t.Errorf("%d bytes in a writer of %d", w.Len(), len(frame))
		}
	})
}

func FuzzBits(f *testing.F) {
	f.Add([]byte{0xa5, 0xf0}, []byte{1, 3, 12})
	f.Fuzz(func(t *testing.T, frame, widths []byte) {
		r, at := packet.Read(frame), 0
		for _, width := range widths {
			n, want := int(width)%40, uint32(0)
			for i := at; i < at+n && i < 8*len(frame); i++ {
				want = want<<1 | uint32(frame[i/8]>>(7-i%8)&1)
			}
			got := r.Bits(n)
			if fits := n <= 32 && at+n <= 8*len(frame); r.OK() != fits || fits && got != want {
				t.Fatalf("bits %d to %d of %x: %b and %v, want %b", at, at+n, frame, got, r.OK(), want)
			}
			if at += n; !r.OK() {
				return
			}
		}
	})
}
