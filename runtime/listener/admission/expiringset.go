package admission

import (
	"container/list"
	"math"
	"time"
)

// never is later than any expiry time.
const never time.Duration = math.MaxInt64

// expiringSet remembers a bounded number of sources, each until it expires. All entries live equally long, so insertion
// order is expiry order.
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

// find returns nil if s is absent.
func (r *expiringSet) find(s source) *expiringEntry {
	if e, ok := r.entries[s]; ok {
		return e.Value.(*expiringEntry)
	}
	return nil
}

// add inserts s, or renews it, and drops the oldest entry if there are too many.
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

// next returns the earliest expiry time.
func (r *expiringSet) next() time.Duration {
	if front := r.order.Front(); front != nil {
		return front.Value.(*expiringEntry).until
	}
	return never
}

// forget removes expired entries.
func (r *expiringSet) forget(now time.Duration) {
	for r.next() <= now {
		r.remove(r.order.Front().Value.(*expiringEntry).source)
	}
}
