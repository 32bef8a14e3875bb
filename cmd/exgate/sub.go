package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"unicode"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/exgate/exgate/runtime/gateway"
)

func newSub() *cobra.Command {
	var c client
	var count int
	cmd := &cobra.Command{
		Use:   "sub FILTER...",
		Short: "Subscribe to an MQTT broker and print the messages",
		Long: `Subscribes and prints each message on a line: the topic, a space and the payload. Runs until it is
interrupted, or has printed as many messages as -n says. On a terminal, control characters are escaped.`,
		Example: `  exgate sub 'demo/#'
  exgate sub -n 1 --qos 1 --user me --url mqtt://broker.example:1883 alarms/+ state/#`,
		Args: arguments(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if count < 0 {
				return usageError{fmt.Errorf("-n must not be negative: %d", count)}
			}
			return subscribe(cmd, &c, args, count)
		},
	}
	c.addFlags(cmd)
	cmd.Flags().IntVarP(&count, "count", "n", 0, "exit after this number of messages (default: no limit)")
	return cmd
}

func subscribe(cmd *cobra.Command, c *client, filters []string, count int) error {
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	in := newInbox()
	s, err := c.subscribed(ctx, in, filters)
	if err != nil {
		return err
	}
	defer s()
	fmt.Fprintf(cmd.ErrOrStderr(), "subscribed to %s at %s\n", strings.Join(filters, " "), c.url)
	err = in.print(ctx, cmd.OutOrStdout(), count)
	if dropped := in.dropped.Load(); dropped > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "%d messages were lost because they arrived faster than they could be printed\n",
			dropped)
	}
	return err
}

// subscribed opens a session and subscribes to the filters; end closes it.
func (c *client) subscribed(ctx context.Context, in *inbox, filters []string) (end func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	s, end, err := c.session(ctx, "sub", in)
	if err != nil {
		return nil, err
	}
	for _, filter := range filters {
		if err := wait(ctx, func(done gateway.Done) { s.Subscribe(filter, c.qos, done) }); err != nil {
			end()
			return nil, fmt.Errorf("subscribing to %s: %w", filter, err)
		}
	}
	return end, nil
}

// inbox holds messages to print.
type inbox struct {
	messages chan gateway.Message
	lost     chan gateway.CloseReason
	dropped  atomic.Uint64
}

var _ gateway.Downlink = (*inbox)(nil)

func newInbox() *inbox {
	return &inbox{messages: make(chan gateway.Message, 4096), lost: make(chan gateway.CloseReason, 1)}
}

func (in *inbox) Deliver(m gateway.Message) bool {
	select {
	case in.messages <- m:
		return true
	default:
		in.dropped.Add(1)
		return false
	}
}

func (in *inbox) SessionLost(reason gateway.CloseReason) {
	select {
	case in.lost <- reason:
	default:
	}
}

// print prints count messages; if count is 0, it prints until ctx ends.
func (in *inbox) print(ctx context.Context, out io.Writer, count int) error {
	show := func(text string) string { return text }
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		show = escaped
	}
	w := bufio.NewWriter(out)
	for printed := 0; count == 0 || printed < count; printed++ {
		select {
		case m := <-in.messages:
			fmt.Fprintf(w, "%s %s\n", show(m.Topic), show(string(m.Payload)))
		case reason := <-in.lost:
			return fmt.Errorf("the broker ended the session: %s", reason)
		case <-ctx.Done():
			return nil
		}
		if len(in.messages) > 0 && printed+1 != count {
			continue // one write for all queued messages
		}
		if err := w.Flush(); err != nil {
			return fmt.Errorf("printing a message: %w", err)
		}
	}
	return nil
}

// escaped escapes text that contains control characters.
func escaped(text string) string {
	if strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		return text
	}
	quoted := strconv.Quote(text)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}
