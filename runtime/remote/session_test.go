package remote_test

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/remote"
)

// With close, the end of a stream closes its devices, because the handler has lost them. It is notified of each close
// when it is back.
func TestSessionThatEndsClosesItsDevices(t *testing.T) {
	const devices = 500
	l := newLedger()
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	address, stop := serveFormOn(t, "", remote.DialectSession, l)
	d := serveDevices(t,
		remote.ClientConfig{Name: "demo", Addresses: []string{address}, Dialect: remote.DialectSession}, a)
	conns := d.connectAll(t, devices, l)
	stop()
	for _, c := range conns {
		expectEnd(t, c)
	}
	gatewaytest.Eventually(t, "all ends wait",
		func() bool { return d.metric(t, "exgate_handler_closed_waiting") == devices })
	serveFormOn(t, address, remote.DialectSession, l)
	gatewaytest.Eventually(t, "all ends have come", func() bool { return l.count("closed") == devices })
	gatewaytest.Eventually(t, "nothing waits", func() bool { return d.metric(t, "exgate_handler_closed_waiting") == 0 })
	l.each(func(conn string, events []string) {
		expect(t, conn, strings.Join(events, " "), "created closed handler_unavailable")
	})
	if n := d.metric(t, "exgate_handler_closed_undelivered_total"); n != 0 {
		t.Errorf("%v ends were given up", n)
	}
	if n := d.metric(t, "exgate_handler_failures_total"); n != devices {
		t.Errorf("%v failures", n)
	}
}

// With close, a lost backend costs its own devices only; their ends are delivered to the other backend.
func TestLostBackendOfASession(t *testing.T) {
	p := newPair(t, remote.DialectSession, remote.OnFailureClose)
	p.stop[0]()
	gatewaytest.Eventually(t, "the ends have come", func() bool { return p.ledgers[1].count("closed") == 20 })
	p.ledgers[1].each(func(conn string, events []string) {
		if got := strings.Join(events, " "); got != "created" && got != "closed handler_unavailable" {
			t.Errorf("%s: %s", conn, got)
		}
	})
}

// An idle device of a handler that is down is not closed, however long that lasts.
func TestSessionHoldsIdleDevices(t *testing.T) {
	l := newLedger()
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	address, stop := serveFormOn(t, "", remote.DialectSession, l)
	d := serveDevices(t, remote.ClientConfig{
		Name: "demo", Addresses: []string{address}, Dialect: remote.DialectSession, OnFailure: remote.OnFailureHold,
		HoldTimeout: 100 * time.Millisecond,
	}, a)
	conns := d.connectAll(t, 2, l)
	stop()
	tell(t, conns[:1], "x")
	expectEnd(t, conns[0])
	expectOpen(t, conns[1:])
	serveFormOn(t, address, remote.DialectSession, l)
	gatewaytest.Eventually(t, "the end of the other has come", func() bool { return l.count("closed") == 1 })
	tell(t, conns[1:], "y")
	gatewaytest.Eventually(t, "it has come", func() bool { return l.size() == 1 })
}

// A device that sends more than its window while its handler is stuck is not read any further, and everything arrives
// in the end.
func TestSessionStopsReadingADevice(t *testing.T) {
	l, entered, leave := newStuckLedger()
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	address, _ := serveFormOn(t, "", remote.DialectSession, l)
	d := serveDevices(t,
		remote.ClientConfig{Name: "demo", Addresses: []string{address}, Dialect: remote.DialectSession}, a)
	conn := d.connectAll(t, 1, l)[0]
	tell(t, []net.Conn{conn}, "stuck")
	<-entered
	must(t, conn.SetWriteDeadline(time.Now().Add(500*time.Millisecond)))
	written, chunk := 0, make([]byte, 1<<20)
	for {
		n, err := conn.Write(chunk)
		if written += n; err != nil {
			break
		}
	}
	close(leave)
	gatewaytest.Eventually(t, "everything has come", func() bool { return l.heard() == written+len("stuck") })
}

func TestSessionsHandlerThatIsLate(t *testing.T) {
	leave := make(chan struct{})
	defer close(leave)
	s := &script{on: func(_ context.Context, e any) error {
		if _, ok := e.(*exproto.ReceivedBytesRequest); ok {
			<-leave
		}
		return nil
	}}
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	address, _ := serveFormOn(t, "", remote.DialectSession, s)
	d := serveDevices(t, remote.ClientConfig{
		Name: "demo", Addresses: []string{address}, Dialect: remote.DialectSession, CallTimeout: 200 * time.Millisecond,
		OnFailure: remote.OnFailureHold,
	}, a)
	conn := d.connect(t)
	_, err := conn.Write([]byte("x"))
	must(t, err)
	expectEnd(t, conn)
	gatewaytest.Eventually(t, "it is forgotten",
		func() bool { return d.metric(t, "exgate_handler_closed_waiting") == 0 })
}

