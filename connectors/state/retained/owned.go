package retained

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// owned is the state of a device that is logged in at this gateway.
type owned struct {
	store   *Store
	topic   string
	arrived chan struct{} // capacity 1: a message of another owner has arrived before the claim
	echoed  chan struct{} // capacity 1: the broker has sent the claim back
	idle    chan struct{} // closed when it is closed and the last save is done

	mu         sync.Mutex
	current    record // what this owner has written last, or has read; guarded by mu, as all below
	dirty      bool   // another owner has written since the claim was encoded
	claimed    bool   // the broker has sent the claim back: what earlier owners write from now on is late
	superseded bool   // a later owner has written
	closed     bool
	saves      []save
	running    bool // a goroutine writes saves
}

// save is a value that waits to be written.
type save struct {
	payload []byte
	done    gateway.Done
}

const errNoAnswer = "the broker did not answer: %w"

// claim reads the retained message and writes it again with a higher generation, until no other owner has written in
// between.
func (o *owned) claim(ctx context.Context) error {
	session, err := o.store.open(ctx)
	if err != nil {
		return err
	}
	if err := wait(ctx, func(done gateway.Done) { session.Subscribe(o.topic, 0, done) }); err != nil {
		return fmt.Errorf("subscribing to %s: %w", o.topic, err)
	}
	late := time.NewTimer(grace)
	defer late.Stop()
	select {
	case <-o.arrived:
	case <-late.C:
	case <-ctx.Done():
		return fmt.Errorf(errNoAnswer, ctx.Err())
	}
	for {
		if err := wait(ctx, func(done gateway.Done) { publish(session, o.topic, o.next(), done) }); err != nil {
			return fmt.Errorf("publishing to %s: %w", o.topic, err)
		}
		select {
		case <-o.echoed:
		case <-ctx.Done():
			return fmt.Errorf(errNoAnswer, ctx.Err())
		}
		if o.claims() {
			return nil
		}
	}
}

// next encodes the next claim.
func (o *owned) next() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.current.generation++
	o.dirty = false
	return o.current.encode()
}

// claims reports whether the last claim stands.
func (o *owned) claims() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.claimed = !o.dirty
	return o.claimed
}

func publish(session gateway.Session, topic string, payload []byte, done gateway.Done) {
	session.Publish(topic, 1, payload, &gateway.Properties{Retain: true}, done)
}

// wait makes a call of the session and returns its result.
func wait(ctx context.Context, call func(gateway.Done)) error {
	result := make(chan gateway.Result, 1)
	call(func(r gateway.Result) { result <- r })
	select {
	case r := <-result:
		if !r.Ok() {
			return &gateway.ResultError{Result: r}
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf(errNoAnswer, ctx.Err())
	}
}

func (o *owned) isClaimed() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.claimed
}

// seen takes a message of the topic: the retained one, what this owner has written, or what another one has.
func (o *owned) seen(r record) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch own := r.owner == o.current.owner; {
	case own && !o.claimed && r.generation == o.current.generation:
		notify(o.echoed)
	case own:
	case !o.claimed:
		o.current.generation, o.current.value = max(o.current.generation, r.generation), r.value
		o.dirty = true
		notify(o.arrived)
	case !r.before(o.current):
		o.superseded = true
	case !o.superseded && !o.closed: // written late
		o.add(save{o.current.encode(), func(gateway.Result) {}})
	}
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

var (
	resultSuperseded = gateway.Refuse(gateway.CodeConnProcessNotAlive, "the device is logged in at another gateway")
	resultUnreached  = gateway.Refuse(gateway.CodeUnknown, "the broker cannot be reached to save the state")
)

// Save implements [gateway.OwnedState].
func (o *owned) Save(value []byte, done gateway.Done) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.superseded || o.closed {
		go done(resultSuperseded)
		return
	}
	o.current.value = value
	o.add(save{o.current.encode(), done})
}

// add queues a save; the caller holds mu.
func (o *owned) add(s save) {
	o.saves = append(o.saves, s)
	if !o.running {
		o.running = true
		go o.run()
	}
}

// run writes the saves, one after the other.
func (o *owned) run() {
	for {
		o.mu.Lock()
		if len(o.saves) == 0 {
			o.running = false
			last := o.closed
			o.mu.Unlock()
			if last {
				o.store.forget(o)
			}
			return
		}
		s := o.saves[0]
		o.saves = o.saves[1:]
		o.mu.Unlock()
		s.done(o.write(s.payload))
	}
}

// saveTimeout bounds the opening of a session for a save.
const saveTimeout = 5 * time.Second

func (o *owned) write(payload []byte) gateway.Result {
	ctx, cancel := context.WithTimeout(context.Background(), saveTimeout)
	defer cancel()
	session, err := o.store.open(ctx)
	if err != nil {
		return resultUnreached
	}
	if o.isSuperseded() {
		return resultSuperseded
	}
	result := make(chan gateway.Result, 1)
	publish(session, o.topic, payload, func(r gateway.Result) { result <- r })
	r := <-result
	if r.Ok() && o.isSuperseded() {
		return resultSuperseded // the later owner writes its value again
	}
	return r
}

func (o *owned) isSuperseded() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.superseded
}

// Close implements [gateway.OwnedState].
func (o *owned) Close() {
	o.mu.Lock()
	first := !o.closed
	o.closed = true
	last := first && !o.running
	o.mu.Unlock()
	if last {
		o.store.forget(o)
	}
}
