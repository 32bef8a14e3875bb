package wire

import (
	"encoding/binary"

	"github.com/eclipse/paho.golang/packets"
)

// Publication is a PUBLISH that is encoded into the write buffer without allocations.
type Publication struct {
	Topic   string
	Payload []byte
	Props   []byte // encoded properties, without their length
	ID      uint16 // of QoS 1 and 2
	QoS     byte
	Dup     bool
	Retain  bool
}

// remaining returns the packet's length after the fixed header.
func (p Publication) remaining() int {
	n := 2 + len(p.Topic) + lengthOfLength(len(p.Props)) + len(p.Props) + len(p.Payload)
	if p.QoS > 0 {
		n += 2
	}
	return n
}

// lengthOfLength returns the size of n as a variable byte integer.
func lengthOfLength(n int) int {
	size := 1
	for n >= 1<<7 {
		n >>= 7
		size++
	}
	return size
}

// Size returns the packet's length, assuming the longest fixed header.
func (p Publication) Size() int { return 5 + p.remaining() }

func (p Publication) Append(b []byte) []byte {
	first := packets.PUBLISH<<4 | p.QoS<<1
	if p.Dup {
		first |= 1 << 3
	}
	if p.Retain {
		first |= 1
	}
	b = append(b, first)
	b = binary.AppendUvarint(b, uint64(p.remaining())) // MQTT's variable byte integer is a uvarint
	b = binary.BigEndian.AppendUint16(b, uint16(len(p.Topic)))
	b = append(b, p.Topic...)
	if p.QoS > 0 {
		b = binary.BigEndian.AppendUint16(b, p.ID)
	}
	b = binary.AppendUvarint(b, uint64(len(p.Props)))
	b = append(b, p.Props...)
	return append(b, p.Payload...)
}
