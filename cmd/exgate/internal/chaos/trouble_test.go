package chaos

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"

	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

const (
	bystanders = 20
	rounds     = 50
)

// TestTroubleOfOne has one device flood the broker and another one never read what it gets, until it is closed for that. All others have each of their
// messages come back.
func TestTroubleOfOne(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) {
		b := mosquitto.Start(t, mosquitto.Options{})
		g := startGateway(t, b, m.settings, smallBuffers+"\n    limits: {send_queue_bytes: 256KiB}")
		noise := startFlood(t, g.devices, "noise", "pub noise/x", 1<<30)
		go func() { _, _ = io.Copy(io.Discard, noise.conn) }()
		feed := goDeaf(t, g)
		var group sync.WaitGroup
		for i := range bystanders {
			group.Go(func() {
				if err := goRound(g.devices, "by"+strconv.Itoa(i)); err != nil {
					t.Errorf("bystander %d: %v", i, err)
				}
			})
		}
		gatewaytest.Eventually(t, "the deaf device to be closed", func() bool {
			return g.metric("exgate_connections_closed_total", "send_queue_full") > 0
		})
		group.Wait()
		sent := noise.written.Load()
		for _, f := range []*flood{feed, noise} {
			f.stop()
			f.group.Wait()
		}
		t.Logf("%d rounds beside a flood of %d messages", bystanders*rounds, sent)
		if n := g.metric("exgate_connections_closed_total") - g.metric("exgate_connections_closed_total", "tcp_closed"); n != 1 {
			t.Errorf("%v connections were closed by the gateway, want that of the deaf device", n)
		}
	})
}

// goDeaf connects a device that reads nothing, and one that sends it much.
func goDeaf(t *testing.T, g *exgate) (feed *flood) {
	t.Helper()
	deaf, err := login(g.devices, "deaf")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = deaf.Close() })
	if err := errors.Join(deaf.ask("sub deaf/#"), deaf.Conn.(*net.TCPConn).SetReadBuffer(smallBuffer)); err != nil {
		t.Fatal(err)
	}
	feed = startFlood(t, g.devices, "feed", "pub deaf/x", 1<<30)
	go func() { _, _ = io.Copy(io.Discard, feed.conn) }()
	return feed
}

// goRound has a device get each of its own messages back.
func goRound(address, id string) error {
	d, err := login(address, id)
	if err != nil {
		return err
	}
	defer d.Close()
	topic := "round/" + id
	if err := d.ask("sub " + topic); err != nil {
		return err
	}
	for n := range rounds {
		if err := d.write(fmt.Sprintf("pub1 %s %d\n", topic, n)); err != nil {
			return err
		}
		if err := d.expectBoth("ok", fmt.Sprintf("< %s %d", topic, n)); err != nil {
			return err
		}
	}
	return nil
}

// expectBoth reads two lines that come in either order.
func (d *device) expectBoth(a, b string) error {
	first, err := d.read()
	if err != nil {
		return err
	}
	second, err := d.read()
	if err != nil {
		return err
	}
	if (first != a || second != b) && (first != b || second != a) {
		return fmt.Errorf("got %q and %q, want %q and %q", first, second, a, b)
	}
	return nil
}
