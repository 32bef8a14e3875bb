package admission

import (
	"container/list"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// WaitingRoom bounds the connections that are being made. When it is full, a newcomer takes the place of the oldest: a
// client that needs less time than the room takes to turn over never loses its place. A prefix that has as many places
// as it may takes its own places only.
type WaitingRoom struct {
	max       int
	maxPrefix int // from one /24 or /64; 0: no bound

	mu       sync.Mutex // guards the fields below
	all      list.List  // of *waiting, oldest first
	prefixes map[netip.Prefix]*list.List
}

// Slot is a place in a room.
type Slot struct {
	prefix netip.Prefix
	evict  func()      // is called, once, when another took the place
	Busy   atomic.Bool // this side computes for it: it is not evicted

	// Guarded by the room's mu.
	since      time.Time
	at         *list.Element // in all; nil: outside
	atOfPrefix *list.Element
}

// evictScan is how many of the oldest are looked at for one that is not busy.
const evictScan = 16

func NewWaitingRoom(most, perPrefix int) *WaitingRoom {
	return &WaitingRoom{max: most, maxPrefix: perPrefix, prefixes: make(map[netip.Prefix]*list.List)}
}

// NewSlot makes a place for source. Without an address no prefix bounds it.
func NewSlot(source netip.Addr, evict func()) *Slot {
	return &Slot{prefix: roomPrefix(source), evict: evict}
}

func roomPrefix(source netip.Addr) netip.Prefix {
	bits := 64
	if source.Is4() {
		bits = 24
	}
	prefix, _ := source.Prefix(bits)
	return prefix
}

// Enter takes a place. It reports false where all that could make room are busy.
func (r *WaitingRoom) Enter(w *Slot) bool {
	evicted, ok := r.swap(w)
	if evicted != nil {
		evicted.evict()
	}
	return ok
}

// swap takes a place, and returns the one who lost it.
func (r *WaitingRoom) swap(w *Slot) (evicted *Slot, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if full := r.full(w.prefix); full != nil {
		if evicted = oldestIdle(full); evicted == nil {
			return nil, false
		}
		r.remove(evicted)
	}
	own := r.prefixes[w.prefix]
	if own == nil {
		own = list.New()
		r.prefixes[w.prefix] = own
	}
	w.since, w.at, w.atOfPrefix = time.Now(), r.all.PushBack(w), own.PushBack(w)
	return evicted, true
}

// full returns the list out of which one has to go before prefix gets a place; nil if there is room. The caller holds
// mu.
func (r *WaitingRoom) full(prefix netip.Prefix) *list.List {
	if own := r.prefixes[prefix]; own != nil && r.maxPrefix > 0 && prefix.IsValid() && own.Len() >= r.maxPrefix {
		return own
	}
	if r.all.Len() >= r.max {
		return &r.all
	}
	return nil
}

func oldestIdle(l *list.List) *Slot {
	scanned := 0
	for e := l.Front(); e != nil && scanned < evictScan; e = e.Next() {
		if w := e.Value.(*Slot); !w.Busy.Load() {
			return w
		}
		scanned++
	}
	return nil
}

// Leave gives the place back, and reports whether w still had it.
func (r *WaitingRoom) Leave(w *Slot) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w.at == nil {
		return false
	}
	r.remove(w)
	return true
}

// remove takes w out; the caller holds mu.
func (r *WaitingRoom) remove(w *Slot) {
	own := r.prefixes[w.prefix]
	r.all.Remove(w.at)
	own.Remove(w.atOfPrefix)
	w.at, w.atOfPrefix = nil, nil
	if own.Len() == 0 {
		delete(r.prefixes, w.prefix)
	}
}

// Pressed reports whether more than a quarter of the places, or of those of the prefix of source, are taken.
func (r *WaitingRoom) Pressed(source netip.Addr) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all.Len() > r.max/4 {
		return true
	}
	own := r.prefixes[roomPrefix(source)]
	return own != nil && r.maxPrefix > 0 && own.Len() > r.maxPrefix/4
}

// HasSlot reports whether a newcomer from source would find a free place, or one whose owner has had it for at least
// hold.
func (r *WaitingRoom) HasSlot(source netip.Addr, hold time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	full := r.full(roomPrefix(source))
	return full == nil || time.Since(full.Front().Value.(*Slot).since) >= hold
}

func (r *WaitingRoom) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all.Len()
}
