package listener

import (
	"math/rand/v2"
	"net/netip"
	"sync"
)

// waitingRoom holds those that have not finished their handshake. Whoever comes when it is full takes the place of another at random: a
// client that is quick seldom loses its place, one that holds it for long always does in the end. A full prefix takes its own places only.
type waitingRoom struct {
	max       int
	maxPrefix int // from one /24 or /64; 0: no bound

	mu       sync.Mutex // guards the fields below
	all      []*waiting
	prefixes map[netip.Prefix][]*waiting
}

// waiting is a place in a room.
type waiting struct {
	prefix netip.Prefix
	evict  func() // is called, once, when another took the place

	// Guarded by the room's mu.
	inside   bool
	at       int // in all
	atPrefix int
}

func newWaitingRoom(most, perPrefix int) *waitingRoom {
	return &waitingRoom{max: most, maxPrefix: perPrefix, prefixes: make(map[netip.Prefix][]*waiting)}
}

func newWaiting(source netip.Addr, evict func()) *waiting {
	bits := 64
	if source.Is4() {
		bits = 24
	}
	prefix, _ := source.Prefix(bits)
	return &waiting{prefix: prefix, evict: evict}
}

func (r *waitingRoom) enter(w *waiting) {
	if evicted := r.swap(w); evicted != nil {
		evicted.evict()
	}
}

// swap takes a place, and returns whose it was.
func (r *waitingRoom) swap(w *waiting) (evicted *waiting) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if own := r.prefixes[w.prefix]; r.maxPrefix > 0 && len(own) >= r.maxPrefix {
		evicted = own[rand.IntN(len(own))] //nolint:gosec // nobody outside sees the sequence
	} else if len(r.all) >= r.max {
		evicted = r.all[rand.IntN(len(r.all))] //nolint:gosec // as above
	}
	if evicted != nil {
		r.remove(evicted)
	}
	own := r.prefixes[w.prefix]
	w.inside, w.at, w.atPrefix = true, len(r.all), len(own)
	r.all = append(r.all, w)
	r.prefixes[w.prefix] = append(own, w)
	return evicted
}

// leave gives the place back. It does nothing for one who lost it.
func (r *waitingRoom) leave(w *waiting) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w.inside {
		r.remove(w)
	}
}

// remove fills w's place with the last one; the caller holds mu.
func (r *waitingRoom) remove(w *waiting) {
	w.inside = false
	last := r.all[len(r.all)-1]
	r.all[w.at], last.at = last, w.at
	r.all[len(r.all)-1] = nil
	r.all = r.all[:len(r.all)-1]

	own := r.prefixes[w.prefix]
	last = own[len(own)-1]
	own[w.atPrefix], last.atPrefix = last, w.atPrefix
	own[len(own)-1] = nil
	if own = own[:len(own)-1]; len(own) == 0 {
		delete(r.prefixes, w.prefix)
		return
	}
	r.prefixes[w.prefix] = own
}

func (r *waitingRoom) size() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.all)
}
