package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/exgate/exgate/connectors/mqtt"
	"github.com/exgate/exgate/runtime/gateway"
)

// goodbye bounds the disconnect from the broker.
const goodbye = 2 * time.Second

// client is the MQTT client behind pub and sub.
type client struct {
	url, id, user, password string
	qos                     uint8
}

func (c *client) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&c.url, "url", "mqtt://127.0.0.1:1883", "the broker: mqtt://host:port or mqtts://host:port")
	flags.StringVar(&c.id, "id", "", "client id (default: random)")
	flags.StringVar(&c.user, "user", "", "user name")
	flags.StringVar(&c.password, "password", "",
		"password (default: the environment variable EXGATE_PASSWORD, which other users cannot see)")
	flags.Uint8Var(&c.qos, "qos", 0, "quality of service: 0, 1 or 2")
}

// session connects to the broker. end disconnects after pending publishes have been sent.
func (c *client) session(
	ctx context.Context, command string, down gateway.Downlink,
) (s gateway.Session, end func(), err error) {
	if c.qos > 2 {
		return nil, nil, usageError{fmt.Errorf("--qos must be 0, 1 or 2, not %d", c.qos)}
	}
	if c.id == "" {
		c.id = "exgate-" + command + "-" + strings.ToLower(rand.Text()[:10])
	}
	if c.password == "" {
		c.password = os.Getenv("EXGATE_PASSWORD")
	}
	silent := slog.New(slog.DiscardHandler) // failures are returned as errors
	connector, err := mqtt.New(mqtt.Config{URL: c.url, Logger: silent})
	if err != nil {
		return nil, nil, usageError{fmt.Errorf("--url: %w", err)}
	}
	s, err = connector.Connect(ctx, gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: c.id, Username: c.user}},
		c.password, down)
	if err != nil {
		return nil, nil, errors.Join(c.explain(err), connector.Close(ctx))
	}
	end = func() {
		ctx, cancel := context.WithTimeout(context.Background(), goodbye)
		defer cancel()
		s.Close()
		_ = connector.Close(ctx)
	}
	return s, end, nil
}

// explain adds what the user can do about a failed connection.
func (c *client) explain(err error) error {
	var refused *gateway.ResultError
	if errors.As(err, &refused) {
		return fmt.Errorf("%s: %s; check --user, --password and --id", c.url, refused.Result.Message)
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return fmt.Errorf("cannot reach a broker at %s: %w; start one with exgate run, or set --url", c.url, op.Err)
	}
	return fmt.Errorf("connecting to %s: %w", c.url, err)
}

// wait calls begin with a completion and waits for it.
func wait(ctx context.Context, begin func(gateway.Done)) error {
	done := make(chan gateway.Result, 1)
	begin(func(r gateway.Result) { done <- r })
	select {
	case r := <-done:
		if !r.Ok() {
			return errors.New(r.Message)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the broker did not answer: %w", context.Cause(ctx))
	}
}
