package remote

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/exgate/exgate/runtime/gateway"
)

// The pause before an event is tried again: it doubles, and half of it is chance so that devices do not come all at once.
const (
	firstPause   = 50 * time.Millisecond
	longestPause = 2 * time.Second
)

func jittered(pause time.Duration) time.Duration {
	return pause/2 + rand.N(pause/2) //nolint:gosec // a pause is no secret
}

var errClosing = &gateway.HandlerError{
	Reason: gateway.ReasonHandlerUnavailable, Err: errors.New("the connection closed while its event waited for the handler"),
}

// hold tries e, which failed with err, again until that leads to something else or patience ends. Meanwhile the socket is not read.
func (d *delivery) hold(e event, err error) error {
	c := d.client
	ctx, end := d.wait(c.patience)
	if ctx == nil {
		return d.owe(e, err)
	}
	defer end()
	c.metrics.delivery.held.WithLabelValues(c.name).Inc()
	defer c.metrics.delivery.held.WithLabelValues(c.name).Dec()
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		if d.pause(ctx, jittered(pause)) != nil {
			break
		}
		c.metrics.delivery.retries.WithLabelValues(c.name).Inc()
		failed := d.attempt(e, within(ctx))
		if errors.Is(failed, errInterrupted) {
			break
		}
		if err = failed; err == nil || !c.onFailure.again(err) {
			return err
		}
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return d.owe(e, err)
	}
	return err
}

// pause waits for d, then for a backend.
func (d *delivery) pause(ctx context.Context, pause time.Duration) error {
	if !sleep(ctx, pause) {
		return ctx.Err()
	}
	return d.pin.Await(ctx, d.client.onFailure.moves())
}

// wait begins a wait, for limit at most unless that is 0, that the end of the connection cancels. Where it has ended already, ctx is nil.
func (d *delivery) wait(limit time.Duration) (ctx context.Context, end func()) {
	return holding(d.conn, limit)
}

func holding(conn gateway.ConnectionAdapter, limit time.Duration) (ctx context.Context, end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	release := holdFor(conn, cancel)
	if release == nil {
		cancel()
		return nil, nil
	}
	limited, stop := ctx, context.CancelFunc(func() {})
	if limit > 0 {
		limited, stop = context.WithTimeout(ctx, limit)
	}
	return limited, func() {
		release()
		stop()
		cancel()
	}
}

// holdFor is Hold of a [gateway.Holder].
func holdFor(conn gateway.ConnectionAdapter, interrupt func()) (release func()) {
	if h, ok := conn.(gateway.Holder); ok {
		return h.Hold(interrupt)
	}
	return func() {}
}

// owe keeps an event that the end of its connection interrupted, so that it goes out before the last one. With OnFailureClose it is dropped, like
// what the socket still held, and so it is where the handler has not heard of the connection.
func (d *delivery) owe(e event, err error) error {
	if d.known && d.client.onFailure != OnFailureClose {
		d.owed = &event{e.via, proto.Clone(e.request)}
	}
	return err
}
