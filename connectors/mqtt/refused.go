package mqtt

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/exgate/exgate/connectors/internal/spool"
	"github.com/exgate/exgate/runtime/gateway"

	"github.com/exgate/exgate/connectors/mqtt/wire"
)

// Refused is a message that a device was told is safe, and for which the broker ends connections. It is in a file of its own below the spool's folder.
type Refused = spool.Aside

// ListRefused returns the refused messages below a spool's folder, the oldest first, and an error for the files that it cannot read. A
// gateway may run with that folder meanwhile.
func ListRefused(folder string) ([]Refused, error) { return spool.ListAside(folder) }

// DropRefused deletes a refused message.
func DropRefused(folder, id string) error { return spool.DropAside(folder, id) }

// resendGoodbye bounds closing the connection of ResendRefused.
const resendGoodbye = 2 * time.Second

// ResendRefused publishes a message with the gateway's own account, and returns nil once the broker has it. Where the broker ends the connection for it
// once more, that is the error. It takes part of cfg alone: no spool is opened and no status published.
func ResendRefused(ctx context.Context, cfg Config, m Refused) (err error) {
	cfg.Spool, cfg.DeviceStatus, cfg.GatewayStatus = SpoolConfig{}, Status{}, Status{}
	cfg.Node += "-resend"
	c, err := New(cfg)
	if err != nil {
		return err
	}
	defer func() {
		bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), resendGoodbye)
		defer cancel()
		err = errors.Join(err, c.Close(bye))
	}()
	p := c.broker.theProber()
	done := make(chan verdict, 1)
	c.broker.tryElsewhere(call{
		kind: publishing, topic: m.Topic, qos: m.QoS, payload: m.Payload, props: m.Properties, spooled: true, ends: convictAt - 1,
	}, func(v verdict) { done <- v })
	select {
	case v := <-done:
		return resendResult(m, v)
	case <-ctx.Done():
		return fmt.Errorf("the broker has not acknowledged the message: %w", errors.Join(p.lastFailure(), ctx.Err()))
	}
}

func resendResult(m Refused, v verdict) error {
	switch {
	case v.unavailable:
		return errors.New("the broker does not let the gateway connect (upstream.username)")
	case v.convicted != nil:
		return fmt.Errorf("the broker ended the connection for the publish to %.200q: %v", m.Topic, *v.convicted)
	}
	if r := wire.ResultOf("publish to", m.Topic, v.reason); !r.Ok() {
		return &gateway.ResultError{Result: r}
	}
	return nil
}
