package backend

import (
	"container/heap"
	"context"
	"math"
	"sync"
)

// unlimited is the number of streams of a server that names none.
const unlimited = math.MaxUint32

// Gate admits the calls to a backend, in the order in which they came: as many at a time as the backend allows streams and the pool calls. What waits
// here has not been sent, so its time has not begun.
type Gate struct {
	mu      sync.Mutex
	share   int64 // of the pool's calls
	streams int64 // the server's MAX_CONCURRENT_STREAMS
	kept    int64 // streams that stay open
	bound   int64 // what refusals taught; unlimited without any
	taken   int64 // calls since bound was changed last, which the server took
	inside  int64
	waiting waiters
	last    uint64 // the newest turn's number
}

// Turn is the place of a call in the order. The zero value is a new call. A call that comes back goes before those that came later.
type Turn struct{ number uint64 }

func newGate() *Gate { return &Gate{share: unlimited, streams: unlimited, bound: unlimited} }

// TryEnter enters if that needs no wait.
func (g *Gate) TryEnter(t *Turn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.tryEnter(t)
}

func (g *Gate) tryEnter(t *Turn) bool {
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

// Enter waits until the call may be made, or until ctx ends.
func (g *Gate) Enter(ctx context.Context, t *Turn) error {
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

// Leave ends a call that entered. refused says that the server had no stream for it: no more calls are made at once than the server took, until it
// takes more.
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

// most is how many calls may be inside; the caller holds mu.
func (g *Gate) most() int64 { return max(1, min(g.share, g.streams-g.kept, g.bound)) }

// admit lets those in who may enter; the caller holds mu.
func (g *Gate) admit() {
	for len(g.waiting) > 0 && g.inside < g.most() {
		g.inside++
		close(heap.Pop(&g.waiting).(*waiter).admitted)
	}
}

// Keep takes a stream that stays open for a long time, if at most half of the server's streams are such, until release.
func (g *Gate) Keep() (release func(), ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.kept+1 > g.streams/2 {
		return nil, false
	}
	g.kept++
	return g.release, true
}

// Occupy is Keep for a stream that is open already, whatever else is kept.
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

// Streams is how many streams the server allows on a connection.
func (g *Gate) Streams() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.streams
}

// learn takes the number of streams that the server allows on a new connection, or from now on.
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

// waiter is a call that waits; at is its index in the heap, -1 once it was admitted.
type waiter struct {
	number   uint64
	at       int
	admitted chan struct{}
}

// waiters is a heap with the oldest turn first.
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
