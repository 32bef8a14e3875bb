package callback

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/exgate/exgate/internal/backoff"
	"github.com/exgate/exgate/runtime/remote/target"
)

// hold tries e, which failed with err, again until that leads to something else or patience ends. Meanwhile the socket is not read.
func (d *Delivery) hold(e event, err error) error {
	c := d.caller
	ctx, end := d.wait(c.Patience)
	if ctx == nil {
		return d.keepInterrupted(e, err)
	}
	defer end()
	c.Metrics.Held.WithLabelValues(c.Name).Inc()
	defer c.Metrics.Held.WithLabelValues(c.Name).Dec()
	for pause := target.FirstPause; ; pause = min(2*pause, target.LongestPause) {
		if d.pause(ctx, backoff.Jitter(pause)) != nil {
			break
		}
		c.Metrics.Retries.WithLabelValues(c.Name).Inc()
		failed := d.attempt(e, waitWithin(ctx))
		if errors.Is(failed, errInterrupted) {
			break
		}
		if err = failed; err == nil || !c.OnFailure.Retries(err) {
			return err
		}
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return d.keepInterrupted(e, err)
	}
	return err
}

// pause waits for d, then for a backend.
func (d *Delivery) pause(ctx context.Context, pause time.Duration) error {
	if !backoff.Sleep(ctx, pause) {
		return ctx.Err()
	}
	return d.Pin.Await(ctx, d.caller.OnFailure.MoveAfter())
}

// wait begins a wait, for limit at most unless that is 0, that the end of the connection cancels. Where it has ended already, ctx is nil.
func (d *Delivery) wait(limit time.Duration) (ctx context.Context, end func()) {
	return target.WaitContext(d.Conn, limit)
}

// keepInterrupted keeps an event that the end of its connection interrupted, so that it goes out before the last one. With OnFailureClose it is dropped, like
// what the socket still held, and so it is where the handler has not heard of the connection.
func (d *Delivery) keepInterrupted(e event, err error) error {
	if d.announced && d.caller.OnFailure != target.OnFailureClose {
		d.interrupted = &event{e.via, proto.Clone(e.request)}
	}
	return err
}
