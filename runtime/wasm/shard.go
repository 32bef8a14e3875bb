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

// shard is a pool of one instance that many connections share.
type shard struct {
	engine  *Engine
	index   int
	current atomic.Pointer[instance] // nil while none is live
}

// put makes in the instance of the shard.
func (s *shard) put(in *instance) {
	in.assign(s)
	s.current.Store(in)
}

func (s *shard) label() slog.Attr { return slog.Int("shard", s.index) }

// leave detaches a connection.
func (s *shard) leave(in *instance) { in.attached.Add(-1) }

// lost replaces a dead instance by the spare one and closes its connections. It closes them on another goroutine, since
// closing a connection takes the lock of the instance, which is held here.
func (s *shard) lost(_ *instance, others []*connection) {
	s.engine.spares.replace(s)
	s.engine.starters.Go(func() { closeOthers(others, fmt.Sprintf("instance %d", s.index)) })
}

// spares keeps an instance ready for a shard that loses its own, and then starts the next one. Only failed starts back
// off.
type spares struct {
	engine *Engine

	mu sync.Mutex

	// Guarded by mu.
	ready    *instance // nil if it was taken or does not start
	empty    []*shard  // shards that wait for an instance
	starting bool
	failed   int // consecutive starts
	closed   bool
}

// replace replaces the instance of the shard: at once if one is ready, otherwise as soon as one has started. A shard
// without an instance is in empty from the first moment on, so that no new connection finds neither.
func (p *spares) replace(s *shard) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.current.Store(nil)
	if in := p.ready; in != nil && !p.closed {
		p.ready = nil
		p.fill(s, in)
	} else {
		p.empty = append(p.empty, s)
	}
	p.begin()
}

// fill puts in into s. The caller holds mu.
func (p *spares) fill(s *shard, in *instance) {
	s.put(in)
	p.engine.log.Info("guest instance restarted", "shard", s.index)
}

// refill starts a spare instance.
func (p *spares) refill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begin()
}

// begin starts the goroutine that starts instances, unless it runs or the engine closes. The caller holds mu.
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
			p.engine.log.Error("starting a guest instance", "retry_in", delay, "error",
				bounded(err.Error(), maxErrorText))
			continue
		}
		if delay = 0; p.take(in) {
			return
		}
	}
}

// fail counts a failed start, and returns the delay before the next one.
func (p *spares) fail() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed++
	return restartDelay(p.failed)
}

// expected reports whether a shard is about to get an instance: one is starting, and the last start did not fail.
func (p *spares) expected() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.empty) > 0 && p.failed == 0
}

// take gives a new instance to a shard that waits, or keeps it ready. It reports whether one is ready.
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

// close ends the spare instance. No start may be in progress.
func (p *spares) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.ready != nil {
		p.ready.close()
	}
}

// pause waits for d. It reports false if the engine closes meanwhile.
func (e *Engine) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-e.starting.Done():
	}
	return e.starting.Err() == nil
}

// restartDelay returns the delay of a start after n consecutive failures.
func restartDelay(n int) time.Duration {
	if n == 0 {
		return 0
	}
	return min(firstRestartDelay<<min(n-1, 20), maxRestartDelay)
}
