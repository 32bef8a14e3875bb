package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/exgate/exgate/runtime/gateway"
)

// maxPayload is the largest payload that MQTT allows.
const maxPayload = 256 << 20

func newPub() *cobra.Command {
	var c client
	var stdin bool
	cmd := &cobra.Command{
		Use:   "pub TOPIC [PAYLOAD]",
		Short: "Publish a message to an MQTT broker",
		Long: `Publishes one message and exits when it has been sent, or with --qos 1 or 2 when the broker has
acknowledged it. Without PAYLOAD, the message is empty; with --stdin, it is read from standard input.`,
		Example: `  exgate pub demo/hello 'good morning'
  exgate pub --qos 1 --url mqtt://broker.example:1883 demo/hello hi
  exgate pub --stdin firmware/7 < firmware.bin`,
		Args: arguments(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if strings.ContainsAny(args[0], "+#") {
				return usageError{fmt.Errorf("TOPIC must not contain + or #: %q", args[0])}
			}
			payload, err := payloadOf(cmd, args[1:], stdin)
			if err != nil {
				return err
			}
			return publish(cmd.Context(), &c, args[0], payload)
		},
	}
	c.addFlags(cmd)
	cmd.Flags().BoolVar(&stdin, "stdin", false, "read the payload from standard input")
	return cmd
}

func payloadOf(cmd *cobra.Command, args []string, stdin bool) ([]byte, error) {
	if !stdin {
		if len(args) == 0 {
			return nil, nil
		}
		return []byte(args[0]), nil
	}
	if len(args) != 0 {
		return nil, usageError{errors.New("PAYLOAD and --stdin are mutually exclusive")}
	}
	payload, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), maxPayload+1))
	if err != nil {
		return nil, fmt.Errorf("reading the payload from standard input: %w", err)
	}
	if len(payload) > maxPayload {
		return nil, fmt.Errorf("the payload is larger than the %d MiB that MQTT allows", maxPayload>>20)
	}
	return payload, nil
}

// answerTimeout bounds the wait for the broker.
const answerTimeout = 10 * time.Second

func publish(ctx context.Context, c *client, topic string, payload []byte) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	s, end, err := c.session(ctx, "pub", nobody{})
	if err != nil {
		return err
	}
	defer end()
	err = wait(ctx, func(done gateway.Done) { s.Publish(topic, c.qos, payload, nil, done) })
	if err != nil {
		return fmt.Errorf("publishing to %s: %w", topic, err)
	}
	return nil
}

// nobody is a Downlink that receives no messages.
type nobody struct{}

func (nobody) Deliver(gateway.Message) bool      { return false }
func (nobody) SessionLost(_ gateway.CloseReason) {}
