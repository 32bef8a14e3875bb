package backend

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs a gRPC server at host and port, "0" for a free one, which nothing else gets when the server has stopped.
func serve(t *testing.T, host, port string) (addr string, stop func()) {
	t.Helper()
	if port == "0" {
		_, port, _ = net.SplitHostPort(gatewaytest.FreeAddress(t))
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	go server.Serve(l)
	t.Cleanup(server.Stop)
	return l.Addr().String(), server.Stop
}

// resolver returns the addresses that the test set last.
type resolver struct {
	mu    sync.Mutex
	hosts []string
	err   error
	asked int
}

func (r *resolver) say(err error, hosts ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hosts, r.err = hosts, err
}

func (r *resolver) lookup(context.Context, string) ([]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	return r.hosts, r.err
}

func (r *resolver) times() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

func newPool(t *testing.T, r *resolver, interval time.Duration, targets ...string) *Pool {
	t.Helper()
	p, err := New(Config{
		Targets: targets, lookup: r.lookup, lookupInterval: interval, Logger: slog.New(slog.DiscardHandler),
		Options: []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// pinned pins a new connection and returns its backend.
func pinned(t *testing.T, p *Pool) (*Pin, string) {
	t.Helper()
	pin := p.Pin()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	b, err := pin.Backend(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return &pin, b.Addr()
}

// ready counts the backends that new connections may get.
func (p *Pool) ready() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range p.backends {
		if b.state == connectivity.Ready && !b.retired {
			n++
		}
	}
	return n
}

func (p *Pool) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.backends)
}

func TestNameStandsForItsAddresses(t *testing.T) {
	one, _ := serve(t, "127.0.0.1", "0")
	_, port, _ := net.SplitHostPort(one)
	two, _ := serve(t, "127.0.0.2", port)
	r := &resolver{}
	r.say(nil, "127.0.0.1", "127.0.0.1")
	p := newPool(t, r, 10*time.Millisecond, "handler.example:"+port)
	pin, at := pinned(t, p)
	if at != one || p.size() != 1 {
		t.Errorf("pinned to %s of %d, want %s", at, p.size(), one)
	}

	r.say(nil, "127.0.0.1", "127.0.0.2")
	gatewaytest.Eventually(t, "the second backend is connected", func() bool { return p.ready() == 2 })
	_, at = pinned(t, p)
	if at != two {
		t.Errorf("the second connection went to %s, want %s", at, two)
	}

	r.say(nil, "127.0.0.2")
	gatewaytest.Eventually(t, "the first backend is not listed", func() bool { return p.ready() == 1 })
	if b, err := pin.Backend(t.Context()); err != nil || b.Addr() != one || !b.Ready() {
		t.Errorf("the first connection is at %v (%v), want %s for life", b, err, one)
	}
	if _, at = pinned(t, p); at != two {
		t.Errorf("a new connection went to %s", at)
	}
	pin.Release()
	gatewaytest.Eventually(t, "the first backend is freed", func() bool { return p.size() == 1 })
}

func TestLookupThatFailsChangesNothing(t *testing.T) {
	addr, _ := serve(t, "127.0.0.1", "0")
	_, port, _ := net.SplitHostPort(addr)
	r := &resolver{}
	r.say(errors.New("the resolver is on fire"))
	p := newPool(t, r, 10*time.Millisecond, "handler.example:"+port)
	gatewaytest.Eventually(t, "it was looked up", func() bool { return r.times() > 0 })
	gatewaytest.Eventually(t, "the error is told", func() bool {
		pin := p.Pin()
		_, err := pin.Backend(t.Context())
		return err != nil && strings.Contains(err.Error(), `looking up "handler.example": the resolver is on fire`)
	})
	r.say(nil, "127.0.0.1")
	gatewaytest.Eventually(t, "it was found", func() bool { return p.ready() == 1 })
	r.say(errors.New("the resolver is on fire"))
	asked := r.times()
	gatewaytest.Eventually(t, "it was looked up again", func() bool { return r.times() > asked+2 })
	if p.ready() != 1 {
		t.Error("the backend was lost")
	}
}

func TestLostBackendIsLookedUpAtOnce(t *testing.T) {
	addr, stop := serve(t, "127.0.0.1", "0")
	_, port, _ := net.SplitHostPort(addr)
	r := &resolver{}
	r.say(nil, "127.0.0.1")
	p := newPool(t, r, time.Hour, "handler.example:"+port)
	pinned(t, p)
	serve(t, "127.0.0.2", port)
	r.say(nil, "127.0.0.2")
	stop()
	gatewaytest.Eventually(t, "the new address is connected", func() bool { return p.ready() == 1 })
}

func TestLeastLoadedBackendIsTaken(t *testing.T) {
	one, _ := serve(t, "127.0.0.1", "0")
	two, _ := serve(t, "127.0.0.1", "0")
	p := newPool(t, &resolver{}, 0, one, two)
	gatewaytest.Eventually(t, "both are connected", func() bool { return p.ready() == 2 })
	at := make(map[string][]*Pin)
	for range 10 {
		pin, addr := pinned(t, p)
		at[addr] = append(at[addr], pin)
	}
	if len(at[one]) != 5 || len(at[two]) != 5 {
		t.Fatalf("%d and %d", len(at[one]), len(at[two]))
	}
	for _, pin := range at[one] {
		pin.Release()
	}
	for range 5 {
		if _, addr := pinned(t, p); addr != one {
			t.Errorf("went to %s, which has more connections", addr)
		}
	}
}

func TestPinMovesOnlyWhereItMay(t *testing.T) {
	one, stop := serve(t, "127.0.0.1", "0")
	p := newPool(t, &resolver{}, 0, one)
	pin, _ := pinned(t, p)
	two, _ := serve(t, "127.0.0.1", "0")
	stop()
	gatewaytest.Eventually(t, "it is lost", func() bool { return p.ready() == 0 })
	if err := p.add(two); err != nil {
		t.Fatal(err)
	}
	gatewaytest.Eventually(t, "another is connected", func() bool { return p.ready() == 1 })
	if pin.Ready(time.Hour) || pin.Ready(-1) {
		t.Error("the pin may be used")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := pin.Await(ctx, -1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Await: %v", err)
	}
	if err := pin.Await(t.Context(), time.Millisecond); err != nil {
		t.Error(err)
	}
	if b, err := pin.Backend(t.Context()); err != nil || b.Addr() != two {
		t.Errorf("pinned to %v (%v), want %s", b, err, two)
	}
}

func TestClosedPool(t *testing.T) {
	addr, _ := serve(t, "127.0.0.1", "0")
	p := newPool(t, &resolver{}, 0, addr)
	pin, _ := pinned(t, p)
	waiting := make(chan error)
	unpinned := p.Pin()
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	go func() { waiting <- pin.Await(t.Context(), time.Hour) }()
	if err := <-waiting; !errors.Is(err, ErrClosed) {
		t.Errorf("Await: %v", err)
	}
	if _, err := unpinned.Backend(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("Backend: %v", err)
	}
}

func TestTargetsAreHostAndPort(t *testing.T) {
	if _, err := New(Config{Targets: []string{"nowhere"}}); err == nil ||
		!strings.Contains(err.Error(), `"nowhere" must be host:port`) {
		t.Errorf("got %v", err)
	}
}
