package remote_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	goruntime "runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/remote"
)

// once handles one message and ends the stream with OK but without a message, as EMQX's demo in Go does.
func once(_ context.Context, next, _ func() error) error { return next() }

// onceAnswered ends the stream with a message.
func onceAnswered(_ context.Context, next, answer func() error) error {
	if err := next(); err != nil {
		return err
	}
	return answer()
}

// neverAnswered reads to the end and stays there, like a handler in Java without an onCompleted.
func neverAnswered(ctx context.Context, next, _ func() error) error {
	for {
		if err := next(); err != nil {
			<-ctx.Done()
			return err
		}
	}
}

// refusesEmpty answers a stream without a message with an error.
func refusesEmpty(_ context.Context, next, answer func() error) error {
	for n := 0; ; n++ {
		switch err := next(); {
		case errors.Is(err, io.EOF) && n > 0:
			return answer()
		case err != nil:
			return status.Error(codes.Internal, "nothing came")
		}
	}
}

// serveStreams serves s in the stream dialect, with a way to read streams.
func serveStreams(
	t testing.TB, address string, s exproto.ConnectionUnaryHandlerServer, how reading, options ...grpc.ServerOption,
) (string, func()) {
	t.Helper()
	return serveOn(t, address, func(server *grpc.Server) {
		exproto.RegisterConnectionHandlerServer(server, &streaming{handler: s, read: how})
	}, options...)
}

// streamClient is a client of a handler in the stream dialect.
func streamClient(t testing.TB, address string, cfg remote.ClientConfig) *remote.Client {
	t.Helper()
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	cfg.Addresses, cfg.Dialect = []string{address}, remote.DialectStream
	return newClient(t, cfg, a)
}

// of returns the recorded events of a connection, each without the conn.
func (j *journal) of(conn string) string {
	var events []string
	for line := range strings.Lines(j.String()) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if id, what, _ := strings.Cut(rest, " "); id == conn {
			if word == "created" {
				what = ""
			}
			events = append(events, strings.TrimSpace(word+" "+what))
		}
	}
	return strings.Join(events, ", ")
}

const fullLife = `created, bytes "1", bytes "2", bytes "3", timer KEEPALIVE, bytes "4", closed normal`

// live passes all events of a life to a connection.
func live(h gateway.ConnectionHandler) error {
	err := h.OnSocketCreated(gateway.ConnInfo{})
	for _, b := range []string{"1", "2", "3"} {
		err = errors.Join(err, h.OnReceivedBytes([]byte(b)))
	}
	return errors.Join(err, h.OnTimerTimeout(gateway.TimerKeepalive), h.OnReceivedBytes([]byte("4")),
		h.OnSocketClosed(gateway.ReasonNormal))
}

// However a handler reads and ends its streams, each connection's events reach it in order, and are handled when the
// call returns.
func TestWaysToReadAStream(t *testing.T) {
	for name, how := range map[string]reading{
		"until its end": untilEnd, "once": once, "once, answered": onceAnswered, "no empty ones": refusesEmpty,
	} {
		t.Run(name, func(t *testing.T) {
			s := &script{}
			address, _ := serveStreams(t, "", s, how)
			c := streamClient(t, address, remote.ClientConfig{})
			var all sync.WaitGroup
			for i := range 20 {
				all.Go(func() {
					id := fmt.Sprint("c", i)
					if err := live(newHandler(t, c, newDevice(id))); err != nil {
						t.Error(err)
					}
					expect(t, id, s.of(id), fullLife)
				})
			}
			all.Wait()
		})
	}
}

// A handler that does not answer the end of a stream gets shared streams, which end with the last connection.
func TestHandlerThatNeverAnswersAStream(t *testing.T) {
	s := &script{}
	var streams gauge
	address, _ := serveStreams(t, "", s, neverAnswered, streams.interceptor())
	var log journal
	c := streamClient(t, address, remote.ClientConfig{Logger: log.logger()})
	for i := range 3 {
		id := fmt.Sprint("c", i)
		h := newHandler(t, c, newDevice(id))
		must(t, h.OnSocketCreated(gateway.ConnInfo{}))
		gatewaytest.Eventually(t, "it is created", func() bool { return s.of(id) == "created" })
		must(t, h.OnReceivedBytes([]byte("x")))
		gatewaytest.Eventually(t, "the bytes came", func() bool { return s.of(id) == `created, bytes "x"` })
		must(t, h.OnSocketClosed(gateway.ReasonNormal))
		gatewaytest.Eventually(t, "it is closed",
			func() bool { return s.of(id) == `created, bytes "x", closed normal` })
	}
	if n := strings.Count(log.String(), "does not answer the end of a stream"); n != 1 {
		t.Errorf("%d warnings: %s", n, &log)
	}
}

