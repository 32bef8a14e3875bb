package remote_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/remote"
)

// autoClient returns a client that finds out the dialect, and its log.
func autoClient(t *testing.T, address string) (*remote.Client, *journal) {
	t.Helper()
	log := new(journal)
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	return newClient(t,
		remote.ClientConfig{Addresses: []string{address}, Dialect: remote.DialectAuto, Logger: log.logger()}, a), log
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
	address := gatewaytest.FreeAddress(t)
	c, log := autoClient(t, address)
	for range 5 {
		h := newHandler(t, c, newDevice("c1"))
		expectReason(t, h.OnSocketCreated(gateway.ConnInfo{}), gateway.ReasonHandlerUnavailable)
		must(t, h.OnSocketClosed(gateway.ReasonHandlerUnavailable)) // no handler knows it
	}
	s := new(script)
	serveOn(t, address,
		func(server *grpc.Server) { registerForm(server, remote.DialectStream, s); reflection.Register(server) })
	gatewaytest.Eventually(t, "the dialect is found without a connection",
		func() bool { return strings.Contains(log.String(), "dialect=stream") })
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
	if !strings.Contains(log.String(), "no longer answers in its dialect") ||
		!strings.Contains(after.String(), "bytes c4") {
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
	gatewaytest.Eventually(t, "the log tells it",
		func() bool { return strings.Contains(log.String(), "ConnectionUnaryHandler or ConnectionHandler") })
}

// Whatever a server answers for methods that it lacks, the first event finds the one that it has.
func TestAutoWithEveryAnswerToUnknownMethods(t *testing.T) {
	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		switch code {
		case codes.Canceled, codes.DeadlineExceeded, codes.Unavailable: // like a handler that cannot be reached
			continue
		}
		for _, dialect := range emqxDialects {
			t.Run(fmt.Sprint(code, " ", dialect), func(t *testing.T) {
				s := new(script)
				unknown := grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error {
					return status.Error(code,
						"")
				})
				c, _ := autoClient(t, serveForm(t, dialect, s, unknown))
				play(t, c, "c1")
				play(t, c, "c2")
				if n := strings.Count(s.String(), "\n") + 1; n != 10 {
					t.Errorf("the handler saw %d events:\n%s", n, s)
				}
			})
		}
	}
}

// A handler that fails its first event is notified of the end of that connection, and serves the next one.
func TestAutoWithAHandlerThatFailsItsFirstEvent(t *testing.T) {
	for _, code := range []codes.Code{codes.Unknown, codes.Internal, codes.PermissionDenied} {
		inDialects(t, func(t *testing.T, dialect remote.Dialect) {
			s := &script{on: func(_ context.Context, e any) error {
				if e, ok := e.(*exproto.SocketCreatedRequest); ok && e.GetConn() == "c1" {
					return status.Error(code, "no")
				}
				return nil
			}}
			c, _ := autoClient(t, serveForm(t, dialect, s))
			h := newHandler(t, c, newDevice("c1"))
			expectReason(t, h.OnSocketCreated(gateway.ConnInfo{}), gateway.ReasonHandlerFailed)
			must(t, h.OnSocketClosed(gateway.ReasonHandlerFailed))
			expect(t, "what the handler saw", s.of("c1"), "created, closed handler_failed")
			play(t, c, "c2")
		}, emqxDialects...)
	}
}

// A handler that does not survive a call that EMQX would not make is probed twice; its third start serves.
func TestAutoWithAHandlerThatDiesOfQuestions(t *testing.T) {
	s := new(script)
	died := make(chan struct{}, 16)
	dies := grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		died <- struct{}{}
		<-stream.Context().Done()
		return nil
	})
	address, stop := serveFormOn(t, "", remote.DialectUnary, s, dies)
	c, log := autoClient(t, address)
	gatewaytest.Eventually(t, "it is not asked again", func() bool {
		select {
		case <-died: // at each question, of which a probe has two
			stop()
			_, stop = serveFormOn(t, address, remote.DialectUnary, s, dies)
		default:
		}
		return strings.Contains(log.String(), "the first event will detect it")
	})
	for len(died) > 0 {
		<-died
	}
	gatewaytest.Eventually(t, "it serves",
		func() bool { return newHandler(t, c, newDevice("c0")).OnSocketCreated(gateway.ConnInfo{}) == nil })
	play(t, c, "c1")
	if len(died) > 0 {
		t.Error("it was asked again")
	}
}

func TestAutoEndsWithTheClient(t *testing.T) {
	l := listen(t, "") // accepts connections and says nothing
	defer l.Close()
	c, _ := autoClient(t, l.Addr().String())
	must(t, c.Close(t.Context()))
	h := newHandler(t, c, newDevice("c1"))
	expectReason(t, h.OnSocketCreated(gateway.ConnInfo{}), gateway.ReasonHandlerUnavailable)
}

func TestAutoHoldsDevicesUntilTheHandlerIsThere(t *testing.T) {
	address := gatewaytest.FreeAddress(t)
	counts := prometheus.NewRegistry()
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	c := newClient(t, remote.ClientConfig{
		Addresses: []string{address}, Dialect: remote.DialectAuto, OnFailure: remote.OnFailureHold,
		HoldTimeout: time.Minute, Metrics: remote.NewMetrics(counts),
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
