package remote_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/remote"
)

// A handler is killed and restarted twice while 500 devices talk. No device is closed, and nothing is lost or out of
// order.
func TestHoldOutlivesRestarts(t *testing.T) {
	inDialects(t, testHoldOutlivesRestarts, remote.DialectUnary, remote.DialectStream, remote.DialectSession)
}

func testHoldOutlivesRestarts(t *testing.T, dialect remote.Dialect) {
	const devices, rounds = 500, 3
	l := newLedger()
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	address, stop := serveFormOn(t, "", dialect, l)
	d := serveDevices(t, remote.ClientConfig{
		Name: "demo", Addresses: []string{address}, Dialect: dialect, OnFailure: remote.OnFailureHold,
		HoldTimeout: time.Minute,
	}, a)
	conns := d.connectAll(t, devices, l)
	var want strings.Builder
	say := func(s string) {
		tell(t, conns, s)
		want.WriteString(s)
	}
	for round := range rounds {
		for i := range 4 {
			say(fmt.Sprintf("<%d.%d up>", round, i))
			if i < 2 {
				gatewaytest.Eventually(t, "the handler has it", func() bool { return l.size() == devices*want.Len() })
			}
		}
		stop() // some of the remaining lines are in flight
		for i := range 4 {
			say(fmt.Sprintf("<%d.%d down>", round, i))
		}
		gatewaytest.Eventually(t, "all devices are held",
			func() bool { return d.metric(t, "exgate_handler_held_connections") == devices })
		_, stop = serveFormOn(t, address, dialect, l)
	}
	gatewaytest.Eventually(t, "everything has come", func() bool { return l.size() == devices*want.Len() })
	expectOpen(t, conns)
	for _, c := range conns {
		must(t, c.Close())
	}
	gatewaytest.Eventually(t, "all ends have come", func() bool { return l.count("closed") == devices })
	l.each(func(conn string, events []string) {
		if spoke(events) != want.String() || events[0] != "created" || events[len(events)-1] != "closed tcp_closed" {
			t.Errorf("%s: %q", conn, events)
		}
	})
	if n := d.metric(t, "exgate_handler_retries_total"); n < devices*rounds-devices {
		t.Errorf("%v retries", n)
	}
	t.Logf("%d bytes events for %d devices, %v retries", l.count("bytes"), devices,
		d.metric(t, "exgate_handler_retries_total"))
}

// With close, each device is closed at its first event, and the handler is notified of each close when it is back.
func TestCloseEndsDevicesAndTellsTheHandlerLater(t *testing.T) {
	const devices = 500
	l := newLedger()
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	address, stop := serveHandler(t, "", l)
	d := serveDevices(t, remote.ClientConfig{Name: "demo", Addresses: []string{address}}, a)
	conns := d.connectAll(t, devices, l)
	stop()
	expectOpen(t, conns)
	tell(t, conns, "x")
	for _, c := range conns {
		expectEnd(t, c)
	}
	gatewaytest.Eventually(t, "all ends wait",
		func() bool { return d.metric(t, "exgate_handler_closed_waiting") == devices })
	serveHandler(t, address, l)
	gatewaytest.Eventually(t, "all ends have come", func() bool { return l.count("closed") == devices })
	gatewaytest.Eventually(t, "nothing waits", func() bool { return d.metric(t, "exgate_handler_closed_waiting") == 0 })
	l.each(func(conn string, events []string) {
		if got := strings.Join(events, " "); got != "created closed handler_unavailable" {
			t.Errorf("%s: %s", conn, got)
		}
	})
	if n := d.metric(t, "exgate_handler_closed_undelivered_total"); n != 0 {
		t.Errorf("%v ends were given up", n)
	}
}

func expectEnd(t *testing.T, c net.Conn) {
	t.Helper()
	must(t, c.SetReadDeadline(time.Now().Add(90*time.Second)))
	if b, err := io.ReadAll(c); len(b) > 0 || isTimeout(err) {
		t.Fatalf("the device was not closed: %q, %v", b, err)
	}
}

