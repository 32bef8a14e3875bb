package remote_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/listener"
	"github.com/exgate/exgate/runtime/remote"
)

// devices is a gateway with one TCP listener whose handler is remote.
type devices struct {
	gateway  *gateway.Gateway
	address  string
	counts   *prometheus.Registry
	shutdown func(context.Context) error
}

// serveDevices runs a gateway until the test ends or shutdown is called.
func serveDevices(t *testing.T, cfg remote.ClientConfig, adapter *remote.Adapter) *devices {
	t.Helper()
	return serveDevicesOf(t, "gw1", cfg, adapter)
}

func serveDevicesOf(t *testing.T, node string, cfg remote.ClientConfig, adapter *remote.Adapter) *devices {
	t.Helper()
	d := &devices{counts: prometheus.NewRegistry()}
	if cfg.Metrics == nil {
		cfg.Metrics = remote.NewMetrics(d.counts)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	d.gateway = gateway.New(gateway.Config{Node: node, Logger: slog.New(slog.DiscardHandler)})
	client, err := remote.NewClient(cfg, adapter)
	must(t, err)
	must(t, d.gateway.SetHandler("demo", client))
	must(t, d.gateway.SetConnector("broker", broker{}))
	l, err := listener.ListenTCP(t.Context(), listener.TCPConfig{Bind: "127.0.0.1:0"})
	must(t, err)
	must(t, d.gateway.AddListener("tcp", l, gateway.ListenerConfig{Handler: "demo", Connector: "broker"}))
	d.address = l.Addr().String()
	var once sync.Once
	d.shutdown = func(ctx context.Context) (err error) {
		once.Do(func() { err = d.gateway.Shutdown(ctx) })
		return err
	}
	t.Cleanup(func() {
		if err := d.shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
	return d
}

func (d *devices) connect(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", d.address)
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

// connectAll connects n devices and waits until the handler knows them.
func (d *devices) connectAll(t *testing.T, n int, l *ledger) []net.Conn {
	t.Helper()
	conns := make([]net.Conn, n)
	for i := range conns {
		conns[i] = d.connect(t)
	}
	gatewaytest.Eventually(t, "all devices are known", func() bool {
		// and has acknowledged them
		return l.count("created") == n && d.metric(t, "exgate_handler_call_seconds", "OnSocketCreated") >= float64(n)
	})
	return conns
}

func (d *devices) metric(t *testing.T, name string, values ...string) float64 {
	t.Helper()
	return gatewaytest.Metric(t, d.counts, name, values...)
}

// connected waits until the gateway is connected to n backends.
func (d *devices) connected(t *testing.T, n float64) {
	t.Helper()
	gatewaytest.Eventually(t, "the backends",
		func() bool { return d.metric(t, "exgate_handler_backends_connected") == n })
}

// ledger is a handler that records the events of each connection in order. It survives restarts of the server.
type ledger struct {
	exproto.UnimplementedConnectionUnaryHandlerServer
	stuck func(event string) // where an event may block; nil: nowhere

	mu     sync.Mutex
	conns  map[string][]string
	counts map[string]int
	seqs   map[string]map[uint64]string // events of sessions
	last   map[string]uint64            // seq of the newest
}

func newLedger() *ledger {
	return &ledger{
		conns: make(map[string][]string), counts: make(map[string]int), seqs: make(map[string]map[uint64]string),
		last: make(map[string]uint64),
	}
}

// newStuckLedger returns a ledger that reports when a device sends "stuck", and stays in that event until leave is
// closed.
func newStuckLedger() (l *ledger, entered <-chan struct{}, leave chan struct{}) {
	in, out := make(chan struct{}), make(chan struct{})
	l = newLedger()
	l.stuck = func(event string) {
		if event == "+stuck" {
			close(in)
			<-out
		}
	}
	return l, in, out
}

func (l *ledger) enter(conn, kind, event string) (*exproto.EmptySuccess, error) {
	l.mu.Lock()
	l.conns[conn] = append(l.conns[conn], event)
	l.counts[kind]++
	l.mu.Unlock()
	if l.stuck != nil {
		l.stuck(event)
	}
	return &exproto.EmptySuccess{}, nil
}

// count returns how many events of a kind came, including repeated ones.
func (l *ledger) count(kind string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts[kind]
}

// heard returns how many bytes came, including repeated ones.
func (l *ledger) heard() (bytes int) {
	l.each(func(_ string, events []string) {
		for _, e := range events {
			if e[0] == '+' {
				bytes += len(e) - 1
			}
		}
	})
	return bytes
}

func (l *ledger) size() (bytes int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, events := range l.conns {
		bytes += len(spoke(events))
	}
	return bytes
}

// each calls f with the events of each connection.
func (l *ledger) each(f func(conn string, events []string)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for conn, events := range l.conns {
		f(conn, events)
	}
}

// spoke returns the bytes from the device, with immediate repetitions removed: no device of these tests repeats itself.
func spoke(events []string) (s string) {
	for i, e := range events {
		if e[0] == '+' && (i == 0 || e != events[i-1]) {
			s += e[1:]
		}
	}
	return s
}

func (l *ledger) OnSocketCreated(_ context.Context, r *exproto.SocketCreatedRequest) (*exproto.EmptySuccess, error) {
	return l.enter(r.GetConn(), "created", "created")
}

func (l *ledger) OnReceivedBytes(_ context.Context, r *exproto.ReceivedBytesRequest) (*exproto.EmptySuccess, error) {
	return l.enter(r.GetConn(), "bytes", "+"+string(r.GetBytes()))
}

func (l *ledger) OnSocketClosed(_ context.Context, r *exproto.SocketClosedRequest) (*exproto.EmptySuccess, error) {
	return l.enter(r.GetConn(), "closed", "closed "+r.GetReason())
}

// tell makes each device send s.
func tell(t *testing.T, conns []net.Conn, s string) {
	t.Helper()
	for _, c := range conns {
		_, err := c.Write([]byte(s))
		must(t, err)
	}
}

// expectOpen fails the test if a device was closed or was sent something.
func expectOpen(t *testing.T, conns []net.Conn) {
	t.Helper()
	for i, c := range conns {
		must(t, c.SetReadDeadline(time.Now().Add(time.Millisecond)))
		var b [1]byte
		if n, err := c.Read(b[:]); n > 0 || !isTimeout(err) {
			t.Fatalf("device %d: %d bytes, %v", i, n, err)
		}
	}
}

func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
