package udp

import "sync"

// Datagram is one that waits for its peer's receiver.
type Datagram struct {
	Bytes []byte
	next  *Datagram
}

// pooledDatagram is the size up to which buffers are kept for the next: more than the datagrams of one Ethernet frame.
const pooledDatagram = 2 << 10

var datagramPool = sync.Pool{New: func() any { return &Datagram{Bytes: make([]byte, 0, pooledDatagram)} }}

func CopyDatagram(b []byte) *Datagram {
	if len(b) > pooledDatagram {
		return &Datagram{Bytes: append([]byte(nil), b...)}
	}
	d := datagramPool.Get().(*Datagram)
	d.Bytes = append(d.Bytes[:0], b...)
	return d
}

func (d *Datagram) Release() {
	d.next = nil
	if cap(d.Bytes) == pooledDatagram {
		datagramPool.Put(d)
	}
}
