package guard

import "encoding/binary"

// prefaceLen is how many bytes a client sends before its first frame (RFC 9113, section 3.4).
const prefaceLen = 24

// The frames and flags that matter here (RFC 9113, section 6).
const (
	frameData    = 0x0
	frameHeaders = 0x1
	frameReset   = 0x3
	flagEnd      = 0x1
)

const headerLen = 9

// frames follows the frames of one direction of a connection without storing them. It does not validate them; the
// server does.
type frames struct {
	skip   int // bytes until the next header
	header [headerLen]byte
	have   int // header bytes so far
}

// frame is the header of a frame.
type frame struct {
	kind   byte
	end    bool // the stream's last in this direction
	stream uint32
	length int
}

// follow reads the next bytes and calls on for each frame whose header they complete.
func (f *frames) follow(b []byte, on func(frame)) {
	for len(b) > 0 {
		if f.skip > 0 {
			n := min(f.skip, len(b))
			f.skip -= n
			b = b[n:]
			continue
		}
		n := copy(f.header[f.have:], b)
		f.have += n
		b = b[n:]
		if f.have == headerLen {
			f.have = 0
			next := f.parse()
			f.skip = next.length
			on(next)
		}
	}
}

func (f *frames) parse() frame {
	h := f.header
	kind, flags := h[3], h[4]
	return frame{
		kind: kind, end: flags&flagEnd != 0 && (kind == frameData || kind == frameHeaders),
		stream: binary.BigEndian.Uint32(h[5:]) &^ (1 << 31), length: int(h[0])<<16 | int(h[1])<<8 | int(h[2]),
	}
}
