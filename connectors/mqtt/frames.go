package mqtt

import (
	"errors"
	"fmt"
)

var (
	errTooLarge  = errors.New("the broker sent a larger packet than upstream.max_packet_size lets it")
	errMalformed = errors.New("the broker sent a packet without a valid length")
)

// frames follows the packets in a stream of bytes, so that none is read that is larger than the broker was told. paho reads any.
type frames struct {
	limit int64 // bytes of a packet; 0: no limit
	left  int64 // bytes of the packet's body that are still to come
	size  int64 // the length as far as it was read
	shift uint
	head  bool // the first byte has passed, the length has not yet
}

// pass takes the next bytes of the stream.
func (f *frames) pass(b []byte) error {
	for len(b) > 0 {
		if f.left > 0 {
			n := min(f.left, int64(len(b)))
			f.left -= n
			b = b[n:]
			continue
		}
		if err := f.header(b[0]); err != nil {
			return err
		}
		b = b[1:]
	}
	return nil
}

// header takes a byte of a fixed header, MQTT 5, section 2.1.
func (f *frames) header(b byte) error {
	if !f.head {
		f.head, f.size, f.shift = true, 0, 0
		return nil
	}
	if f.shift > 21 {
		return errMalformed
	}
	f.size |= int64(b&0x7f) << f.shift
	f.shift += 7
	if b >= 0x80 {
		return nil
	}
	f.head, f.left = false, f.size
	if total := f.size + 1 + int64(f.shift/7); f.limit > 0 && total > f.limit {
		return fmt.Errorf("%w: %d bytes", errTooLarge, total)
	}
	return nil
}
