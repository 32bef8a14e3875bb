package wasm

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// Isolation is how connections share instances.
type Isolation string

// The isolations.
const (
	// IsolationShared puts many connections on each of a few instances. A fault in an event of one ends the instance for all.
	IsolationShared Isolation = "shared"

	// IsolationConnection starts an instance for each connection. A fault ends one connection.
	IsolationConnection Isolation = "connection"
)

func (i Isolation) check() error {
	switch i {
	case "", IsolationShared, IsolationConnection:
		return nil
	}
	return fmt.Errorf("isolation is %q: it may be %q or %q", string(i), IsolationShared, IsolationConnection)
}

// isolated has an instance for each connection.
type isolated struct {
	engine *Engine
	starts chan struct{} // one for each start under way

	mu sync.Mutex

	// Guarded by mu.
	live     map[*instance]struct{}
	reserved int // instances that live, start or wait for their turn
}

func newIsolated(e *Engine) *isolated {
	turns := make(chan struct{}, runtime.GOMAXPROCS(0))
	return &isolated{engine: e, starts: turns, live: map[*instance]struct{}{}}
}

// start makes an instance on the calling goroutine, when it is its turn.
func (i *isolated) start(conn string) (*instance, error) {
	if err := i.reserve(); err != nil {
		return nil, err
	}
	in, err := i.startInstance(conn)
	i.mu.Lock()
	defer i.mu.Unlock()
	if err != nil {
		i.reserved--
		i.engine.stats.faults.Add(1)
		return nil, unavailable(err)
	}
	in.assign(i)
	i.live[in] = struct{}{}
	return in, nil
}

// unavailable is err with a reason to close with, where it has none.
func unavailable(err error) error {
	if _, ok := errors.AsType[*gateway.HandlerError](err); ok {
		return err
	}
	return &gateway.HandlerError{Reason: gateway.ReasonHandlerUnavailable, Err: err}
}

func (i *isolated) reserve() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if limit := i.engine.config.Limits.Instances; i.reserved >= limit {
		i.engine.metrics.hit(limitInstances)
		err := fmt.Errorf("wasm handler %s has %d instances (limit instances)", i.engine.config.Name, limit)
		return &gateway.HandlerError{Reason: gateway.ReasonHandlerUnavailable, Err: err}
	}
	i.reserved++
	return nil
}

func (i *isolated) startInstance(conn string) (*instance, error) {
	select {
	case i.starts <- struct{}{}:
		defer func() { <-i.starts }()
	case <-i.engine.starting.Done():
		return nil, context.Cause(i.engine.starting)
	}
	in, err := newInstance(i.engine, connLabel(conn))
	if err != nil {
		return nil, fmt.Errorf("starting an instance for a connection: %w", err)
	}
	return in, nil
}

// lost does nothing: the connection of the instance leaves.
func (*isolated) lost(*instance, []*connection) {}

// leave ends the instance of a connection that has ended.
func (i *isolated) leave(in *instance) {
	in.close()
	i.mu.Lock()
	defer i.mu.Unlock()
	if _, ok := i.live[in]; ok {
		delete(i.live, in)
		i.reserved--
	}
}

// close ends the instances that are left.
func (i *isolated) close() {
	i.mu.Lock()
	left := i.live
	i.live = map[*instance]struct{}{}
	i.reserved -= len(left)
	i.mu.Unlock()
	for in := range left {
		in.close()
	}
}

// restAfter is how long an instance of one connection has no event before it gives back what only events need. It may be twice as long.
const idleAfter = 10 * time.Second

// watchIdle lets instances rest until the engine closes.
func (i *isolated) watchIdle() {
	tick := time.NewTicker(idleAfter)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			i.freeIdleStacks()
		case <-i.engine.starting.Done():
			return
		}
	}
}

// rest frees the stacks of instances that had no event since the last rest. One that is in an event is passed over.
func (i *isolated) freeIdleStacks() {
	i.mu.Lock()
	defer i.mu.Unlock()
	for in := range i.live {
		if !in.mu.TryLock() {
			continue
		}
		if !in.active {
			in.bytes = nil
		}
		in.active = false
		in.mu.Unlock()
	}
}
