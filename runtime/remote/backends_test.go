package remote_test

import (
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/remote"
)

// pair is two backends of one handler, with 40 devices between them.
type pair struct {
	*devices
	ledgers [2]*ledger
	stop    [2]func()
	conns   []net.Conn
}

func newPair(t *testing.T, dialect remote.Dialect, policy remote.OnFailure) *pair {
	t.Helper()
	p := &pair{ledgers: [2]*ledger{newLedger(), newLedger()}}
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	var addresses [2]string
	for i, l := range p.ledgers {
		addresses[i], p.stop[i] = serveFormOn(t, "", dialect, l)
	}
	p.devices = serveDevices(t,
		remote.ClientConfig{Name: "demo", Addresses: addresses[:], Dialect: dialect, OnFailure: policy}, a)
	p.connected(t, 2)
	for range 40 {
		p.conns = append(p.conns, p.connect(t))
	}
	gatewaytest.Eventually(t, "all devices are known",
		func() bool { return p.count("created") == 40 && p.metric(t, "exgate_handler_calls_in_flight") == 0 })
	for i, l := range p.ledgers {
		if n := l.count("created"); n != 20 {
			t.Fatalf("backend %d has %d of 40 devices", i, n)
		}
	}
	return p
}

func (p *pair) count(kind string) int { return p.ledgers[0].count(kind) + p.ledgers[1].count(kind) }

// All events of a connection go to one backend.
func TestConnectionsStayAtTheirBackend(t *testing.T) {
	inDialects(t, testConnectionsStayAtTheirBackend, remote.DialectUnary, remote.DialectSession)
}

func testConnectionsStayAtTheirBackend(t *testing.T, dialect remote.Dialect) {
	p := newPair(t, dialect, "")
	for round := 1; round <= 5; round++ {
		tell(t, p.conns, strconv.Itoa(round))
		gatewaytest.Eventually(t, "it has come",
			func() bool { return p.ledgers[0].size()+p.ledgers[1].size() == 40*round })
	}
	for _, c := range p.conns {
		must(t, c.Close())
	}
	gatewaytest.Eventually(t, "all ends have come", func() bool { return p.count("closed") == 40 })
	for _, l := range p.ledgers {
		l.each(func(conn string, events []string) {
			expect(t, conn, strings.Join(events, " "), "created +1 +2 +3 +4 +5 closed tcp_closed")
		})
	}
}

// With close, a lost backend costs its own devices only; their ends are delivered to the other backend.
func TestLostBackendClosesItsDevices(t *testing.T) {
	p := newPair(t, remote.DialectUnary, remote.OnFailureClose)
	p.stop[0]()
	p.connected(t, 1)
	tell(t, p.conns, "x")
	gatewaytest.Eventually(t, "the others have been heard", func() bool { return p.ledgers[1].count("bytes") == 20 })
	gatewaytest.Eventually(t, "the ends have come", func() bool { return p.ledgers[1].count("closed") == 20 })
	p.ledgers[1].each(func(conn string, events []string) {
		if got := strings.Join(events, " "); got != "created +x" && got != "closed handler_unavailable" {
			t.Errorf("%s: %s", conn, got)
		}
	})
	p.ledgers[0].each(func(conn string, events []string) { expect(t, conn, strings.Join(events, " "), "created") })
}

// With hold, they move to the other backend once theirs has been lost for a while.
func TestHeldDevicesMove(t *testing.T) {
	inDialects(t, testHeldDevicesMove, remote.DialectUnary, remote.DialectSession)
}

func testHeldDevicesMove(t *testing.T, dialect remote.Dialect) {
	p := newPair(t, dialect, remote.OnFailureHold)
	p.stop[0]()
	p.connected(t, 1)
	tell(t, p.conns, "x")
	gatewaytest.Eventually(t, "all have been heard", func() bool { return p.ledgers[1].count("bytes") == 40 })
	expectOpen(t, p.conns)
	if n := p.metric(t, "exgate_handler_held_connections"); n != 0 {
		t.Errorf("%v are held", n)
	}
}

// A handler that is stuck with one device serves 200 others, although few calls may be in flight.
func TestStuckDeviceDelaysNobody(t *testing.T) {
	inDialects(t, testStuckDeviceDelaysNobody, remote.DialectUnary, remote.DialectSession)
}

func testStuckDeviceDelaysNobody(t *testing.T, dialect remote.Dialect) {
	const devices, rounds = 200, 5
	l, entered, leave := newStuckLedger()
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	address, _ := serveFormOn(t, "", dialect, l)
	d := serveDevices(t,
		remote.ClientConfig{Name: "demo", Addresses: []string{address}, Dialect: dialect, MaxInFlight: 2}, a)
	defer close(leave)
	conns := d.connectAll(t, devices+1, l)
	tell(t, conns[:1], "stuck")
	<-entered
	for range rounds {
		before := l.count("bytes")
		tell(t, conns[1:], "x")
		gatewaytest.Eventually(t, "the others have been heard",
			func() bool { return l.count("bytes") == before+devices })
	}
	if dialect == remote.DialectUnary {
		gatewaytest.Eventually(t, "only the call that is stuck is under way",
			func() bool { return d.metric(t, "exgate_handler_calls_in_flight") == 1 })
	}
}

// If no further call is allowed, connections wait without failing, and closing them ends the wait.
func TestWaitingForAPlaceEndsWithTheConnection(t *testing.T) {
	l, entered, leave := newStuckLedger()
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	address, _ := serveHandler(t, "", l)
	d := serveDevices(t, remote.ClientConfig{Name: "demo", Addresses: []string{address}, MaxInFlight: 1}, a)
	conns := d.connectAll(t, 2, l)
	tell(t, conns[:1], "stuck")
	<-entered
	tell(t, conns[1:], "x")
	gatewaytest.Eventually(t, "the other waits",
		func() bool { return d.metric(t, "exgate_handler_calls_waiting") == 1 })
	kick(d)
	expectEnd(t, conns[1])
	close(leave)
	gatewaytest.Eventually(t, "the ends have come", func() bool { return l.count("closed") == 2 })
	if n := l.count("bytes"); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
}

func TestMessageOverTheLimitIsRefused(t *testing.T) {
	inDialects(t, testMessageOverTheLimitIsRefused, remote.DialectUnary, remote.DialectSession)
}

func testMessageOverTheLimitIsRefused(t *testing.T, dialect remote.Dialect) {
	s := &script{}
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	address, _ := serveFormOn(t, "", dialect, s)
	cfg := remote.ClientConfig{
		Addresses: []string{address}, Dialect: dialect, MaxMessageSize: 1024, OnFailure: remote.OnFailureHold,
	}
	h := newHandler(t, newClient(t, cfg, a), newDevice("c1"))
	must(t, h.OnSocketCreated(gateway.ConnInfo{}))
	must(t, h.OnReceivedBytes(make([]byte, 900)))
	err := h.OnReceivedBytes(make([]byte, 1100))
	expectReason(t, err, gateway.ReasonHandlerFailed)
	if !strings.Contains(err.Error(), "larger than max") {
		t.Errorf("got %v", err)
	}
}
