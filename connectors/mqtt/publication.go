package mqtt

import (
	"encoding/binary"

	"github.com/eclipse/paho.golang/packets"
)

// publication is a PUBLISH, written into the wire's buffer without an allocation.
type publication struct {
	topic   string
	payload []byte
	props   []byte // encoded properties, without their length
	id      uint16 // of QoS 1 and 2
	qos     byte
	dup     bool
	retain  bool
}

// remaining is the packet's length after the fixed header.
func (p publication) remaining() int {
	n := 2 + len(p.topic) + lengthOfLength(len(p.props)) + len(p.props) + len(p.payload)
	if p.qos > 0 {
		n += 2
	}
	return n
}

// lengthOfLength is how many bytes a variable byte integer takes.
func lengthOfLength(n int) int {
	size := 1
	for n >= 1<<7 {
		n >>= 7
		size++
	}
	return size
}

// size is the packet's length, rounded up to the longest fixed header.
func (p publication) size() int { return 5 + p.remaining() }

func (p publication) append(b []byte) []byte {
	first := packets.PUBLISH<<4 | p.qos<<1
	if p.dup {
		first |= 1 << 3
	}
	if p.retain {
		first |= 1
	}
	b = append(b, first)
	b = binary.AppendUvarint(b, uint64(p.remaining())) // MQTT's variable byte integer is a uvarint
	b = binary.BigEndian.AppendUint16(b, uint16(len(p.topic)))
	b = append(b, p.topic...)
	if p.qos > 0 {
		b = binary.BigEndian.AppendUint16(b, p.id)
	}
	b = binary.AppendUvarint(b, uint64(len(p.props)))
	b = append(b, p.props...)
	return append(b, p.payload...)
}
