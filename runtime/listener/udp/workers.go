package udp

import (
	"runtime"
	"sync"
	"time"
)

// growAfter is how long a peer waits for a worker before more are started.
const growAfter = time.Millisecond

// workers runs peers that have work. Workers exit when idle. As many run as there are processors, not counting those
// that wait for a handler in another process: a worker that begins such a wait is replaced at once, so there may be one
// for each peer. If peers still wait, because handlers block without saying so, the number doubles every growAfter, up
// to max.
type workers struct {
	max  int
	base int

	mu      sync.Mutex // guards the fields below
	first   *Peer      // waiting peers, linked by Peer.next
	last    *Peer
	waiting int
	running int         // workers, without those between beginWait and endWait
	most    int         // how many may run: base, or more while peers wait in spite of those
	timer   *time.Timer // runs while peers wait and most workers are running
	ticking bool
	ticks   uint64
}

func (w *workers) init(limit int) {
	w.max, w.base = max(limit, 1), min(max(limit, 1), runtime.GOMAXPROCS(0))
	w.most = w.base
	w.timer = time.AfterFunc(time.Hour, w.grow)
	w.timer.Stop()
}

// add queues a peer, which must not be queued already.
func (w *workers) add(p *Peer) {
	w.mu.Lock()
	p.next, p.since = nil, w.ticks
	if w.last == nil {
		w.first = p
	} else {
		w.last.next = p
	}
	w.last = p
	w.waiting++
	w.startUnlock()
}

// startUnlock releases mu and starts a worker if a peer waits and another worker may run.
func (w *workers) startUnlock() {
	start := w.first != nil && w.running < w.most
	if start {
		w.running++
	} else if w.first != nil && !w.ticking {
		w.ticking = true
		w.timer.Reset(growAfter)
	}
	w.mu.Unlock()
	if start {
		go w.work()
	}
}

// beginWait has another worker take the place of the calling one, which may wait until it calls endWait.
func (w *workers) beginWait() {
	w.mu.Lock()
	w.running--
	w.startUnlock()
}

// endWait ends beginWait. If too many workers run now, they exit after their peers.
func (w *workers) endWait() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running++
}

// work runs peers until none is waiting.
func (w *workers) work() {
	for p := w.take(); p != nil; p = w.take() {
		if p.run() {
			w.add(p)
		}
	}
}

// take returns the first waiting peer, or nil if the calling worker must exit.
func (w *workers) take() *Peer {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.first
	if p == nil {
		w.most = w.base
	}
	if p == nil || w.running > w.most {
		w.running--
		return nil
	}
	w.first = p.next
	if w.first == nil {
		w.last = nil
	}
	p.next = nil
	w.waiting--
	return p
}

// grow lets more workers run if the first peer has waited for a whole tick.
func (w *workers) grow() {
	w.mu.Lock()
	w.ticks++
	more := 0
	if w.first != nil && w.first.since+1 < w.ticks {
		more = max(0, min(w.running, w.waiting, w.max-w.running))
	}
	if more > 0 {
		w.running += more
		w.most = w.running
	}
	w.ticking = w.first != nil
	if w.ticking {
		w.timer.Reset(growAfter)
	}
	w.mu.Unlock()
	for range more {
		go w.work()
	}
}
