package admission

import (
	"container/list"
	"math"
	"time"
)

// never is later than anything that a roster holds.
const never time.Duration = math.MaxInt64

// expiringSet remembers a bounded number of sources, each until a time. Every add comes later than those before it and
// for the same stay, so that the order of coming is also that of going.
type expiringSet struct {
	maximum int
	order   *list.List // of *expiringEntry
	entries map[source]*list.Element
}

type expiringEntry struct {
	source   source
	until    time.Duration
	failures []time.Duration // oldest first
}

func newExpiringSet(maximum int) *expiringSet {
	return &expiringSet{maximum: maximum, order: list.New(), entries: make(map[source]*list.Element)}
}

func (r *expiringSet) len() int { return r.order.Len() }

// find returns nil for who is not there.
func (r *expiringSet) find(s source) *expiringEntry {
	if e, ok := r.entries[s]; ok {
		return e.Value.(*expiringEntry)
	}
	return nil
}

// add makes s the latest, and drops the oldest where there are too many.
func (r *expiringSet) add(s source, until time.Duration) *expiringEntry {
	if e, ok := r.entries[s]; ok {
		r.order.MoveToBack(e)
		entry := e.Value.(*expiringEntry)
		entry.until = until
		return entry
	}
	if r.len() >= r.maximum {
		r.remove(r.order.Front().Value.(*expiringEntry).source)
	}
	entry := &expiringEntry{source: s, until: until}
	r.entries[s] = r.order.PushBack(entry)
	return entry
}

func (r *expiringSet) remove(s source) {
	if e, ok := r.entries[s]; ok {
		r.order.Remove(e)
		delete(r.entries, s)
	}
}

// next is when the first one's time is over.
func (r *expiringSet) next() time.Duration {
	if front := r.order.Front(); front != nil {
		return front.Value.(*expiringEntry).until
	}
	return never
}

// forget drops everybody whose time is over.
func (r *expiringSet) forget(now time.Duration) {
	for r.next() <= now {
		r.remove(r.order.Front().Value.(*expiringEntry).source)
	}
}