// heldDevice returns a device whose bytes "late" wait for a handler that is down. back restarts the handler.
func heldDevice(
	t *testing.T, dialect remote.Dialect, policy remote.OnFailure,
) (d *devices, conn net.Conn, l *ledger, back func()) {
	t.Helper()
	l = newLedger()
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	address, stop := serveFormOn(t, "", dialect, l)
	log := new(gatewaytest.Log)
	d = serveDevices(t, remote.ClientConfig{
		Name: "demo", Addresses: []string{address}, Dialect: dialect, OnFailure: policy, Logger: log.Logger(),
	}, a)
	conn = d.connectAll(t, 1, l)[0]
	stop()
	// with retry, what was sent on a dead connection or stream is not known to be unsent
	d.connected(t, 0)
	if dialect == remote.DialectSession {
		gatewaytest.Eventually(t, "the stream is lost",
			func() bool { return strings.Contains(log.String(), "Session of handler") })
	}
	tell(t, []net.Conn{conn}, "late")
	gatewaytest.Eventually(t, "the device is held",
		func() bool { return d.metric(t, "exgate_handler_held_connections") == 1 })
	return d, conn, l, func() { serveFormOn(t, address, dialect, l) }
}

// expectEvents waits for the end of the only connection and compares its events.
func expectEvents(t *testing.T, l *ledger, want string) {
	t.Helper()
	gatewaytest.Eventually(t, "the end has come", func() bool { return l.count("closed") > 0 })
	l.each(func(_ string, events []string) { expect(t, "events", strings.Join(events, " "), want) })
}

func TestHeldDeviceEndsAtOnce(t *testing.T) {
	inDialects(t, testHeldDeviceEndsAtOnce, remote.DialectUnary, remote.DialectSession)
}

func testHeldDeviceEndsAtOnce(t *testing.T, dialect remote.Dialect) {
	for _, test := range []struct {
		name   string
		end    func(*testing.T, *devices, net.Conn)
		policy remote.OnFailure
		reason string
	}{
		{"it closes", func(_ *testing.T, _ *devices, c net.Conn) { c.Close() }, remote.OnFailureHold, "tcp_closed"},
		{"it resets", func(_ *testing.T, _ *devices, c net.Conn) {
			c.(*net.TCPConn).SetLinger(
				0)
			c.Close()
		}, remote.OnFailureRetry, "econnreset"},
		{"it is kicked", func(t *testing.T, d *devices, c net.Conn) {
			kick(d)
			expectEnd(t,
				c)
		}, remote.OnFailureHold, "kicked"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, conn, l, back := heldDevice(t, dialect, test.policy)
			test.end(t, d, conn)
			gatewaytest.Eventually(t, "the connection is gone", func() bool {
				for range d.gateway.Conns() {
					return false
				}
				return true
			})
			if n := d.metric(t, "exgate_handler_held_connections"); n != 0 {
				t.Errorf("%v are held", n)
			}
			back()
			expectEvents(t, l, "created +late closed "+test.reason)
		})
	}
}

func kick(d *devices) {
	for c := range d.gateway.Conns() {
		c.Close(gateway.ReasonKicked)
	}
}

// retry does not repeat what may have been processed.
func TestRetryRepeatsNothing(t *testing.T) {
	inDialects(t, testRetryRepeatsNothing, remote.DialectUnary, remote.DialectSession)
}

