package gateway

import (
	"context"
	"fmt"
	"time"
)

// StateStore keeps one small value for each device and module, across connections and restarts.
type StateStore interface {
	// Open makes the caller the owner of the key's state and returns the value last saved, nil if there is none. It
	// sees every earlier Save, durable or not. It blocks until the store has answered or ctx ends.
	Open(ctx context.Context, key StateKey) (OwnedState, []byte, error)

	// MaxBytes returns the size of the largest value.
	MaxBytes() int
}

// OwnedState is the state of one device that is logged in. The gateway calls Close, once, before another connection
// opens the same key.
type OwnedState interface {
	// Save replaces the value; an empty one deletes it. It takes ownership of value and never blocks. done is called
	// once, on another goroutine: with [OK] once the value, or one that was saved after it, survives the loss of
	// the process.
	Save(value []byte, done Done)

	// Close ends the ownership. Values that were saved before are still written.
	Close()
}

// StateKey names the state of one device. Its parts come from outside: they are compared as whole strings, and stores
// encode them.
type StateKey struct {
	// Owner is the name of the module, or "listener/" and the name of the listener for a handler without one.
	Owner    string
	ClientID string
}

// StateKeeper is implemented by handlers that may call SaveState. State is read at the login of their devices only.
type StateKeeper interface {
	// KeepsState reports whether this handler does.
	KeepsState() bool
}

// saveEvery is the shortest time between two writes of one device's state: values that are saved meanwhile replace
// each other.
const saveEvery = 500 * time.Millisecond

// connState is the state of a device. Guarded by Conn.mu.
type connState struct {
	owned   OwnedState
	loaded  []byte        // until the result of the login has been delivered
	next    []byte        // the value to save
	pending bool          // next has a value
	waiting []*call       // the calls that saved next, or a value before it
	begun   time.Duration // when the last write began
	writing bool
	timer   *time.Timer // set while next waits for its time; nil before the first
}

// SetStateStore has the gateway keep the state of devices in s. Call it before AddListener. The caller closes s, after
// Shutdown.
func (g *Gateway) SetStateStore(s StateStore) { g.state = s }

// openState reads the state of a device that logs in, and makes the connection its owner.
func (c *Conn) openState(ctx context.Context, client string) (*connState, error) {
	k, ok := c.handler.(StateKeeper)
	if c.gw.state == nil || !ok || !k.KeepsState() {
		return nil, nil //nolint:nilnil // without state
	}
	owned, value, err := c.gw.state.Open(ctx, c.stateKey(client))
	if err != nil {
		return nil, fmt.Errorf("reading the device's state: %w", err)
	}
	return &connState{owned: owned, loaded: value, begun: c.gw.now() - saveEvery}, nil
}

func (c *Conn) stateKey(client string) StateKey {
	owner := c.topics.module
	if owner == "" {
		owner = "listener/" + c.metrics.name
	}
	return StateKey{Owner: owner, ClientID: client}
}

// State returns the device's state; see [ConnectionAdapter].
func (c *Conn) State() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == nil {
		return nil
	}
	return c.state.loaded
}

// SaveState saves the device's state; see [ConnectionAdapter].
func (c *Conn) SaveState(value []byte, done Done) Result {
	k, r := c.saveState(value, done)
	if !r.Ok() {
		c.metrics.call(callSaveState, r)
		return c.refused(callSaveState, "", r)
	}
	if k != nil {
		k.returned()
	}
	return OK
}

const callSaveState = "save_state"

func (c *Conn) saveState(value []byte, done Done) (*call, Result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.admitState(len(value), done != nil); !r.Ok() {
		return nil, r
	}
	s := c.state
	s.next, s.pending = append(s.next[:0], value...), true
	var k *call
	if done != nil {
		c.gate.calls++
		k = newCall()
		k.conn, k.name, k.done = c, callSaveState, done
		s.waiting = append(s.waiting, k)
	}
	c.writeState()
	return k, OK
}

func (c *Conn) admitState(size int, wanted bool) Result {
	switch {
	case c.closing.Load():
		return resultNotAlive
	case c.login.state != loginDone:
		return Refuse(CodePermissionDeny, "%s before authenticate succeeded", callSaveState)
	case c.state == nil:
		return Refuse(CodeUnsupported, "the gateway keeps no state (upstream.state)")
	case size > c.gw.state.MaxBytes():
		return Refuse(CodeLimit, "state of %d bytes: it may have %d (upstream.state_bytes)", size,
			c.gw.state.MaxBytes())
	case wanted && c.gate.calls >= c.limits.MaxCalls:
		return Refuse(CodeLimit, "%d calls are in progress (limits.max_calls)", c.gate.calls)
	}
	return OK
}

// writeState writes the value that waits, at once or when its time has come. The caller holds mu.
func (c *Conn) writeState() {
	s := c.state
	if s.writing || !s.pending {
		return
	}
	early := saveEvery - (c.gw.now() - s.begun)
	switch {
	case early <= 0:
		c.flushState()
	case s.timer == nil:
		s.timer = time.AfterFunc(early, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.writeState()
		})
	default:
		s.timer.Reset(early)
	}
}

// flushState hands the value that waits to the store. The caller holds mu.
func (c *Conn) flushState() {
	s := c.state
	value, calls := s.next, s.waiting
	s.next, s.pending, s.waiting = nil, false, nil
	s.begun, s.writing = c.gw.now(), true
	s.owned.Save(value, func(r Result) { c.stateSaved(calls, r) })
}

// stateSaved takes the result of the store.
func (c *Conn) stateSaved(calls []*call, r Result) {
	if len(calls) == 0 {
		c.metrics.call(callSaveState, r)
		if !r.Ok() {
			c.refused(callSaveState, "", r)
		}
	}
	for _, k := range calls {
		k.complete(r)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.writing = false
	if !c.closing.Load() {
		c.writeState()
	}
}

// close hands over the unsaved value, and ends the ownership. The caller holds mu.
func (s *connState) close(c *Conn) {
	if s == nil {
		return
	}
	if s.timer != nil {
		s.timer.Stop()
	}
	if s.pending {
		c.flushState()
	}
	s.owned.Close()
}
