package remote_test

import (
	"bytes"
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/remote"
)

// postedDevice is a device that accepts posted events.
type postedDevice struct {
	*device
	failures chan error
}

func newPostedDevice(id string) *postedDevice {
	return &postedDevice{device: newDevice(id), failures: make(chan error, 16)}
}

func (d *postedDevice) Post(event func() error) bool {
	d.failures <- event()
	return true
}

// A shared stream that ends with an error may have lost events: their connections are closed, and the others continue.
func TestErrorEndsASharedStream(t *testing.T) {
	s := &script{on: func(_ context.Context, e any) error {
		if b, ok := e.(*exproto.ReceivedBytesRequest); ok && string(b.GetBytes()) == "bad" {
			return status.Error(codes.Internal, "boom")
		}
		return nil
	}}
	reg := prometheus.NewRegistry()
	address, _ := serveStreams(t, "", s, untilEnd)
	c := streamClient(t, address, remote.ClientConfig{StreamSets: 1, Metrics: remote.NewMetrics(reg)})
	good, bad := newPostedDevice("good"), newPostedDevice("bad")
	h, other := newHandler(t, c, bad), newHandler(t, c, good)
	must(t, h.OnSocketCreated(gateway.ConnInfo{}))
	must(t, other.OnSocketCreated(gateway.ConnInfo{}))
	must(t, h.OnReceivedBytes([]byte("bad")))
	expectReason(t, <-bad.failures, gateway.ReasonHandlerFailed)
	must(t, other.OnReceivedBytes([]byte("fine")))
	gatewaytest.Eventually(t, "the other connection goes on",
		func() bool { return strings.HasSuffix(s.of("good"), `bytes "fine"`) })
	must(t, h.OnSocketClosed(gateway.ReasonHandlerFailed))
	must(t, other.OnSocketClosed(gateway.ReasonNormal))
	if len(good.failures) > 0 {
		t.Errorf("the other connection failed: %v", <-good.failures)
	}
	must(t, testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP exgate_handler_stream_ends_total Shared streams that a remote handler ended or lost, by gRPC code.
# TYPE exgate_handler_stream_ends_total counter
exgate_handler_stream_ends_total{code="Internal",handler="demo",method="OnReceivedBytes"} 1
`), "exgate_handler_stream_ends_total"))
}

func TestSharedStreamsOfAnotherDialect(t *testing.T) {
	address := serveForm(t, remote.DialectUnary, &script{})
	var log journal
	d := newPostedDevice("c1")
	h := newHandler(t, streamClient(t, address, remote.ClientConfig{StreamSets: 1, Logger: log.logger()}), d)
	if err := h.OnSocketCreated(gateway.ConnInfo{}); err != nil { // the refusal may come before the event is written
		d.failures <- err
	}
	expectReason(t, <-d.failures, gateway.ReasonHandlerFailed)
	if !strings.Contains(log.String(), "the setting dialect: it is stream") {
		t.Errorf("the log does not name the setting: %s", &log)
	}
}

func TestSharedStreamsAreBackAfterARestart(t *testing.T) {
	s := &script{}
	address, stop := serveStreams(t, "", s, untilEnd)
	c := streamClient(t, address, remote.ClientConfig{StreamSets: 1})
	d := newPostedDevice("c1")
	h := newHandler(t, c, d)
	must(t, h.OnSocketCreated(gateway.ConnInfo{}))
	must(t, h.OnReceivedBytes([]byte("before")))
	gatewaytest.Eventually(t, "the bytes are there",
		func() bool { return strings.HasSuffix(s.of("c1"), `bytes "before"`) })
	stop()
	expectReason(t, <-d.failures, gateway.ReasonHandlerUnavailable)
	expectReason(t, h.OnReceivedBytes([]byte("meanwhile")), gateway.ReasonHandlerUnavailable)
	serveStreams(t, address, s, untilEnd)
	gatewaytest.Eventually(t, "the client is back at the handler",
		func() bool { return h.OnReceivedBytes([]byte("after")) == nil })
	gatewaytest.Eventually(t, "the bytes are there",
		func() bool { return strings.HasSuffix(s.of("c1"), `bytes "after"`) })
}

// A handler that does not read fails the writers after its timeout, and loses nothing of what others wrote before.
func TestHandlerThatDoesNotReadItsStream(t *testing.T) {
	goOn := make(chan struct{})
	var got struct{ first, second atomic.Int64 }
	s := &script{on: func(ctx context.Context, e any) error {
		if b, ok := e.(*exproto.ReceivedBytesRequest); ok {
			select {
			case <-goOn:
			case <-ctx.Done():
			}
			if b.GetConn() == "first" {
				got.first.Add(int64(len(b.GetBytes())))
			} else {
				got.second.Add(int64(len(b.GetBytes())))
			}
		}
		return nil
	}}
	address, _ := serveStreams(t, "", s, untilEnd, grpc.StaticStreamWindowSize(64<<10),
		grpc.StaticConnWindowSize(64<<10))
	c := streamClient(t, address, remote.ClientConfig{StreamSets: 1, CallTimeout: time.Second})
	first, second := newHandler(t, c, newDevice("first")), newHandler(t, c, newDevice("second"))
	gatewaytest.Eventually(t, "the client is connected",
		func() bool { return first.OnSocketCreated(gateway.ConnInfo{}) == nil })
	must(t, second.OnSocketCreated(gateway.ConnInfo{}))
	chunk, written := bytes.Repeat([]byte("x"), 32<<10), 0
	for {
		if err := first.OnReceivedBytes(chunk); err != nil {
			expectReason(t, err, gateway.ReasonHandlerTimeout)
			break
		}
		written += len(chunk)
	}
	expectReason(t, second.OnReceivedBytes(chunk), gateway.ReasonHandlerTimeout)
	close(goOn)
	gatewaytest.Eventually(t, "the stream goes on", func() bool { return second.OnReceivedBytes([]byte("end")) == nil })
	gatewaytest.Eventually(t, "all that was written is read",
		func() bool { return got.second.Load() == int64(len("end")) })
	if n := int(got.first.Load()); n != written && n != written+len(chunk) {
		t.Errorf("%d bytes came, of %d written and %d that were on their way", n, written, len(chunk))
	}
}

// The largest event fits, and a larger one is refused without touching the stream.
func TestLargeEventsOnASharedStream(t *testing.T) {
	s := &script{}
	address, _ := serveStreams(t, "", s, untilEnd, grpc.MaxRecvMsgSize(32<<20))
	h := newHandler(t, streamClient(t, address, remote.ClientConfig{StreamSets: 1}), newDevice("c1"))
	must(t, h.OnSocketCreated(gateway.ConnInfo{}))
	must(t, h.OnReceivedBytes(make([]byte, 8<<20)))
	expectReason(t, h.OnReceivedBytes(make([]byte, 17<<20)), gateway.ReasonHandlerFailed)
	must(t, h.OnReceivedBytes([]byte("small")))
	gatewaytest.Eventually(t, "the stream goes on",
		func() bool { return strings.HasSuffix(s.of("c1"), `bytes "small"`) })
	must(t, h.OnSocketClosed(gateway.ReasonNormal))
	gatewaytest.Eventually(t, "it is closed", func() bool { return strings.HasSuffix(s.of("c1"), "closed normal") })
}

// Between events of different methods, the handler's server confirms that it has received the previous one, unless the
// handler has answered it, as it does OnSocketCreated and OnTimerTimeout.
func TestChangeOfStreamWaitsForTheServer(t *testing.T) {
	var asked journal
	unknown := grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		method, _ := grpc.MethodFromServerStream(stream)
		asked.add("%s", method)
		return status.Error(codes.Unimplemented, "no such service")
	})
	s := &script{}
	address, _ := serveStreams(t, "", s, untilEnd, unknown)
	must(t, live(newHandler(t, streamClient(t, address, remote.ClientConfig{StreamSets: 1}), newDevice("c1"))))
	expect(t, "calls between the streams", asked.String(),
		strings.TrimSpace(strings.Repeat("/grpc.health.v1.Health/Check\n", 2)))
	gatewaytest.Eventually(t, "all events came", func() bool { return strings.Count(s.String(), "\n") == 6 })
}

func TestClosedClientFailsSharedStreams(t *testing.T) {
	address, _ := serveStreams(t, "", &script{}, untilEnd)
	c := streamClient(t, address, remote.ClientConfig{StreamSets: 2})
	h := newHandler(t, c, newDevice("c1"))
	must(t, h.OnSocketCreated(gateway.ConnInfo{}))
	must(t, c.Close(t.Context()))
	expectReason(t, h.OnReceivedBytes(nil), gateway.ReasonHandlerUnavailable)
	expectReason(t, h.OnSocketClosed(gateway.ReasonNormal), gateway.ReasonHandlerUnavailable)
}
