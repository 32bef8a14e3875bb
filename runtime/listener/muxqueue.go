package listener

import "sync"

// datagram is one that waits for its peer's receiver.
type datagram struct {
	b    []byte
	next *datagram
}

// pooledDatagram is the size up to which buffers are kept for the next: more than the datagrams of one Ethernet frame.
const pooledDatagram = 2 << 10

var datagramPool = sync.Pool{New: func() any { return &datagram{b: make([]byte, 0, pooledDatagram)} }}

func copyDatagram(b []byte) *datagram {
	if len(b) > pooledDatagram {
		return &datagram{b: append([]byte(nil), b...)}
	}
	d := datagramPool.Get().(*datagram)
	d.b = append(d.b[:0], b...)
	return d
}

func (d *datagram) release() {
	d.next = nil
	if cap(d.b) == pooledDatagram {
		datagramPool.Put(d)
	}
}
