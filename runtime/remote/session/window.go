package session

import (
	"sync"
	"time"
)

// window holds the unacknowledged events of one connection in order, encoded as they are sent. It uses no memory while
// empty, as the zero value is. It is not safe for concurrent use.
type window struct {
	last  uint64        // seq of the newest event
	acked uint64        // seq of the newest event that was acknowledged, or dropped in its turn
	sent  int           // how many of the events were sent on this stream
	bytes int           // size of the events
	buf   *windowBuffer // nil if empty
}

// windowBuffer has the events. Those before head are done.
type windowBuffer struct {
	events []entry
	head   int
	data   []byte
}

// entry is an event. Its encoding ends at end and begins where the previous one ends.
type entry struct {
	seq  uint64
	end  int
	size int
	kind eventKind
	at   time.Duration
}

var bufferPool = sync.Pool{New: func() any { return new(windowBuffer) }}

// maxPooled bounds the buffer that an empty window returns to the pool.
const maxPooled = 64 << 10

// windowLimits bounds the events of a window and their size.
type windowLimits struct{ Events, Bytes int }

// Room reports whether the window may take an event of size bytes. An empty window takes any.
func (w *window) Room(size int, l windowLimits) bool {
	return w.buf == nil || w.Len() < l.Events && w.bytes+size <= l.Bytes
}

// Full reports whether the window may not even take an empty event.
func (w *window) Full(l windowLimits) bool { return !w.Room(0, l) || w.bytes >= l.Bytes }

// Len returns the number of events.
func (w *window) Len() int {
	if w.buf == nil {
		return 0
	}
	return len(w.buf.events) - w.buf.head
}

// Size returns their size in bytes.
func (w *window) Size() int { return w.bytes }

// Acked returns the seq up to which all events are done.
func (w *window) Acked() uint64 { return w.acked }

// Add adds an event.
func (w *window) Add(conn uint64, kind eventKind, body []byte, now time.Duration) {
	if w.buf == nil {
		w.buf = bufferPool.Get().(*windowBuffer)
	}
	w.last++
	k := w.buf
	k.data = appendEvent(k.data, conn, w.last, kind, body)
	k.events = append(k.events, entry{seq: w.last, end: len(k.data), size: len(body), kind: kind, at: now})
	w.bytes += len(body)
}

// Unsent reports whether an event has not been sent on this stream.
func (w *window) Unsent() bool { return w.sent < w.Len() }

// Sent reports whether an event was sent and not acknowledged.
func (w *window) Sent() bool { return w.sent > 0 }

// Take appends unsent events to frame while it has at most full bytes. The first event of a frame may be longer.
func (w *window) Take(frame []byte, full int) []byte {
	for w.Unsent() {
		i := w.buf.head + w.sent
		event := w.buf.data[w.buf.start(i):w.buf.events[i].end]
		if len(frame) > 0 && len(frame)+len(event) > full {
			break
		}
		frame = append(frame, event...)
		w.sent++
	}
	return frame
}

func (k *windowBuffer) start(i int) int {
	if i == 0 {
		return 0
	}
	return k.events[i-1].end
}

// Ack removes the events up to seq and calls done for each. It returns false if seq has not been sent: no handler can
// know it.
func (w *window) Ack(seq uint64, done func(kind eventKind, at time.Duration)) bool {
	if seq > w.sentUpTo() {
		return false
	}
	for w.Len() > 0 && w.buf.events[w.buf.head].seq <= seq {
		e := w.pop()
		done(e.kind, e.at)
	}
	w.tidy()
	return true
}

// sentUpTo returns the seq of the newest event that was sent.
func (w *window) sentUpTo() uint64 {
	if w.sent == 0 {
		return w.acked
	}
	return w.buf.events[w.buf.head+w.sent-1].seq
}

// pop removes the oldest event.
func (w *window) pop() entry {
	e := w.buf.events[w.buf.head]
	w.buf.head++
	w.acked = e.seq
	w.bytes -= e.size
	w.sent = max(0, w.sent-1)
	return e
}

// tidy frees unused memory.
func (w *window) tidy() {
	k := w.buf
	switch {
	case k == nil:
	case k.head == len(k.events):
		w.buf = nil
		if cap(k.data) <= maxPooled {
			k.events, k.data, k.head = k.events[:0], k.data[:0], 0
			bufferPool.Put(k)
		}
	case k.head > len(k.events)/2:
		k.compact()
	}
}

// compact moves the events to the front.
func (k *windowBuffer) compact() {
	from := k.start(k.head)
	k.data = k.data[:copy(k.data, k.data[from:])]
	k.events = k.events[:copy(k.events, k.events[k.head:])]
	for i := range k.events {
		k.events[i].end -= from
	}
	k.head = 0
}

// Oldest returns the kind of the oldest event; ok is false if the window is empty.
func (w *window) Oldest() (kind eventKind, ok bool) {
	if w.buf == nil {
		return 0, false
	}
	return w.buf.events[w.buf.head].kind, true
}

// Rewind marks all events as unsent, because the stream is lost. A Created that was sent is dropped, since the next
// stream begins with another one.
func (w *window) Rewind() {
	if kind, ok := w.Oldest(); ok && kind == createdEvent && w.sent > 0 {
		w.pop()
		w.tidy()
	}
	w.sent = 0
}

// DropUnsent drops the unsent events. Their seqs are not used again: they may have been sent on another stream.
func (w *window) DropUnsent() {
	if !w.Unsent() {
		return
	}
	k := w.buf
	keep := k.head + w.sent
	for _, e := range k.events[keep:] {
		w.bytes -= e.size
	}
	k.data, k.events = k.data[:k.start(keep)], k.events[:keep]
	w.tidy()
}

// Clear drops all events. Their seqs are not used again.
func (w *window) Clear() {
	for w.Len() > 0 {
		w.pop()
	}
	w.tidy()
}
