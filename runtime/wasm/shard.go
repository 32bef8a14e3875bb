package wasm

import (
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	firstRestartDelay = 100 * time.Millisecond
	maxRestartDelay   = 30 * time.Second
)

// shard is a place for an instance that many connections share.
type shard struct {
	engine  *Engine
	index   int
	current atomic.Pointer[instance] // nil while none is live
}

// put makes in the shard's instance.
func (s *shard) put(in *instance) {
	in.assign(s)
	s.current.Store(in)
}

func (s *shard) label() slog.Attr { return slog.Int("shard", s.index) }

// leave takes a connection off.
func (s *shard) leave(in *instance) { in.attached.Add(-1) }

// lost takes a dead instance out, puts the spare one in its place and closes its connections, on a goroutine of its own: the lock of the
// instance is held here, and the closing of a connection takes it too.
func (s *shard) lost(_ *instance, orphans []*connection) {
	s.current.Store(nil)
	s.engine.spares.replace(s)
	s.engine.starters.Go(func() { closeOthers(orphans, fmt.Sprintf("instance %d", s.index)) })
}

// spares has an instance ready for a shard that loses its own, and starts the next. Only starts that fail are repeated later and later.
type spares struct {
	engine *Engine

	mu sync.Mutex

	// Guarded by mu.
	ready    *instance // nil: it was taken, or does not start
	empty    []*shard  // that wait for an instance
	starting bool
	failed   int // starts in a row
	closed   bool
}

// replace gives the shard an instance, at once if one is ready.
func (p *spares) replace(s *shard) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if in := p.ready; in != nil && !p.closed {
		p.ready = nil
		p.fill(s, in)
	} else {
		p.empty = append(p.empty, s)
	}
	p.begin()
}

// fill requires mu.
func (p *spares) fill(s *shard, in *instance) {
	s.put(in)
	p.engine.log.Info("guest instance restarted", "shard", s.index)
}

// refill has a spare instance started.
func (p *spares) refill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begin()
}

// begin requires mu. It has a start under way, unless the engine closes.
func (p *spares) begin() {
	if !p.starting && !p.closed {
		p.starting = true
		p.engine.starters.Go(p.start)
	}
}

// start starts instances until no shard waits and one is ready, or the engine closes.
func (p *spares) start() {
	for delay := time.Duration(0); p.engine.pause(delay); {
		in, err := newInstance(p.engine, slog.String("shard", "spare"))
		if err != nil {
			delay = p.fail()
			p.engine.log.Error("starting a guest instance", "retry_in", delay, "error", bounded(err.Error(), maxErrorText))
			continue
		}
		if delay = 0; p.take(in) {
			return
		}
	}
}

// fail counts a start that failed, and returns how long the next waits.
func (p *spares) fail() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed++
	return restartDelay(p.failed)
}

// coming reports whether a shard gets an instance as soon as that has started.
func (p *spares) expected() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.empty) > 0 && p.failed == 0
}

// take gives a new instance to a shard that waits, or keeps it ready. It reports whether that is enough.
func (p *spares) take(in *instance) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed = 0
	if len(p.empty) > 0 && !p.closed {
		p.fill(p.empty[0], in)
		p.empty = p.empty[1:]
		return false
	}
	p.ready, p.starting = in, false
	return true
}

// close ends the spare instance. No start may be under way.
func (p *spares) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.ready != nil {
		p.ready.close()
	}
}

// pause reports false where the engine closes before d has passed.
func (e *Engine) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-e.starting.Done():
	}
	return e.starting.Err() == nil
}

// restartDelay is how long a start waits after n that failed in a row.
func restartDelay(n int) time.Duration {
	if n == 0 {
		return 0
	}
	return min(firstRestartDelay<<min(n-1, 20), maxRestartDelay)
}
