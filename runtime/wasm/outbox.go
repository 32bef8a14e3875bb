package wasm

import (
	"sync"

	"github.com/exgate/exgate/runtime/gateway"
)

// outboxBytes is how much an event may send to its own connection before it is written under the instance's lock.
const outboxBytes = 64 << 10

// keptSend is the largest send that is kept. A larger one may not fit into a datagram or a DTLS record, and its call
// must return that.
const keptSend = 16 << 10

// outbox holds what an event sends to its own connection until the instance's lock is released: a write to a socket
// takes longer than the event, and other connections wait for the lock. A call that others can see flushes it first, so
// that the guest's calls keep their order.
type outbox struct {
	bytes []byte
	ends  []int // where each send ends in bytes, so that datagrams stay whole
}

var outboxes = sync.Pool{New: func() any { return new(outbox) }}

// keep adds a send. It reports false if the send is too large.
func (in *instance) keep(b []byte) bool {
	if len(b) > keptSend {
		return false
	}
	if in.out == nil {
		in.out = outboxes.Get().(*outbox)
	}
	if len(in.out.bytes)+len(b) > outboxBytes {
		return false
	}
	in.out.bytes = append(in.out.bytes, b...)
	in.out.ends = append(in.out.ends, len(in.out.bytes))
	return true
}

// flush sends the bytes that the running event has kept.
func (in *instance) flush() {
	if in.out != nil {
		in.out.flush(in.current.adapter)
		in.out = nil
	}
}

// flush sends what was kept and recycles the outbox. A nil outbox is empty. A Send that fails has closed the
// connection, or found it closed.
func (o *outbox) flush(to gateway.ConnectionAdapter) {
	if o == nil {
		return
	}
	start := 0
	for _, end := range o.ends {
		to.Send(o.bytes[start:end])
		start = end
	}
	o.bytes, o.ends = o.bytes[:0], o.ends[:0]
	outboxes.Put(o)
}
