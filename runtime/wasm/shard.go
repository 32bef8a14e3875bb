package wasm

import (
	"sync/atomic"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

const (
	firstRestartDelay = 100 * time.Millisecond
	maxRestartDelay   = 30 * time.Second
	steadyAfter       = time.Minute // an instance that lived so long is replaced at once
)

// shard is a place for an instance.
type shard struct {
	engine  *Engine
	index   int
	current atomic.Pointer[instance] // nil while none is live

	// Owned by New, then by the goroutine of replace.
	started  time.Time
	restarts int // since an instance lived long
}

// start makes an instance and puts it in place.
func (s *shard) start() error {
	in, err := newInstance(s.engine, s, "")
	if err != nil {
		return err
	}
	s.started = time.Now()
	s.current.Store(in)
	return nil
}

// lost takes a dead instance out, closes its connections and starts another, all on a goroutine of its own: it is called with the lock
// of the instance held, which the closing of a connection takes too.
func (s *shard) lost(orphans []*connection) {
	s.current.Store(nil)
	s.engine.starters.Go(func() {
		reason := gateway.ReasonGuestShardLost.With("another connection's event ended instance %d of %s", s.index, s.engine.config.Name)
		for _, c := range orphans {
			c.adapter.Close(reason)
		}
		s.replace()
	})
}

// replace starts an instance, later the more often that was needed, until one runs or the engine closes.
func (s *shard) replace() {
	if time.Since(s.started) > steadyAfter {
		s.restarts = 0
	}
	for {
		if !s.wait(restartDelay(s.restarts)) {
			return
		}
		s.restarts++
		restarts := s.restarts // once the instance runs, the next goroutine of replace may own the rest
		err := s.start()
		if err == nil {
			s.engine.log.Info("guest instance restarted", "shard", s.index, "restarts", restarts)
			return
		}
		s.engine.log.Error("starting a guest instance", "shard", s.index, "retry_in", restartDelay(restarts), "error", bounded(err.Error(), maxErrorText))
	}
}

// wait reports false where the engine closes first.
func (s *shard) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.engine.starting.Done():
	}
	return s.engine.starting.Err() == nil
}

// restartDelay is how long the start after n restarts in a row waits.
func restartDelay(n int) time.Duration {
	if n == 0 {
		return 0
	}
	return min(firstRestartDelay<<min(n-1, 20), maxRestartDelay)
}
