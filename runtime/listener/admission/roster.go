package admission

import (
	"container/list"
	"math"
	"time"
)

// never is later than anything that a roster holds.
const never time.Duration = math.MaxInt64

// roster remembers a bounded number of sources, each until a time. Every add comes later than those before it and for the same stay, so
// that the order of coming is also that of going.
type roster struct {
	maximum int
	order   *list.List // of *rosterEntry
	entries map[source]*list.Element
}

type rosterEntry struct {
	source   source
	until    time.Duration
	failures []time.Duration // oldest first
}

func newRoster(maximum int) *roster {
	return &roster{maximum: maximum, order: list.New(), entries: make(map[source]*list.Element)}
}

func (r *roster) len() int { return r.order.Len() }

// find returns nil for who is not there.
func (r *roster) find(s source) *rosterEntry {
	if e, ok := r.entries[s]; ok {
		return e.Value.(*rosterEntry)
	}
	return nil
}

// add makes s the latest, and drops the oldest where there are too many.
func (r *roster) add(s source, until time.Duration) *rosterEntry {
	if e, ok := r.entries[s]; ok {
		r.order.MoveToBack(e)
		entry := e.Value.(*rosterEntry)
		entry.until = until
		return entry
	}
	if r.len() >= r.maximum {
		r.remove(r.order.Front().Value.(*rosterEntry).source)
	}
	entry := &rosterEntry{source: s, until: until}
	r.entries[s] = r.order.PushBack(entry)
	return entry
}

func (r *roster) remove(s source) {
	if e, ok := r.entries[s]; ok {
		r.order.Remove(e)
		delete(r.entries, s)
	}
}

// next is when the first one's time is over.
func (r *roster) next() time.Duration {
	if front := r.order.Front(); front != nil {
		return front.Value.(*rosterEntry).until
	}
	return never
}

// forget drops everybody whose time is over.
func (r *roster) forget(now time.Duration) {
	for r.next() <= now {
		r.remove(r.order.Front().Value.(*rosterEntry).source)
	}
}