// The status with which a handler ends its stream closes devices even if they could be held.
func TestSessionStatusesThatWillNotHeal(t *testing.T) {
	for code, want := range map[codes.Code]gateway.CloseReason{
		codes.Unimplemented: gateway.ReasonHandlerFailed, codes.FailedPrecondition: gateway.ReasonHandlerFailed,
		codes.PermissionDenied: gateway.ReasonHandlerFailed, codes.Unauthenticated: gateway.ReasonHandlerFailed,
	} {
		refuse := grpc.StreamInterceptor(
			func(any, grpc.ServerStream, *grpc.StreamServerInfo, grpc.StreamHandler) error {
				return status.Error(code, "no")
			})
		a, _ := serveAdapter(t, remote.AdapterConfig{})
		address, _ := serveFormOn(t, "", remote.DialectSession, &script{}, refuse)
		for _, policy := range []remote.OnFailure{remote.OnFailureClose, remote.OnFailureHold} {
			c := newClient(t,
				remote.ClientConfig{Addresses: []string{address}, Dialect: remote.DialectSession, OnFailure: policy}, a)
			closed := newDevice("c1")
			h := newHandler(t, c, closed)
			if err := h.OnSocketCreated(gateway.ConnInfo{}); err != nil {
				expectReason(t, err, want)
			} else {
				gatewaytest.Eventually(t, "it is closed",
					func() bool { return strings.Contains(closed.String(), "Close "+want.Name) })
			}
			_ = h.OnSocketClosed(want)
		}
	}
}

// A handler that comes back without the session service is detected, and its earlier devices are not held for it.
func TestAutoLeavesASessionThatIsGone(t *testing.T) {
	for _, policy := range []remote.OnFailure{remote.OnFailureClose, remote.OnFailureHold} {
		a, _ := serveAdapter(t, remote.AdapterConfig{})
		address, stop := serveFormOn(t, "", remote.DialectSession, new(script))
		c := newClient(t,
			remote.ClientConfig{Addresses: []string{address}, Dialect: remote.DialectAuto, OnFailure: policy}, a)
		device := newDevice("c1")
		old := newHandler(t, c, device)
		must(t, old.OnSocketCreated(gateway.ConnInfo{}))
		stop()
		after := new(script)
		serveHandler(t, address, after)
		gatewaytest.Eventually(t, "the device is closed",
			func() bool { return strings.Contains(device.String(), "Close handler_") })
		if old.OnSocketClosed(gateway.ReasonHandlerFailed) == nil {
			t.Error("the end was taken by nobody, without an error")
		}
		gatewaytest.Eventually(t, "the new dialect is found", func() bool {
			return newHandler(t, c, newDevice("c2")).OnSocketCreated(gateway.ConnInfo{}) == nil
		})
		play(t, c, "c3")
		if !strings.Contains(after.String(), "bytes c3") {
			t.Errorf("%s: the handler saw:\n%s", policy, after)
		}
	}
}

// The stream of a session carries the token, over TLS too.
func TestSessionOverTLSWithAToken(t *testing.T) {
	cert, pool := certificate(t)
	token := make(chan string, 1)
	see := grpc.StreamInterceptor(
		func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			select {
			case token <- strings.Join(metadata.ValueFromIncomingContext(stream.Context(), "authorization"), ","):
			default:
			}
			return next(srv, stream)
		})
	s := new(script)
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	address, _ := serveFormOn(t, "", remote.DialectSession, s, see, grpc.Creds(credentials.NewServerTLSFromCert(&cert)))
	c := newClient(t, remote.ClientConfig{
		Addresses: []string{address}, Dialect: remote.DialectSession, TLS: &tls.Config{RootCAs: pool}, Token: "secret",
	}, a)
	h := newHandler(t, c, newDevice("c1"))
	must(t, h.OnSocketCreated(gateway.ConnInfo{}))
	must(t, h.OnReceivedBytes([]byte("x")))
	must(t, h.OnSocketClosed(gateway.ReasonNormal))
	expect(t, "token", <-token, "Bearer secret")
	expect(t, "events", s.String(), "created c1 TCP :0 :0 cn=\"\" dn=\"\"\nbytes c1 \"x\"\nclosed c1 normal")
}
