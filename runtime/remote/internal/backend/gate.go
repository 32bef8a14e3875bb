package backend

import (
	"container/heap"
	"context"
	"math"
	"sync"
)

// unlimited is the number of streams if the server sends no limit.
const unlimited = math.MaxUint32

// Gate admits calls to a backend in the order of their arrival: as many concurrently as both the backend's streams and
// the pool's MaxCalls allow. The time of a call begins after the gate.
type Gate struct {
	mu      sync.Mutex
	share   int64 // the share of the pool's MaxCalls
	streams int64 // the server's MAX_CONCURRENT_STREAMS
	kept    int64 // streams that stay open
	bound   int64 // learned from refusals; unlimited without any
	taken   int64 // calls that the server accepted since bound last changed
	inside  int64
	waiting waiters
	last    uint64 // of the newest ticket
}

// Ticket is a call's place in the order. The zero value is a new call. A call that is repeated goes before those that
// came later.
type Ticket struct{ number uint64 }

func newGate() *Gate { return &Gate{share: unlimited, streams: unlimited, bound: unlimited} }

// TryEnter enters if no wait is needed.
func (g *Gate) TryEnter(t *Ticket) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.tryEnter(t)
}

func (g *Gate) tryEnter(t *Ticket) bool {
	if t.number == 0 {
		g.last++
		t.number = g.last
	}
	if g.inside >= g.most() || len(g.waiting) > 0 && g.waiting[0].number < t.number {
		return false
	}
	g.inside++
	return true
}

// Enter waits until the call may be made or ctx ends.
func (g *Gate) Enter(ctx context.Context, t *Ticket) error {
	g.mu.Lock()
	if g.tryEnter(t) {
		g.mu.Unlock()
		return nil
	}
	w := &waiter{number: t.number, admitted: make(chan struct{})}
	heap.Push(&g.waiting, w)
	g.mu.Unlock()
	select {
	case <-w.admitted:
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if w.at < 0 { // it was admitted meanwhile
		g.inside--
	} else {
		heap.Remove(&g.waiting, w.at)
	}
	g.admit()
	return ctx.Err()
}

// Leave ends a call that entered. refused says that the server had no stream for it: concurrent calls are then limited
// to what the server accepted, until it accepts more.
func (g *Gate) Leave(refused bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	switch {
	case refused:
		g.bound, g.taken = max(1, min(g.bound, g.inside)), 0
	case g.bound < unlimited:
		if g.taken++; g.taken >= g.bound {
			g.bound, g.taken = g.bound+1, 0
		}
	}
	g.admit()
}

// most returns how many calls may be inside; the caller holds mu.
func (g *Gate) most() int64 { return max(1, min(g.share, g.streams-g.kept, g.bound)) }

// admit admits waiting calls; the caller holds mu.
func (g *Gate) admit() {
	for len(g.waiting) > 0 && g.inside < g.most() {
		g.inside++
		close(heap.Pop(&g.waiting).(*waiter).admitted)
	}
}

// Keep takes a stream that stays open for long, until release, provided that at most half of the server's streams are
// such.
func (g *Gate) Keep() (release func(), ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.kept+1 > g.streams/2 {
		return nil, false
	}
	g.kept++
	return g.release, true
}

// Occupy is like Keep for a stream that is open already; it always succeeds.
func (g *Gate) Occupy() (release func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.kept++
	return g.release
}

func (g *Gate) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.kept--
	g.admit()
}

// Streams returns how many streams the server allows on a connection.
func (g *Gate) Streams() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.streams
}

// learn sets the number of streams that the server allows on a connection.
func (g *Gate) learn(streams uint32) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.streams, g.bound, g.taken = int64(streams), unlimited, 0
	g.admit()
}

func (g *Gate) setShare(calls int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.share = int64(calls)
	g.admit()
}

// waiter is a waiting call; at is its index in the heap, or -1 once admitted.
type waiter struct {
	number   uint64
	at       int
	admitted chan struct{}
}

// waiters is a heap with the oldest ticket first.
type waiters []*waiter

func (w waiters) Len() int           { return len(w) }
func (w waiters) Less(i, j int) bool { return w[i].number < w[j].number }

func (w waiters) Swap(i, j int) {
	w[i], w[j] = w[j], w[i]
	w[i].at, w[j].at = i, j
}

func (w *waiters) Push(x any) {
	added := x.(*waiter)
	added.at = len(*w)
	*w = append(*w, added)
}

func (w *waiters) Pop() any {
	last := len(*w) - 1
	oldest := (*w)[last]
	*w, oldest.at = (*w)[:last], -1
	return oldest
}
