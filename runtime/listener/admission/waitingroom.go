package admission

import (
	"container/list"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// WaitingRoom bounds the connections being opened. When it is full, a new one evicts the oldest, so a client that is
// faster than the room turns over is never evicted. A prefix that has reached its maximum evicts its own.
type WaitingRoom struct {
	max       int
	maxPrefix int // from one /24 or /64; 0: no bound

	mu       sync.Mutex // guards the fields below
	all      list.List  // of *waiting, oldest first
	prefixes map[netip.Prefix]*list.List
}

// Slot is one connection in a WaitingRoom.
type Slot struct {
	prefix netip.Prefix
	evict  func()      // called once when the slot is evicted
	Busy   atomic.Bool // this side is computing for it: do not evict

	// Guarded by the room's mu.
	since      time.Time
	at         *list.Element // in all; nil: outside
	atOfPrefix *list.Element
}

// evictScan is how many of the oldest slots are searched for one that is not busy.
const evictScan = 16

// NewWaitingRoom creates a room for most connections, at most perPrefix of them from one /24 or /64, unless that is 0.
func NewWaitingRoom(most, perPrefix int) *WaitingRoom {
	return &WaitingRoom{max: most, maxPrefix: perPrefix, prefixes: make(map[netip.Prefix]*list.List)}
}

// NewSlot creates a slot for source. Without an address no prefix limit applies.
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

// Enter adds w, evicting another slot if necessary. It returns false if all candidates are busy.
func (r *WaitingRoom) Enter(w *Slot) bool {
	evicted, ok := r.swap(w)
	if evicted != nil {
		evicted.evict()
	}
	return ok
}

// swap adds w and returns the slot to evict, if any.
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

// full returns the list from which a slot must be evicted before prefix gets one, or nil if there is room. The caller
// holds mu.
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

// Leave removes w and reports whether it was still in the room.
func (r *WaitingRoom) Leave(w *Slot) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w.at == nil {
		return false
	}
	r.remove(w)
	return true
}

// remove removes w; the caller holds mu.
func (r *WaitingRoom) remove(w *Slot) {
	own := r.prefixes[w.prefix]
	r.all.Remove(w.at)
	own.Remove(w.atOfPrefix)
	w.at, w.atOfPrefix = nil, nil
	if own.Len() == 0 {
		delete(r.prefixes, w.prefix)
	}
}

// Pressed reports whether more than a quarter of the slots are taken, in all or by the prefix of source.
func (r *WaitingRoom) Pressed(source netip.Addr) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all.Len() > r.max/4 {
		return true
	}
	own := r.prefixes[roomPrefix(source)]
	return own != nil && r.maxPrefix > 0 && own.Len() > r.maxPrefix/4
}

// HasSlot reports whether a new connection from source would find a free slot, or evict one that is at least minAge
// old.
func (r *WaitingRoom) HasSlot(source netip.Addr, minAge time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	full := r.full(roomPrefix(source))
	return full == nil || time.Since(full.Front().Value.(*Slot).since) >= minAge
}

func (r *WaitingRoom) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all.Len()
}
