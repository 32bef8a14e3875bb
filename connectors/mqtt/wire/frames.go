package wire

import (
	"errors"
	"fmt"

	"github.com/eclipse/paho.golang/packets"
)

var (
	// ErrTooLarge says that the broker ignored Maximum Packet Size.
	ErrTooLarge  = errors.New("the broker sent a packet larger than upstream.max_packet_size")
	errMalformed = errors.New("the broker sent a packet without a valid length")
)

// reasonOfFrame returns the DISCONNECT reason for an error of frames.
func reasonOfFrame(err error) byte {
	if errors.Is(err, ErrTooLarge) {
		return packets.DisconnectPacketTooLarge
	}
	return packets.DisconnectMalformedPacket
}

// frames tracks packet boundaries in a byte stream, to reject packets larger than Maximum Packet Size. paho accepts
// any.
type frames struct {
	limit int64 // maximum packet size in bytes; 0: no limit
	left  int64 // remaining bytes of the packet's body
	size  int64 // the length read so far
	shift uint
	head  bool // the first byte was read, the length is not complete

	publish publishHead
}

// pass consumes the next bytes of the stream.
func (f *frames) pass(b []byte) error {
	for len(b) > 0 {
		if f.left > 0 {
			n := min(f.left, int64(len(b)))
			if err := f.publish.pass(b[:n], f.left); err != nil {
				return err
			}
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

// header consumes a byte of a fixed header, MQTT 5, section 2.1.
func (f *frames) header(b byte) error {
	if !f.head {
		f.head, f.size, f.shift = true, 0, 0
		f.publish = publishHead{}
		if b>>4 == packets.PUBLISH {
			f.publish = publishHead{stage: topicHigh, hasID: b&0x06 != 0}
		}
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
		return fmt.Errorf("%w: %d bytes", ErrTooLarge, total)
	}
	return nil
}

// publishHead parses the variable header of a PUBLISH up to the length of its properties, MQTT 5, section 3.3.2: paho
// accepts a length beyond the end of the packet.
type publishHead struct {
	stage publishStage
	hasID bool // a packet id follows the topic
	skip  int  // remaining bytes of topic and packet id
	size  int64
	shift uint
}

type publishStage uint8

const (
	noPublish publishStage = iota // or the header is complete
	topicHigh
	topicLow
	skipping
	propertyLength
)

// pass consumes the next bytes of the packet; left is its remaining length.
func (h *publishHead) pass(b []byte, left int64) error {
	for i := 0; i < len(b) && h.stage != noPublish; i++ {
		switch c := b[i]; h.stage {
		case topicHigh:
			h.skip, h.stage = int(c)<<8, topicLow
		case topicLow:
			h.skip |= int(c)
			if h.hasID {
				h.skip += 2
			}
			h.stage = skipping
			if h.skip == 0 {
				h.stage = propertyLength
			}
		case skipping:
			n := min(h.skip, len(b)-i)
			h.skip -= n
			i += n - 1
			if h.skip == 0 {
				h.stage = propertyLength
			}
		case propertyLength:
			h.size |= int64(c&0x7f) << h.shift
			h.shift += 7
			if c < 0x80 {
				h.stage = noPublish
			}
			if h.shift > 28 || (c < 0x80 && h.size > left-int64(i)-1) {
				return errMalformed
			}
		}
	}
	return nil
}
