package wasm

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/exgate/exgate/runtime/gateway"
)

const (
	maxApart   = 256       // instances of one kind of set-apart connections
	minApart   = 4         // however large they are
	apartBytes = 256 << 20 // memory of one kind; while they hold more, connections share the instances that are there
)

// apart has instances for connections that are kept away from the shards: one for each connection, up to a number of instances. Beyond it
// connections share those that have the fewest. Where the module starts slowly, connections wait for one start after the other.
type apart struct {
	engine       *Engine
	maxInstances int
	maxBytes     int           // of memory, beyond which there is no further instance
	starting     chan struct{} // held by the connection whose instance starts

	mu sync.Mutex

	// Guarded by mu.
	live map[*instance]struct{}
}

// newApart makes one for instances that begin with so many bytes of memory.
func newApart(e *Engine, memory uint32) *apart {
	most := max(min(apartBytes/max(int(memory), 1), maxApart, e.config.Limits.Instances), minApart)
	return &apart{engine: e, maxInstances: most, maxBytes: apartBytes, starting: make(chan struct{}, 1), live: make(map[*instance]struct{})}
}

// attach returns an instance, with the connection counted as its.
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
	if in := a.join(); in != nil { // others have started meanwhile
		return in, nil
	}
	in, err := newInstance(a.engine, slog.String("instance_of", conn))
	if err != nil {
		return nil, fmt.Errorf("starting an instance apart from the others: %w", err)
	}
	in.assign(a)
	in.attached.Store(1)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.live[in] = struct{}{}
	return in, nil
}

// join counts the connection at the instance that has the fewest, or returns nil where there may be one more.
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

// held returns the memory of all instances. It requires mu.
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

// lost takes a dead instance out and closes the connections that shared it.
func (a *apart) lost(in *instance, orphans []*connection) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.live, in)
	if len(orphans) > 0 {
		a.engine.starters.Go(func() { closeOthers(orphans, "an instance apart from the others") })
	}
}

// close ends the instances that are left.
func (a *apart) close() {
	a.mu.Lock()
	left := a.live
	a.live = make(map[*instance]struct{})
	a.mu.Unlock()
	for in := range left {
		in.close()
	}
}

func closeOthers(orphans []*connection, what string) {
	for _, c := range orphans {
		c.adapter.Close(gateway.ReasonGuestShardLost.With("another connection's event ended %s of %s", what, c.engine.config.Name))
	}
}
