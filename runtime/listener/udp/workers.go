package udp

import (
	"runtime"
	"sync"
	"time"
)

// growAfter is how long a peer waits for a worker before more are started.
const growAfter = time.Millisecond

// workers runs peers that have work. Workers exit when idle. There are as many as processors while no handler blocks;
// if peers still wait, because handlers block, their number doubles every growAfter, up to max.
type workers struct {
	max  int
	base int

	mu      sync.Mutex // guards the fields below
	first   *Peer      // waiting peers, linked by Peer.next
	last    *Peer
	waiting int
	running int
	timer   *time.Timer // runs while peers wait and base workers are running
	ticking bool
	ticks   uint64
}

func (w *workers) init(limit int) {
	w.max, w.base = max(limit, 1), min(max(limit, 1), runtime.GOMAXPROCS(0))
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
	start := w.running < w.base
	if start {
		w.running++
	} else if !w.ticking && w.running < w.max {
		w.ticking = true
		w.timer.Reset(growAfter)
	}
	w.mu.Unlock()
	if start {
		go w.work()
	}
}

// work runs peers until none is waiting.
func (w *workers) work() {
	for p := w.take(); p != nil; p = w.take() {
		if p.run() {
			w.add(p)
		}
	}
}

func (w *workers) take() *Peer {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.first
	if p == nil {
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

// grow starts more workers if the first peer has waited for a whole tick.
func (w *workers) grow() {
	w.mu.Lock()
	w.ticks++
	more := 0
	if w.first != nil && w.first.since+1 < w.ticks {
		more = min(w.running, w.waiting, w.max-w.running)
	}
	w.running += more
	w.ticking = w.first != nil && w.running < w.max
	if w.ticking {
		w.timer.Reset(growAfter)
	}
	w.mu.Unlock()
	for range more {
		go w.work()
	}
}
