package mqtt

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/exgate/exgate/runtime/gateway"

	"github.com/exgate/exgate/connectors/mqtt/wire"
)

// server is the one that answered last.
func (b *broker) server() wire.Server { return b.servers[b.preferred.Load()] }

// open dials and connects, at the server that answered last, and at the others where that one does not take the client. Each has its part of the time
// that ctx leaves. The next call begins with the server after the last one that failed.
func (b *broker) open(ctx context.Context, c *client, cleanStart bool) (*link, error) {
	l, err := b.openAny(ctx, c, cleanStart)
	if !errors.Is(ctx.Err(), context.Canceled) {
		b.learned(err)
	}
	return l, err
}

func (b *broker) openAny(ctx context.Context, c *client, cleanStart bool) (*link, error) {
	select {
	case b.dials <- struct{}{}:
		defer func() { <-b.dials }()
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting to dial the broker %s: %w", b.server().HostPort, ctx.Err())
	}
	var errs []error
	first := int(b.preferred.Load())
	for i := range b.servers {
		at := (first + i) % len(b.servers)
		l, err := b.openAt(ctx, b.servers[at], c, cleanStart, len(b.servers)-i)
		if err == nil {
			b.preferred.Store(int32(at))
			return l, nil
		}
		errs = append(errs, err)
		if isAnswer(err) || errors.Is(ctx.Err(), context.Canceled) {
			break
		}
		b.preferred.CompareAndSwap(int32(at), int32((at+1)%len(b.servers)))
		if ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(errs...)
}

// isAnswer reports whether another server of the broker would say the same.
func isAnswer(err error) bool {
	var refused *gateway.ResultError
	return errors.As(err, &refused) && !wire.IsElsewhere(err)
}

// openAt is one of left attempts.
func (b *broker) openAt(ctx context.Context, s wire.Server, c *client, cleanStart bool, left int) (*link, error) {
	timeout := b.cfg.ConnectTimeout
	if deadline, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(deadline)/time.Duration(left))
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	before := c.willRefused.Swap(false)
	l, err := c.openOnce(ctx, s, cleanStart)
	for range 2 { // with a will that the broker takes: not retained, of QoS 0
		if refused := (*wire.RefusalError)(nil); !errors.As(err, &refused) || !refused.IsAboutWill() || !c.status.isSet() {
			break
		}
		l, err = c.openOnce(ctx, s, cleanStart)
	}
	if c.rival == insists && c.status.isSet() {
		if refused := (*wire.RefusalError)(nil); errors.As(err, &refused) && !wire.IsElsewhere(err) {
			return c.openWithoutWill(ctx, s, cleanStart, err, before)
		}
	}
	return l, err
}

// openWithoutWill has the gateway's own client connect without its status where the broker does not let it connect with it: shared sessions, the spool
// and RawPublish need the client, and the status is only told.
func (c *client) openWithoutWill(ctx context.Context, s wire.Server, cleanStart bool, refused error, logged bool) (*link, error) {
	c.willRefused.Store(true)
	l, err := c.openOnce(ctx, s, cleanStart)
	if err != nil {
		c.willRefused.Store(false)
		return nil, refused
	}
	if !logged {
		c.broker.log.Error("the broker refuses the gateway's status; the gateway connects without one (upstream.gateway_status)",
			"topic", c.status.Topic, "client_id", c.id, "broker", s.HostPort, "error", refused)
	}
	return l, nil
}

func (c *client) openOnce(ctx context.Context, s wire.Server, cleanStart bool) (*link, error) {
	conn, err := s.Dial(ctx)
	if err != nil {
		return nil, err
	}
	n := c.broker.logins.begin(c)
	l, err := c.handshake(ctx, newLink(c, conn), s, cleanStart)
	c.broker.logins.finish(n, err)
	return l, err
}
