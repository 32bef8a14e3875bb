package mqtt

import (
	"context"
	"errors"
	"fmt"

	"github.com/exgate/exgate/connectors/internal/spool"
	"github.com/exgate/exgate/runtime/gateway"
)

// Refused is a message that a device was told is safe, and for which the broker ends connections. It is in a file of its own below the spool's folder.
type Refused = spool.Aside

// ListRefused returns the refused messages below a spool's folder, the oldest first. A gateway may run with that folder meanwhile.
func ListRefused(folder string) ([]Refused, error) { return spool.ListAside(folder) }

// DropRefused deletes a refused message.
func DropRefused(folder, id string) error { return spool.DropAside(folder, id) }

// ResendRefused publishes a message with the gateway's own account, and returns nil once the broker has it. It takes part of cfg alone: no spool is
// opened and no status published.
func ResendRefused(ctx context.Context, cfg Config, m Refused) (err error) {
	cfg.Spool, cfg.DeviceStatus, cfg.GatewayStatus = SpoolConfig{}, Status{}, Status{}
	cfg.Node += "-resend"
	c, err := New(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close(ctx)) }()
	house := c.houseClient()
	done := make(chan gateway.Result, 1)
	house.submit(call{
		kind: publishing, topic: m.Topic, qos: m.QoS, payload: m.Payload, props: m.Properties, lane: &house.house,
		done: func(r gateway.Result) { done <- r },
	})
	select {
	case r := <-done:
		if !r.Ok() {
			return &gateway.ResultError{Result: r}
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the broker has not acknowledged the message: %w", errors.Join(house.lastFailure(), ctx.Err()))
	}
}
