package wasm

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/exgate/exgate/runtime/gateway"
)

const (
	maxApart   = 256       // instances of one pool
	minApart   = 4         // instances, however large they are
	apartBytes = 256 << 20 // memory of one pool; above it, connections share its instances
)

// apart is a pool for connections that are kept apart from the shards. Each gets an instance of its own, up to a number
// of instances; beyond it, a new connection joins the instance that has the fewest. One instance starts at a time.
type apart struct {
	engine       *Engine
	maxInstances int
	maxBytes     int           // of memory, above which no instance is started
	starting     chan struct{} // held by the connection whose instance starts

	mu sync.Mutex

	// Guarded by mu.
	live map[*instance]struct{}
}

// newApart creates a pool of instances that start with that many bytes of memory.
func newApart(e *Engine, memory uint32) *apart {
	most := max(min(apartBytes/max(int(memory), 1), maxApart, e.config.Limits.Instances), minApart)
	return &apart{
		engine: e, maxInstances: most, maxBytes: apartBytes, starting: make(chan struct{}, 1),
		live: make(map[*instance]struct{}),
	}
}

// attach returns an instance and counts the connection as attached to it.
func (a *apart) attach(conn string) (*instance, error) {
	if in := a.join(); in != nil {
		return in, nil
	}
	select {
	case a.starting <- struct{}{}:
		defer func() { <-a.starting }()
	case <-a.engine.starting.Done():
		return nil, context.Cause(a.engine.starting)
	}
	if in := a.join(); in != nil { // another connection has started one meanwhile
		return in, nil
	}
	in, err := newInstance(a.engine, slog.String("instance_of", conn))
	if err != nil {
		return nil, fmt.Errorf("starting a separate instance: %w", err)
	}
	in.assign(a)
	in.attached.Store(1)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.live[in] = struct{}{}
	return in, nil
}

// join attaches the connection to the instance that has the fewest, or returns nil if one more may be started.
func (a *apart) join() (best *instance) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.live) < a.maxInstances && (len(a.live) < minApart || a.memory() < a.maxBytes) {
		return nil
	}
	for in := range a.live {
		if best == nil || in.attached.Load() < best.attached.Load() {
			best = in
		}
	}
	best.attached.Add(1)
	return best
}

// memory returns the memory of all instances, in bytes. The caller holds mu.
func (a *apart) memory() (bytes int) {
	for in := range a.live {
		bytes += int(in.size.Load())
	}
	return bytes
}

// leave ends an instance with its last connection.
func (a *apart) leave(in *instance) {
	a.mu.Lock()
	last := in.attached.Add(-1) == 0
	if last {
		delete(a.live, in)
	}
	a.mu.Unlock()
	if last {
		in.close()
	}
}

// lost removes a dead instance and closes the other connections that it had.
func (a *apart) lost(in *instance, others []*connection) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.live, in)
	if len(others) > 0 {
		a.engine.starters.Go(func() { closeOthers(others, "a separate instance") })
	}
}

// close ends the remaining instances.
func (a *apart) close() {
	a.mu.Lock()
	left := a.live
	a.live = make(map[*instance]struct{})
	a.mu.Unlock()
	for in := range left {
		in.close()
	}
}

func closeOthers(others []*connection, what string) {
	for _, c := range others {
		c.adapter.Close(
			gateway.ReasonGuestShardLost.With("another connection's event ended %s of %s", what, c.engine.config.Name),
		)
	}
}
