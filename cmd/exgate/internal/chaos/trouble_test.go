package chaos

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

const (
	bystanders = 20
	rounds     = 50 // of each, at least
)

// TestTroubleOfOne has one device flood the broker and another one never read what it gets, until it is closed for
// that. All others have each of their messages come back meanwhile.
func TestTroubleOfOne(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) {
		b := mosquitto.Start(t, mosquitto.Options{})
		g := startGateway(t, b, m.settings, smallBuffers+"\n    limits: {send_queue_bytes: 256KiB}")
		noise := startFlood(t, g.devices, "noise", "pub noise/x", 1<<30)
		go func() { _, _ = io.Copy(io.Discard, noise.conn) }()
		feed := stopReading(t, g)
		closed := func() float64 { return g.metric("exgate_connections_closed_total", "send_queue_full") }
		turns := besides(t, g, func() {
			gatewaytest.Eventually(t, "the deaf device to be closed", func() bool { return closed() > 0 })
		})
		sent := noise.written.Load()
		if err := errors.Join(feed.end(), noise.end()); err != nil {
			t.Errorf("a device that sends much was closed: %v", err)
		}
		if n := closed(); n != 1 {
			t.Errorf("%v devices were closed with what waits for them, want one", n)
		}
		t.Logf("%d rounds beside a flood of %d messages", turns, sent)
	})
}

// besides has the bystanders go their rounds during trouble, and returns how many they went.
func besides(t *testing.T, g *exgate, trouble func()) int64 {
	t.Helper()
	var group sync.WaitGroup
	var turns atomic.Int64
	var over atomic.Bool
	for i := range bystanders {
		group.Go(func() {
			n, err := goRound(g.devices, "by"+strconv.Itoa(i), &over)
			if err != nil {
				t.Errorf("bystander %d, in round %d: %v", i, n, err)
			}
			turns.Add(int64(n))
		})
	}
	defer group.Wait()
	defer over.Store(true)
	trouble()
	over.Store(true)
	group.Wait()
	return turns.Load()
}

// stopReading connects a device that reads nothing, and another one that sends it much.
func stopReading(t *testing.T, g *exgate) (feed *flood) {
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

// goRound has a device get each of its own messages back until it is over, and returns how many.
func goRound(address, id string, over *atomic.Bool) (n int, err error) {
	d, err := login(address, id)
	if err != nil {
		return 0, err
	}
	defer d.Close()
	topic := "round/" + id
	if err := d.ask("sub " + topic); err != nil {
		return 0, err
	}
	for ; n < rounds || !over.Load(); n++ {
		if err := d.write(fmt.Sprintf("pub1 %s %d\n", topic, n)); err != nil {
			return n, err
		}
		if err := d.expectBoth("ok", fmt.Sprintf("< %s %d", topic, n)); err != nil {
			return n, err
		}
	}
	return n, nil
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
