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
	// IsolationShared attaches many connections to each of a few instances. A fault in an event of one connection ends
	// the instance for all of them.
	IsolationShared Isolation = "shared"

	// IsolationConnection starts an instance for each connection. A fault ends one connection.
	IsolationConnection Isolation = "connection"
)

func (i Isolation) check() error {
	switch i {
	case "", IsolationShared, IsolationConnection:
		return nil
	}
	return fmt.Errorf("isolation is %q: it must be %q or %q", string(i), IsolationShared, IsolationConnection)
}

// isolated is the pool that has an instance for each connection.
type isolated struct {
	engine *Engine
	starts chan struct{} // holds a token for each start in progress

	mu sync.Mutex

	// Guarded by mu.
	live     map[*instance]struct{}
	reserved int // instances that are live, starting or waiting to start
}

func newIsolated(e *Engine) *isolated {
	turns := make(chan struct{}, runtime.GOMAXPROCS(0))
	return &isolated{engine: e, starts: turns, live: map[*instance]struct{}{}}
}

// start starts an instance on the calling goroutine, once fewer than GOMAXPROCS others are starting.
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

// unavailable returns err as a HandlerError, with ReasonHandlerUnavailable if it has no reason.
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

// lost does nothing: the only connection of the instance closes.
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

// close ends the remaining instances.
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

// idleAfter is how long an instance of one connection has no event before the stack for its events is freed. It may
// take twice as long.
const idleAfter = 10 * time.Second

// watchIdle frees idle stacks until the engine closes.
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

// freeIdleStacks frees the stacks of instances that had no event since it last ran. It skips those that run one now.
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
