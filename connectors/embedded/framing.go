package embedded

import (
	"errors"
	"sync/atomic"
	"time"
)

// Limits for the memory that mochi allocates for incomplete packets of network clients: it allocates a whole packet as
// soon as it knows the length.
const (
	maxConnectSize = 512 << 10 // of the first packet, which comes before authentication
	largePacket    = 64 << 10  // larger packets count against maxLarge
	maxLarge       = 64 << 20  // bytes of large packets being read from all clients together
	packetTimeout  = 30 * time.Second
)

var (
	errNotConnect  = errors.New("the first packet is not a CONNECT of at most 512 KiB")
	errLength      = errors.New("the length of a packet is malformed")
	errTooManyLong = errors.New("too many large packets are being received")
)

// framing tracks the packets of one network client while mochi reads them. It is owned by the reading goroutine.
type framing struct {
	large *atomic.Int64 // bytes of large packets being read, of all clients

	state  frameState
	first  bool // the CONNECT has begun
	shift  uint
	length int
	left   int // bytes left in the packet's body
	taken  int // bytes added to large
}

type frameState uint8

const (
	frameType frameState = iota
	frameLength
	frameBody
)

// read parses b, which mochi is about to receive. On an error, the connection must end before mochi sees b.
func (f *framing) read(b []byte) error {
	for len(b) > 0 {
		switch f.state {
		case frameType:
			if !f.first && b[0]>>4 != 1 {
				return errNotConnect
			}
			f.state, f.shift, f.length = frameLength, 0, 0
			b = b[1:]
		case frameLength:
			f.length |= int(b[0]&0x7f) << f.shift
			more := b[0]&0x80 != 0
			b = b[1:]
			f.shift += 7
			if more && f.shift > 21 {
				return errLength
			}
			if !more {
				if err := f.begin(); err != nil {
					return err
				}
			}
		case frameBody:
			n := min(f.left, len(b))
			b = b[n:]
			if f.left -= n; f.left == 0 {
				f.state = frameType
				f.release()
			}
		}
	}
	return nil
}

// begin is called as soon as the length of a packet is known.
func (f *framing) begin() error {
	if !f.first && f.length > maxConnectSize {
		return errNotConnect
	}
	f.first = true
	f.left, f.state = f.length, frameBody
	if f.length == 0 {
		f.state = frameType
	}
	if f.length > largePacket && f.length <= maxPacketSize {
		f.taken = f.length
		if f.large.Add(int64(f.taken)) > maxLarge {
			return errTooManyLong
		}
	}
	return nil
}

// partial reports whether a packet is incomplete.
func (f *framing) partial() bool { return f.state != frameType }

// release subtracts a large packet from the total.
func (f *framing) release() {
	f.large.Add(-int64(f.taken))
	f.taken = 0
}