// The shared streams of a handler that allows few use further connections; short calls still have room.
func TestSharedStreamsOfAHandlerThatTakesFew(t *testing.T) {
	for _, limit := range []uint32{1, 2, 3, 5, 9} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			t.Parallel()
			s := &script{}
			address, _ := serveStreams(t, "", s, neverAnswered, grpc.MaxConcurrentStreams(limit))
			reg := prometheus.NewRegistry()
			c := streamClient(t, address,
				remote.ClientConfig{StreamSets: 2, CallTimeout: time.Minute, Metrics: remote.NewMetrics(reg)})
			var all sync.WaitGroup
			for i := range 20 {
				all.Go(func() {
					id := fmt.Sprint("c", i)
					if err := liveThrough(newHandler(t, c, newDevice(id))); err != nil {
						t.Errorf("%s: %v", id, err)
					}
				})
			}
			all.Wait()
			gatewaytest.Eventually(t, "all events are there",
				func() bool { return strings.Count(s.String(), "\n")+1 == len(eventNames)*20 })
			if n := gatewaytest.Metric(t, reg, "exgate_handler_failures_total"); n != 0 {
				t.Errorf("%v failures", n)
			}
		})
	}
}

// A handler that was lost twice over the end of a stream gets streams that are not ended.
func TestHandlerThatDoesNotSurviveTheEndOfAStream(t *testing.T) {
	s := &script{}
	ended := make(chan struct{}, 16)
	dies := func(ctx context.Context, next, _ func() error) error {
		for {
			if err := next(); err != nil {
				if errors.Is(err, io.EOF) {
					ended <- struct{}{}
					<-ctx.Done()
				}
				return err
			}
		}
	}
	address, stop := serveStreams(t, "", s, dies)
	reg := prometheus.NewRegistry()
	c := streamClient(t, address, remote.ClientConfig{Metrics: remote.NewMetrics(reg)})
	connected := func(n float64) {
		gatewaytest.Eventually(t, "the backend",
			func() bool { return gatewaytest.Metric(t, reg, "exgate_handler_backends_connected") == n })
	}
	for i := range 2 {
		h := newHandler(t, c, newDevice(fmt.Sprint("lost", i)))
		lost := make(chan error, 1)
		go func() { lost <- h.OnSocketCreated(gateway.ConnInfo{}) }()
		<-ended
		stop()
		expectReason(t, <-lost, gateway.ReasonHandlerUnavailable)
		connected(0)
		_, stop = serveStreams(t, address, s, dies)
		connected(1)
	}
	for i := range 3 {
		id := fmt.Sprint("c", i)
		h := newHandler(t, c, newDevice(id))
		must(t, liveThrough(h))
		// Streams are read in any order.
		gatewaytest.Eventually(t, "all events came",
			func() bool { return strings.Count(s.of(id), ", ") == len(eventNames)-1 })
	}
	if len(ended) > 0 {
		t.Error("another stream was ended")
	}
}

// A handler that answered the first end of a stream too late is detected when it does: later connections have their own
// streams.
func TestHandlerThatAnswersLate(t *testing.T) {
	answer := make(chan struct{})
	late := func(ctx context.Context, next, end func() error) error {
		return untilEnd(ctx, next, func() error {
			select {
			case <-answer:
			case <-ctx.Done():
			}
			return end()
		})
	}
	var streams gauge
	address, _ := serveStreams(t, "", &script{}, late, streams.interceptor())
	c := streamClient(t, address, remote.ClientConfig{})
	open := func(id string) int64 {
		h := newHandler(t, c, newDevice(id))
		must(t, h.OnSocketCreated(gateway.ConnInfo{}))
		must(t, h.OnReceivedBytes([]byte("x")))
		defer func() { must(t, h.OnSocketClosed(gateway.ReasonNormal)) }()
		return streams.open.Load()
	}
	if open("first") == 0 {
		t.Error("the first connection has no shared streams")
	}
	close(answer)
	gatewaytest.Eventually(t, "a connection leaves no stream open", func() bool { return open("another") == 0 })
}

// gauge counts the open streams of a server.
type gauge struct{ open, most atomic.Int64 }

func (g *gauge) interceptor() grpc.ServerOption {
	return grpc.StreamInterceptor(
		func(s any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			n := g.open.Add(1)
			defer g.open.Add(-1)
			for most := g.most.Load(); n > most && !g.most.CompareAndSwap(most, n); {
				most = g.most.Load()
			}
			return next(s, stream)
		})
}

