package guard_test

import (
	"context"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/exgate/exgate/runtime/remote/adapter/internal/guard"
)

// guardedServer is a guarded server of health checks; a check of "handler" proves its connection.
type guardedServer struct {
	address string

	mu   sync.Mutex
	shed []string
}

func newGuardedServer(t *testing.T, limits guard.Limits) *guardedServer {
	t.Helper()
	h := new(guardedServer)
	g := guard.New(limits, h.note)
	server := grpc.NewServer(
		grpc.Creds(guard.Credentials(insecure.NewCredentials())), grpc.WaitForHandlers(true),
		grpc.UnaryInterceptor(prove), grpc.MaxRecvMsgSize(1<<20),
	)
	checks := health.NewServer()
	checks.SetServingStatus("handler", grpc_health_v1.HealthCheckResponse_SERVING)
	grpc_health_v1.RegisterHealthServer(server, checks)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.address = l.Addr().String()
	go server.Serve(g.Listener(l))
	t.Cleanup(server.Stop)
	return h
}

func prove(ctx context.Context, request any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if r, ok := request.(*grpc_health_v1.HealthCheckRequest); ok && r.GetService() == "handler" {
		guard.From(ctx).Prove()
	}
	return next(ctx, request)
}

func (h *guardedServer) note(why guard.Reason, _ net.Addr) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.shed = append(h.shed, string(why))
}

func (h *guardedServer) reasons() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(slices.Compact(slices.Clone(h.shed)), " ")
}

// handler is a proven caller.
func (h *guardedServer) handler(t *testing.T) grpc_health_v1.HealthClient {
	t.Helper()
	cc, err := grpc.NewClient(h.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cc.Close() })
	c := grpc_health_v1.NewHealthClient(cc)
	check(t, c)
	return c
}

func check(t *testing.T, c grpc_health_v1.HealthClient) {
	t.Helper()
	if _, err := c.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: "handler"}); err != nil {
		t.Error(err)
	}
}

// raw is a caller that has not proven itself.
func (h *guardedServer) raw(t *testing.T) (*http2.Framer, net.Conn) {
	t.Helper()
	c, err := net.Dial("tcp", h.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	f := http2.NewFramer(c, c)
	_, _ = io.WriteString(c, http2.ClientPreface)
	_ = f.WriteSettings()
	return f, c
}

// begin begins a call, in HPACK without compression.
func begin(f *http2.Framer, stream uint32) error {
	var block []byte
	for _, h := range [][2]string{
		{":method", "POST"},
		{":scheme", "http"},
		{":path", "/grpc.health.v1.Health/Check"},
		{":authority", "a"},
		{"content-type", "application/grpc"},
	} {
		block = append(block, 0, byte(len(h[0])))
		block = append(append(block, h[0]...), byte(len(h[1])))
		block = append(block, h[1]...)
	}
	return f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block, EndHeaders: true})
}

// ended waits for the server to end the connection.
func ended(t *testing.T, c net.Conn) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(90 * time.Second))
	if _, err := io.Copy(io.Discard, c); err != nil && strings.Contains(err.Error(), "timeout") {
		t.Error("the connection was not ended")
	}
}

func TestHalfOpenCallsAreBounded(t *testing.T) {
	h := newGuardedServer(t, guard.Limits{Conns: 10, Calls: 50, Bytes: 1 << 20})
	handler := h.handler(t)
	f, c := h.raw(t)
	for i := range uint32(60) {
		_ = begin(f, 2*i+1)
	}
	ended(t, c)
	check(t, handler)
	if got := h.reasons(); got != string(guard.TooManyCalls) {
		t.Errorf("closed for %q", got)
	}
}

func TestHalfOpenBytesAreBounded(t *testing.T) {
	h := newGuardedServer(t, guard.Limits{Conns: 10, Calls: 50, Bytes: 100_000})
	handler := h.handler(t)
	f, c := h.raw(t)
	for i := range uint32(20) {
		_ = begin(f, 2*i+1)
		_ = f.WriteData(2*i+1, false, append([]byte{0, 0, 1, 0, 0}, make([]byte, 8000)...))
	}
	ended(t, c)
	check(t, handler)
	if got := h.reasons(); got != string(guard.TooManyBytes) {
		t.Errorf("closed for %q", got)
	}
}

// Calls that end, however they do, weigh nothing.
func TestEndedCallsAreForgotten(t *testing.T) {
	h := newGuardedServer(t, guard.Limits{Conns: 10, Calls: 50, Bytes: 4 << 20})
	handler := h.handler(t)
	f, c := h.raw(t)
	go io.Copy(io.Discard, c)
	for i := range uint32(1000) {
		_ = begin(f, 2*i+1)
		_ = f.WriteData(2*i+1, false, append([]byte{0, 0, 1, 0, 0}, make([]byte, 8000)...))
		if err := f.WriteRSTStream(2*i+1, http2.ErrCodeCancel); err != nil {
			t.Fatal(err)
		}
	}
	for range 200 {
		check(t, handler)
	}
	// the server ends the call before all of it came
	tooLarge := &grpc_health_v1.HealthCheckRequest{Service: strings.Repeat("x", 2<<20)}
	for range 20 {
		_, _ = handler.Check(t.Context(), tooLarge)
	}
	if got := h.reasons(); got != "" {
		t.Errorf("closed for %q", got)
	}
}

// Where none has proven itself less, the one with most of the load goes, and the others stay.
func TestAProvenConnectionGoesLast(t *testing.T) {
	h := newGuardedServer(t, guard.Limits{Conns: 2, Calls: 50, Bytes: 1 << 20})
	first := h.handler(t)
	_, idle := h.raw(t)
	second := h.handler(t) // takes the place of the idle one
	ended(t, idle)
	_, late := h.raw(t) // is refused: both have proven themselves
	ended(t, late)
	check(t, first)
	check(t, second)
	if got := h.reasons(); got != string(guard.TooManyConns) {
		t.Errorf("closed for %q", got)
	}
}

func TestStreamsOfOneConnectionAreBounded(t *testing.T) {
	g := guard.New(guard.Limits{Conns: 1, Calls: 1, Bytes: 1}, func(guard.Reason, net.Addr) {})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	guarded := g.Listener(l)
	defer guarded.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	accepted, err := guarded.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	conn := accepted.(*guard.Conn)
	taken := 0
	for conn.TakeStream() {
		taken++
	}
	conn.GiveStream()
	if !conn.TakeStream() || conn.TakeStream() || taken != 16 {
		t.Errorf("%d streams", taken)
	}
}
