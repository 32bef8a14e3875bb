package session

import (
	"sync"
	"time"
)

// window holds the events of one connection that the handler has not acknowledged, in order, encoded as they are sent. The zero value is empty and
// holds no memory, nor does one whose events are all acknowledged. It is not safe for concurrent use.
type window struct {
	last  uint64 // the seq of the newest event
	acked uint64 // the seq of the last event that was acknowledged or dropped in its turn
	sent  int    // how many of the events went out on this stream
	bytes int    // the sizes of the events
	kept  *kept  // nil where there are none
}

// kept are events. Those before head are done.
type kept struct {
	events []entry
	head   int
	data   []byte
}

// entry is an event whose encoding ends at end and begins where the one before it ends.
type entry struct {
	seq  uint64
	end  int
	size int
	kind eventKind
	at   time.Duration
}

var keptPool = sync.Pool{New: func() any { return new(kept) }}

// maxPooled bounds what an empty window leaves to others.
const maxPooled = 64 << 10

// windowLimits bound the events of a window and their bytes.
type windowLimits struct{ Events, Bytes int }

// Room reports whether an event of so many bytes may come in. An empty window takes any.
func (w *window) Room(size int, l windowLimits) bool {
	return w.kept == nil || w.Len() < l.Events && w.bytes+size <= l.Bytes
}

// Full reports whether not even an empty event may come in.
func (w *window) Full(l windowLimits) bool { return !w.Room(0, l) || w.bytes >= l.Bytes }

// Len is how many events wait.
func (w *window) Len() int {
	if w.kept == nil {
		return 0
	}
	return len(w.kept.events) - w.kept.head
}

// Size is how many bytes they have.
func (w *window) Size() int { return w.bytes }

// Acked is the seq up to which nothing waits.
func (w *window) Acked() uint64 { return w.acked }

// Add puts an event in.
func (w *window) Add(conn uint64, kind eventKind, body []byte, now time.Duration) {
	if w.kept == nil {
		w.kept = keptPool.Get().(*kept)
	}
	w.last++
	k := w.kept
	k.data = appendEvent(k.data, conn, w.last, kind, body)
	k.events = append(k.events, entry{seq: w.last, end: len(k.data), size: len(body), kind: kind, at: now})
	w.bytes += len(body)
}

// Unsent reports whether an event waits that did not go out yet.
func (w *window) Unsent() bool { return w.sent < w.Len() }

// Sent reports whether an event went out that is not acknowledged.
func (w *window) Sent() bool { return w.sent > 0 }

// Take appends events that did not go out yet to frame, as long as that has no more than full bytes. The first event of a frame may have more.
func (w *window) Take(frame []byte, full int) []byte {
	for w.Unsent() {
		i := w.kept.head + w.sent
		event := w.kept.data[w.kept.start(i):w.kept.events[i].end]
		if len(frame) > 0 && len(frame)+len(event) > full {
			break
		}
		frame = append(frame, event...)
		w.sent++
	}
	return frame
}

func (k *kept) start(i int) int {
	if i == 0 {
		return 0
	}
	return k.events[i-1].end
}

// Ack ends the events up to seq and tells done of each. It reports false for events that did not go out yet: no handler can know them.
func (w *window) Ack(seq uint64, done func(kind eventKind, at time.Duration)) bool {
	if seq > w.sentUpTo() {
		return false
	}
	for w.Len() > 0 && w.kept.events[w.kept.head].seq <= seq {
		e := w.pop()
		done(e.kind, e.at)
	}
	w.tidy()
	return true
}

// sentUpTo is the seq of the newest event that went out.
func (w *window) sentUpTo() uint64 {
	if w.sent == 0 {
		return w.acked
	}
	return w.kept.events[w.kept.head+w.sent-1].seq
}

// pop ends the oldest event.
func (w *window) pop() entry {
	e := w.kept.events[w.kept.head]
	w.kept.head++
	w.acked = e.seq
	w.bytes -= e.size
	w.sent = max(0, w.sent-1)
	return e
}

// tidy gives memory back.
func (w *window) tidy() {
	k := w.kept
	switch {
	case k == nil:
	case k.head == len(k.events):
		w.kept = nil
		if cap(k.data) <= maxPooled {
			k.events, k.data, k.head = k.events[:0], k.data[:0], 0
			keptPool.Put(k)
		}
	case k.head > len(k.events)/2:
		k.compact()
	}
}

// compact moves the events to the front.
func (k *kept) compact() {
	from := k.start(k.head)
	k.data = k.data[:copy(k.data, k.data[from:])]
	k.events = k.events[:copy(k.events, k.events[k.head:])]
	for i := range k.events {
		k.events[i].end -= from
	}
	k.head = 0
}

// Oldest is the kind of the oldest event; ok is false where there is none.
func (w *window) Oldest() (kind eventKind, ok bool) {
	if w.kept == nil {
		return 0, false
	}
	return w.kept.events[w.kept.head].kind, true
}

// Rewind forgets what went out: the stream is lost. An event Created that went out is dropped, since another one will go before the rest.
func (w *window) Rewind() {
	if kind, ok := w.Oldest(); ok && kind == createdEvent && w.sent > 0 {
		w.pop()
		w.tidy()
	}
	w.sent = 0
}

// DropUnsent drops the events that did not go out. Their seqs are not used again: they may have gone out on another stream.
func (w *window) DropUnsent() {
	if !w.Unsent() {
		return
	}
	k := w.kept
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
