package remote_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/reflection"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/remote"
)

// autoClient is a client that finds out the dialect, and its log.
func autoClient(t *testing.T, address string) (*remote.Client, *journal) {
	t.Helper()
	log := new(journal)
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	return newClient(t, remote.ClientConfig{Addresses: []string{address}, Dialect: remote.DialectAuto, Logger: log.logger()}, a), log
}

// play runs a connection from its first event to its last.
func play(t *testing.T, c *remote.Client, conn string) {
	t.Helper()
	h := newHandler(t, c, newDevice(conn))
	must(t, h.OnSocketCreated(gateway.ConnInfo{}))
	must(t, h.OnReceivedBytes([]byte("hello")))
	must(t, h.OnTimerTimeout(gateway.TimerKeepalive))
	must(t, h.OnReceivedMessages([]gateway.Message{message("m1", "t", "p")}))
	must(t, h.(gateway.Drainer).OnDrain())
	must(t, h.OnSocketClosed(gateway.ReasonNormal))
}

func TestAutoSpeaksWhatTheHandlerSpeaks(t *testing.T) {
	for _, dialect := range everyDialect {
		s := new(script)
		c, log := autoClient(t, serveForm(t, dialect, s))
		play(t, c, "c1")
		play(t, c, "c2")
		if n := strings.Count(s.String(), "\n") + 1; n != 10 || !strings.HasPrefix(s.String(), "created c1") {
			t.Errorf("%s: the handler saw %d events:\n%s", dialect, n, s)
		}
		by, found := "its answer to the first event", dialect
		switch dialect {
		case remote.DialectSession:
			by = "its answer to a session's hello"
		case remote.DialectUnaryV42: // events are the same on the wire
			found = remote.DialectStream
		}
		if n := strings.Count(log.String(), "dialect="+string(found)); n != 1 || !strings.Contains(log.String(), by) {
			t.Errorf("%s: the log does not tell it once:\n%s", dialect, log)
		}
		if strings.Contains(log.String(), "call failed") {
			t.Errorf("%s: a question is logged as a failure:\n%s", dialect, log)
		}
	}
}

func TestAutoWithAHandlerThatIsDown(t *testing.T) {
	l := listen(t, "")
	address := l.Addr().String()
	must(t, l.Close())
	c, log := autoClient(t, address)
	for range 5 {
		h := newHandler(t, c, newDevice("c1"))
		expectReason(t, h.OnSocketCreated(gateway.ConnInfo{}), gateway.ReasonHandlerUnavailable)
		must(t, h.OnSocketClosed(gateway.ReasonHandlerUnavailable)) // nobody has heard of it
	}
	s := new(script)
	serveOn(t, address, func(server *grpc.Server) { registerForm(server, remote.DialectStream, s); reflection.Register(server) })
	gatewaytest.Eventually(t, "the dialect is found without a connection", func() bool { return strings.Contains(log.String(), "dialect=stream") })
	play(t, c, "c2")
	if strings.Contains(s.String(), "c1") {
		t.Errorf("the handler heard of a connection that was refused:\n%s", s)
	}
}

func TestAutoWithAHandlerThatComesBackInAnotherDialect(t *testing.T) {
	before, after := new(script), new(script)
	address, stop := serveOn(t, "", func(server *grpc.Server) { registerForm(server, remote.DialectStream, before) })
	c, log := autoClient(t, address)
	play(t, c, "c1")
	old := newHandler(t, c, newDevice("c2"))
	must(t, old.OnSocketCreated(gateway.ConnInfo{}))
	stop()
	serveOn(t, address, func(server *grpc.Server) { registerForm(server, remote.DialectUnary, after) })

	gatewaytest.Eventually(t, "the new dialect is found", func() bool {
		h := newHandler(t, c, newDevice("c3"))
		return h.OnSocketCreated(gateway.ConnInfo{}) == nil
	})
	if old.OnReceivedBytes(nil) == nil {
		t.Error("a connection went on in a dialect that is gone")
	}
	play(t, c, "c4")
	if !strings.Contains(log.String(), "does not answer in it any longer") || !strings.Contains(after.String(), "bytes c4") {
		t.Errorf("log:\n%s\nthe handler saw:\n%s", log, after)
	}
}

func TestAutoWithAServerThatIsNoHandler(t *testing.T) {
	address, _ := serveOn(t, "", func(s *grpc.Server) {
		exproto.RegisterConnectionAdapterServer(s, exproto.UnimplementedConnectionAdapterServer{})
	})
	c, log := autoClient(t, address)
	h := newHandler(t, c, newDevice("c1"))
	err := h.OnSocketCreated(gateway.ConnInfo{})
	expectReason(t, err, gateway.ReasonHandlerFailed)
	if !strings.Contains(err.Error(), "none of the services") {
		t.Error(err)
	}
	gatewaytest.Eventually(t, "the log tells it", func() bool { return strings.Contains(log.String(), "ConnectionUnaryHandler or ConnectionHandler") })
}

func TestAutoEndsWithTheClient(t *testing.T) {
	l := listen(t, "") // takes connections and says nothing
	defer l.Close()
	c, _ := autoClient(t, l.Addr().String())
	must(t, c.Close(t.Context()))
	h := newHandler(t, c, newDevice("c1"))
	expectReason(t, h.OnSocketCreated(gateway.ConnInfo{}), gateway.ReasonHandlerUnavailable)
}

func TestAutoHoldsDevicesUntilTheHandlerIsThere(t *testing.T) {
	l := listen(t, "")
	address := l.Addr().String()
	must(t, l.Close())
	counts := prometheus.NewRegistry()
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	c := newClient(t, remote.ClientConfig{
		Addresses: []string{address}, Dialect: remote.DialectAuto, OnFailure: remote.OnFailureHold, HoldTimeout: time.Minute, Metrics: remote.NewMetrics(counts),
	}, a)
	created := make(chan error, 10)
	for i := range cap(created) {
		h := newHandler(t, c, newDevice(fmt.Sprint("c", i)))
		go func() {
			created <- errors.Join(h.OnSocketCreated(gateway.ConnInfo{}), h.OnSocketClosed(gateway.ReasonNormal))
		}()
	}
	gatewaytest.Eventually(t, "all devices wait", func() bool {
		return gatewaytest.Metric(t, counts, "exgate_handler_held_connections") == float64(cap(created))
	})
	s := new(script)
	serveOn(t, address, func(server *grpc.Server) { registerForm(server, remote.DialectStream, s) })
	for range cap(created) {
		must(t, <-created)
	}
	if n := strings.Count(s.String(), "closed c"); n != cap(created) {
		t.Errorf("%d of %d devices were served:\n%s", n, cap(created), s)
	}
}
