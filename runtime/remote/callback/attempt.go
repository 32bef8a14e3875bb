package callback

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exgate/exgate/internal/backoff"
	"github.com/exgate/exgate/runtime/remote/internal/backend"
	"github.com/exgate/exgate/runtime/remote/target"
)

// How long a call that a backend refused rests before it goes again: the pause doubles.
const (
	firstRefusalPause   = 10 * time.Millisecond
	longestRefusalPause = 250 * time.Millisecond
)

// errInterrupted is the error of an event that did not go out because its connection ended, or patience did.
var errInterrupted = errors.New("the event was interrupted while it waited for the handler")

// waitFunc begins a wait; ctx ends when it is to be given up. A nil ctx says that it is to be given up at once.
type waitFunc func() (ctx context.Context, end func())

// waitForever waits until the wait is over.
func waitForever() (context.Context, func()) { return context.Background(), func() {} }

// waitWithin waits until ctx ends.
func waitWithin(ctx context.Context) waitFunc {
	return func() (context.Context, func()) { return ctx, func() {} }
}

// traffic counts the callbacks of a client.
type traffic struct {
	inFlight prometheus.Gauge
	waiting  prometheus.Gauge
	refused  prometheus.Counter
}

// enter waits for a place at a backend's gate.
func (c *traffic) enter(gate *backend.Gate, turn *backend.Turn, wait waitFunc) error {
	if gate.TryEnter(turn) {
		return nil
	}
	ctx, end := wait()
	if ctx == nil {
		return errInterrupted
	}
	defer end()
	c.waiting.Inc()
	defer c.waiting.Dec()
	if gate.Enter(ctx, turn) != nil {
		return errInterrupted
	}
	return nil
}

// pauseBeforeRetry is the pause before a refused call goes again.
func pauseBeforeRetry(pause time.Duration, wait waitFunc) error {
	ctx, end := wait()
	if ctx == nil {
		return errInterrupted
	}
	defer end()
	if !backoff.Sleep(ctx, backoff.Jitter(pause)) {
		return errInterrupted
	}
	return nil
}

// attempt makes one call, as soon as the backend's gate admits it. The time that it waits there is not the handler's. A call that the backend has no
// stream for goes again, before calls that came later, and fails when its tries and pauses together took the time of a call.
func (d *Delivery) attempt(e event, wait waitFunc) error {
	to, err := d.backend()
	if err != nil {
		return err
	}
	c, gate := d.caller, to.Gate()
	var turn backend.Turn
	var tried time.Duration
	for pause := firstRefusalPause; ; pause = min(2*pause, longestRefusalPause) {
		if err := c.traffic.enter(gate, &turn, wait); err != nil {
			return err
		}
		c.traffic.inFlight.Inc()
		began := time.Now()
		err = e.via.Invoke(to, e.request)
		c.traffic.inFlight.Dec()
		refusal, refused := err.(*Refusal) //nolint:errorlint // invokers return it bare
		gate.Leave(refused)
		var absent *AbsentError
		if errors.As(err, &absent) {
			err = c.Failed(to, absent.Method, absent.Err, true)
		}
		if !refused {
			d.announced = d.announced || !target.Unsent(err)
			return err
		}
		c.traffic.refused.Inc()
		if tried += time.Since(began) + pause; tried > c.Timeout {
			return c.Failed(to, refusal.method, refusal.err, true)
		}
		if err := pauseBeforeRetry(pause, wait); err != nil {
			return err
		}
	}
}

// Refusal is the error of an invoker whose call the backend had no stream for. It is no failure yet.
type Refusal struct {
	method string
	err    error
}

func (r *Refusal) Error() string { return r.method + ": " + r.err.Error() }
