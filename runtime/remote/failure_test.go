package remote_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	handlerv1 "github.com/exgate/exgate/proto/exgate/handler/v1"
	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/remote"
)

func expectReason(t *testing.T, err error, want gateway.CloseReason) {
	t.Helper()
	var h *gateway.HandlerError
	if !errors.As(err, &h) || !h.Reason.Is(want) {
		t.Errorf("got %v, want %s", err, want.Name)
	}
}

func TestHandlerThatIsDown(t *testing.T) {
	address := gatewaytest.FreeAddress(t)
	var log journal
	reg := prometheus.NewRegistry()
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	c := newClient(t,
		remote.ClientConfig{
			Name: "demo", Addresses: []string{address}, Logger: log.logger(), Metrics: remote.NewMetrics(reg),
		}, a)
	for i := range 50 {
		h := newHandler(t, c, newDevice(fmt.Sprint("c", i)))
		expectReason(t, h.OnSocketCreated(gateway.ConnInfo{}), gateway.ReasonHandlerUnavailable)
		expectReason(t, h.OnSocketClosed(gateway.ReasonHandlerUnavailable), gateway.ReasonHandlerUnavailable)
	}

	if n := strings.Count(log.String(), "\n") + 1; n != 1 {
		t.Errorf("100 failures made %d log lines:\n%s", n, &log)
	}
	for _, part := range []string{
		"handler=demo", "address=" + address, "reason=handler_unavailable", "OnSocketCreated", "that the handler runs",
	} {
		if !strings.Contains(log.String(), part) {
			t.Errorf("the log line lacks %q: %s", part, &log)
		}
	}
	must(t, testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP exgate_handler_failures_total Callbacks of remote handlers that failed, by close reason.
# TYPE exgate_handler_failures_total counter
exgate_handler_failures_total{handler="demo",reason="handler_unavailable"} 100
`), "exgate_handler_failures_total"))
	if n, err := testutil.GatherAndCount(reg, "exgate_handler_call_seconds"); n != 5 || err != nil {
		t.Errorf("%d histograms, want one for each of 5 methods (%v)", n, err)
	}
}

func TestHandlerThatRestarts(t *testing.T) {
	s := &script{}
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	address, stop := serveHandler(t, "", s)
	h := newHandler(t, newClient(t, remote.ClientConfig{Addresses: []string{address}}, a), newDevice("c1"))
	must(t, h.OnReceivedBytes([]byte("before")))
	stop()
	expectReason(t, h.OnReceivedBytes([]byte("meanwhile")), gateway.ReasonHandlerUnavailable)
	serveHandler(t, address, s)
	gatewaytest.Eventually(t, "the client is back at the handler",
		func() bool { return h.OnReceivedBytes([]byte("after")) == nil })
	expect(t, "callbacks", s.String(), "bytes c1 \"before\"\nbytes c1 \"after\"")
}

func TestHandlerThatStopsInACallback(t *testing.T) {
	entered := make(chan struct{})
	s := &script{on: func(ctx context.Context, _ any) error {
		close(entered)
		<-ctx.Done()
		return ctx.Err()
	}}
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	address, stop := serveHandler(t, "", s)
	h := newHandler(t, newClient(t, remote.ClientConfig{Addresses: []string{address}}, a), newDevice("c1"))
	failed := make(chan error)
	go func() { failed <- h.OnReceivedBytes(nil) }()
	<-entered
	stop()
	expectReason(t, <-failed, gateway.ReasonHandlerUnavailable)
}

func TestHandlerThatDoesNotAnswer(t *testing.T) {
	answer := make(chan struct{})
	defer close(answer)
	s := &script{on: func(_ context.Context, e any) error {
		if _, ok := e.(*exproto.ReceivedBytesRequest); ok {
			<-answer
		}
		return nil
	}}
	var log journal
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	address, _ := serveHandler(t, "", s)
	c := newClient(t,
		remote.ClientConfig{Addresses: []string{address}, CallTimeout: 200 * time.Millisecond, Logger: log.logger()}, a)
	h := newHandler(t, c, newDevice("c1"))
	gatewaytest.Eventually(t, "the client is connected",
		func() bool { return h.OnSocketCreated(gateway.ConnInfo{}) == nil })
	expectReason(t, h.OnReceivedBytes(nil), gateway.ReasonHandlerTimeout)
	if !strings.Contains(log.String(), "answers each callback within 200ms") {
		t.Errorf("the log does not say what to change: %s", &log)
	}
}

// A listener whose process is stuck accepts the TCP connection and never speaks HTTP/2.
func TestHandlerThatNeverSpeaks(t *testing.T) {
	l := listen(t, "")
	defer l.Close()
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	c := newClient(t, remote.ClientConfig{Addresses: []string{l.Addr().String()}, CallTimeout: 200 * time.Millisecond},
		a)
	expectReason(t, newHandler(t, c, newDevice("c1")).OnSocketCreated(gateway.ConnInfo{}),
		gateway.ReasonHandlerUnavailable)
}

// A handler's own status must not pass for a problem of the connection to it.
func TestHandlerThatAnswersCanceled(t *testing.T) {
	s := &script{on: func(context.Context, any) error { return status.Error(codes.Canceled, "not in the mood") }}
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	address, _ := serveHandler(t, "", s)
	h := newHandler(t, newClient(t, remote.ClientConfig{Addresses: []string{address}}, a), newDevice("c1"))
	expectReason(t, h.OnReceivedBytes(nil), gateway.ReasonHandlerFailed)
}

func TestHandlerThatAnswersWithAnError(t *testing.T) {
	s := &script{on: func(context.Context, any) error {
		return status.Error(codes.Internal, "boom"+strings.Repeat("!", 5000))
	}}
	var log journal
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	address, _ := serveHandler(t, "", s)
	h := newHandler(t, newClient(t, remote.ClientConfig{Addresses: []string{address}, Logger: log.logger()}, a),
		newDevice("c1"))
	err := h.OnReceivedBytes(nil)
	expectReason(t, err, gateway.ReasonHandlerFailed)
	if text := err.Error(); len(text) > 500 ||
		!strings.Contains(text, `OnReceivedBytes of handler "demo" at `+address+": Internal: boom") {
		t.Errorf("error of %d bytes: %.200s", len(text), text)
	}
	if !strings.Contains(log.String(), "the handler's own log") {
		t.Errorf("the log does not say where to look: %s", &log)
	}
}

func TestClosedClientFailsCallbacks(t *testing.T) {
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	address, _ := serveHandler(t, "", &script{})
	c, err := remote.NewClient(remote.ClientConfig{Name: "demo", Addresses: []string{address}}, a)
	must(t, err)
	h := newHandler(t, c, newDevice("c1"))
	must(t, h.OnSocketCreated(gateway.ConnInfo{}))
	must(t, c.Close(t.Context()))
	expectReason(t, h.OnReceivedBytes(nil), gateway.ReasonHandlerUnavailable)
}

// A handler that ends calls and streams itself is not reported as one that cannot be reached.
func TestHandlerThatEndsCallsItself(t *testing.T) {
	inDialects(t, func(t *testing.T, dialect remote.Dialect) {
		for _, code := range []codes.Code{codes.Unavailable, codes.Internal, codes.Aborted, codes.PermissionDenied} {
			s := &script{on: func(_ context.Context, e any) error {
				if _, ok := e.(*exproto.ReceivedBytesRequest); ok {
					return status.Error(code, "no")
				}
				return nil
			}}
			session := &ender{}
			session.expectEnd("bytes", code, 1)
			address, _ := serveOn(t, "", func(server *grpc.Server) {
				if dialect == remote.DialectSession {
					handlerv1.RegisterSessionHandlerServer(server, session)
				} else {
					registerForm(server, dialect, s)
				}
			})
			endedByHandler(t, address, dialect, code)
		}
	}, remote.DialectUnary, remote.DialectStream, remote.DialectSession)
}

func endedByHandler(t *testing.T, address string, dialect remote.Dialect, code codes.Code) {
	t.Helper()
	var log journal
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	h := newHandler(t, newClient(t, remote.ClientConfig{
		Addresses: []string{address}, Dialect: dialect, StreamSets: 1, Logger: log.logger(),
	}, a), newDevice("bad"))
	gatewaytest.Eventually(t, "the client is connected",
		func() bool { return h.OnSocketCreated(gateway.ConnInfo{}) == nil })
	log.clear()
	_ = h.OnReceivedBytes([]byte("x"))
	gatewaytest.Eventually(t, "the failure is logged", func() bool { return log.String() != "" })
	for _, part := range []string{code.String(), "no", "the handler's own log"} {
		if !strings.Contains(log.String(), part) {
			t.Errorf("%v: the log lacks %q: %s", code, part, &log)
		}
	}
	if strings.Contains(log.String(), "that the handler runs") {
		t.Errorf("%v: the log doubts that the handler runs: %s", code, &log)
	}
}