// Servers with a pool of threads use one for each open stream.
func TestConnectionsShareStreams(t *testing.T) {
	for _, sets := range []int{1, 3} {
		s := &script{}
		var streams gauge
		address, _ := serveStreams(t, "", s, untilEnd, streams.interceptor())
		c := streamClient(t, address, remote.ClientConfig{StreamSets: sets})
		var all, here sync.WaitGroup
		here.Add(60)
		for i := range 60 {
			all.Go(func() {
				h := newHandler(t, c, newDevice(fmt.Sprint("c", i)))
				err := errors.Join(h.OnSocketCreated(gateway.ConnInfo{}), h.OnReceivedBytes([]byte("x")),
					h.OnTimerTimeout(gateway.TimerKeepalive),
					h.OnReceivedMessages([]gateway.Message{message("1", "t", "p")}))
				here.Done()
				here.Wait()
				if err = errors.Join(err, h.OnSocketClosed(gateway.ReasonNormal)); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		gatewaytest.Eventually(t, "all events are there",
			func() bool { return strings.Count(s.String(), "\n")+1 == 5*60 })
		gatewaytest.Eventually(t, "the streams end with the last connection",
			func() bool { return streams.open.Load() == 0 })
		if most := streams.most.Load(); most > int64(5*sets) {
			t.Errorf("%d streams were open for %d sets", most, sets)
		}
	}
}

// A handler that reads one event of a shared stream leaves the others unread: they are sent again, and from then on
// each event has a stream.
func TestHandlerThatEndsSharedStreams(t *testing.T) {
	for name, how := range map[string]reading{"once": once, "once, answered": onceAnswered} {
		t.Run(name, func(t *testing.T) {
			gate := make(chan struct{})
			s := &script{on: func(ctx context.Context, e any) error {
				if _, ok := e.(*exproto.ReceivedBytesRequest); ok {
					select {
					case <-gate:
					case <-ctx.Done():
					}
				}
				return nil
			}}
			address, _ := serveStreams(t, "", s, how)
			c := streamClient(t, address, remote.ClientConfig{StreamSets: 1})
			lives := make([]gateway.ConnectionHandler, 20)
			for i := range lives {
				lives[i] = newHandler(t, c, newDevice(fmt.Sprint("c", i)))
				must(t, lives[i].OnSocketCreated(gateway.ConnInfo{}))
				// all but the first are written before the handler ends the stream
				must(t, lives[i].OnReceivedBytes([]byte("x")))
			}
			close(gate)
			gatewaytest.Eventually(t, "all have the first bytes",
				func() bool { return strings.Count(s.String(), `"x"`) == len(lives) })
			for i, h := range lives {
				must(t, h.OnReceivedBytes([]byte("y")))
				must(t, h.OnSocketClosed(gateway.ReasonNormal))
				id := fmt.Sprint("c", i)
				gatewaytest.Eventually(t, "all events of "+id,
					func() bool { return s.of(id) == `created, bytes "x", bytes "y", closed normal` })
			}
		})
	}
}

// If the handler answers, it has handled OnSocketCreated before it can read anything else of the connection, with
// shared streams too.
func TestCreatedPrecedesBytesOnSharedStreams(t *testing.T) {
	s := &script{}
	s.on = func(_ context.Context, e any) error {
		if e, ok := e.(*exproto.SocketCreatedRequest); ok {
			goruntime.Gosched()
			s.add("known %s", e.GetConn())
		}
		return nil
	}
	address, _ := serveStreams(t, "", s, untilEnd)
	c := streamClient(t, address, remote.ClientConfig{StreamSets: 2})
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			h := newHandler(t, c, newDevice(fmt.Sprint("c", i)))
			if err := errors.Join(h.OnSocketCreated(gateway.ConnInfo{}), h.OnReceivedBytes([]byte("x"))); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	gatewaytest.Eventually(t, "all bytes came", func() bool { return strings.Count(s.String(), "bytes") == 50 })
	for i := range 50 {
		id := fmt.Sprint("c", i)
		expect(t, id, s.of(id), `created, known, bytes "x"`)
	}
}

// If the handler answers, it has handled OnTimerTimeout when the call returns, with shared streams too: the gateway
// closes the connection then, and what the callback sends must have arrived.
func TestTimerIsHandledOnSharedStreams(t *testing.T) {
	s := &script{}
	s.on = func(_ context.Context, e any) error {
		if e, ok := e.(*exproto.TimerTimeoutRequest); ok {
			goruntime.Gosched()
			s.add("handled %s", e.GetConn())
		}
		return nil
	}
	address, _ := serveStreams(t, "", s, untilEnd)
	c := streamClient(t, address, remote.ClientConfig{StreamSets: 2})
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			id := fmt.Sprint("c", i)
			h := newHandler(t, c, newDevice(id))
			err := errors.Join(h.OnSocketCreated(gateway.ConnInfo{}), h.OnReceivedBytes([]byte("x")),
				h.OnTimerTimeout(gateway.TimerKeepalive))
			if err != nil {
				t.Error(err)
			}
			if got := s.of(id); !strings.Contains(got, "timer KEEPALIVE, handled") {
				t.Errorf("%s: %s", id, got)
			}
		})
	}
	all.Wait()
}