func testRetryRepeatsNothing(t *testing.T, dialect remote.Dialect) {
	d, conn, l, back := heldDevice(t, dialect, remote.OnFailureRetry)
	back()
	gatewaytest.Eventually(t, "what waited has come", func() bool { return l.size() == len("late") })
	expectOpen(t, []net.Conn{conn})
	conn.Close()
	expectEvents(t, l, "created +late closed tcp_closed")
	if n := d.metric(t, "exgate_handler_retries_total"); n == 0 {
		t.Error("nothing was tried again")
	}

	l, entered, leave := newStuckLedger()
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	address, stop := serveFormOn(t, "", dialect, l)
	d = serveDevices(t,
		remote.ClientConfig{
			Name: "demo", Addresses: []string{address}, Dialect: dialect, OnFailure: remote.OnFailureRetry,
		}, a)
	conn = d.connectAll(t, 1, l)[0]
	tell(t, []net.Conn{conn}, "stuck")
	<-entered
	go stop()
	expectEnd(t, conn)
	close(leave)
	d.connected(t, 0)
	serveFormOn(t, address, dialect, l)
	expectEvents(t, l, "created +stuck closed handler_unavailable")
}

// An event waits for HoldTimeout, not longer.
func TestHoldEnds(t *testing.T) {
	inDialects(t, testHoldEnds, remote.DialectUnary, remote.DialectSession)
}

func testHoldEnds(t *testing.T, dialect remote.Dialect) {
	l := newLedger()
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	address, stop := serveFormOn(t, "", dialect, l)
	d := serveDevices(t, remote.ClientConfig{
		Name: "demo", Addresses: []string{address}, Dialect: dialect, OnFailure: remote.OnFailureHold,
		HoldTimeout: 200 * time.Millisecond,
	}, a)
	conn := d.connectAll(t, 1, l)[0]
	stop()
	tell(t, []net.Conn{conn}, "x")
	expectEnd(t, conn)
	serveFormOn(t, address, dialect, l)
	expectEvents(t, l, "created closed handler_unavailable")
}

// Answers of the handler are not retried.
func TestAnswersThatWillNotHealFailAtOnce(t *testing.T) {
	for _, code := range []codes.Code{
		codes.Unimplemented, codes.InvalidArgument, codes.PermissionDenied, codes.Unauthenticated, codes.Internal,
		codes.Unknown, codes.ResourceExhausted,
	} {
		s := &script{on: func(_ context.Context, e any) error {
			if _, ok := e.(*exproto.ReceivedBytesRequest); ok {
				return status.Error(code, "no")
			}
			return nil
		}}
		a, _ := serveAdapter(t, remote.AdapterConfig{})
		address, _ := serveHandler(t, "", s)
		d := serveDevices(t,
			remote.ClientConfig{Name: "demo", Addresses: []string{address}, OnFailure: remote.OnFailureHold}, a)
		conn := d.connect(t)
		tell(t, []net.Conn{conn}, "x")
		expectEnd(t, conn)
		gatewaytest.Eventually(t, "the end has come", func() bool { return strings.Contains(s.String(), "closed") })
		if n := d.metric(t, "exgate_handler_retries_total"); n != 0 || strings.Count(s.String(), "bytes") != 1 {
			t.Errorf("%v: %v retries, %s", code, n, s)
		}
	}
}

// A gateway that stops waits neither for a held device nor, for long, for its handler.
func TestShutdownOfAHeldDevice(t *testing.T) {
	inDialects(t, testShutdownOfAHeldDevice, remote.DialectUnary, remote.DialectSession)
}

func testShutdownOfAHeldDevice(t *testing.T, dialect remote.Dialect) {
	d, conn, _, _ := heldDevice(t, dialect, remote.OnFailureHold)
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	must(t, d.shutdown(ctx))
	expectEnd(t, conn)
	if n := d.metric(t, "exgate_handler_closed_undelivered_total"); n != 1 {
		t.Errorf("%v ends were given up, want 1", n)
	}
}

// The handler is back within the grace period of the shutdown.
func TestShutdownTellsTheHandler(t *testing.T) {
	inDialects(t, testShutdownTellsTheHandler, remote.DialectUnary, remote.DialectSession)
}

func testShutdownTellsTheHandler(t *testing.T, dialect remote.Dialect) {
	d, _, l, back := heldDevice(t, dialect, remote.OnFailureHold)
	kick(d)
	back()
	must(t, d.shutdown(t.Context()))
	expectEvents(t, l, "created +late closed kicked")
}
