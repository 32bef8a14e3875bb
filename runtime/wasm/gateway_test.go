package wasm

import (
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/exgate/exgate/connectors/embedded"
	"github.com/exgate/exgate/internal/wasmtest"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener"
)

// serve runs a guest behind a TCP listener of a gateway with the embedded broker, and returns the address.
func serve(t *testing.T, c Config) string {
	t.Helper()
	return serveWithin(t, c, gateway.Limits{}, quiet)
}

// serveWithin is serve with limits of the connections, and a log of the gateway.
func serveWithin(t *testing.T, c Config, limits gateway.Limits, log *slog.Logger) string {
	t.Helper()
	c.Name, c.Logger = "guest", quiet
	e, err := New(t.Context(), c)
	must(t, err)
	broker, err := embedded.New(embedded.Config{Logger: quiet})
	must(t, err)
	g := gateway.New(gateway.Config{Node: "n", Logger: log})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
		defer cancel()
		must(t, g.Shutdown(ctx))
	})
	must(t, g.SetHandler("guest", e))
	must(t, g.SetConnector("broker", broker))
	l, err := listener.ListenTCP(t.Context(), listener.TCPConfig{Bind: "127.0.0.1:0"})
	must(t, err)
	must(t, g.AddListener("tcp", l, gateway.ListenerConfig{Handler: "guest", Connector: "broker", Limits: limits}))
	return l.Addr().String()
}

// socket is a device on the network.
type socket struct {
	net.Conn
	t *testing.T
}

func dial(t *testing.T, address string) socket {
	t.Helper()
	c, err := net.Dial("tcp", address)
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	must(t, c.SetDeadline(time.Now().Add(90*time.Second)))
	return socket{c, t}
}

func (s socket) write(b string) {
	s.t.Helper()
	_, err := io.WriteString(s, b)
	must(s.t, err)
}

// expect reads the next bytes from the gateway.
func (s socket) expect(want string) {
	s.t.Helper()
	b := make([]byte, len(want))
	if _, err := io.ReadFull(s, b); err != nil || string(b) != want {
		s.t.Fatalf("got %q %v, want %q", b, err, want)
	}
}

func (s socket) expectClosed() {
	s.t.Helper()
	if _, err := io.Copy(io.Discard, s); err != nil {
		s.t.Logf("closed with %v", err)
	}
}

func TestDeviceToBrokerAndBack(t *testing.T) {
	s := dial(t, serve(t, Config{Module: file(t, "scenario")}))
	created := make([]byte, 2)
	if _, err := io.ReadFull(s, created); err != nil || string(created) != "1\x00" {
		t.Fatalf("got %q %v", created, err)
	}
	if _, err := s.Read(make([]byte, 100)); err != nil { // the ConnInfo
		t.Fatal(err)
	}
	s.write("A")
	s.expect("5\x01")
	s.write("S")
	s.expect("s\x005\x03")
	s.write("Phello")
	s.expect("p\x005\x02")
	s.write("T")
	s.expect("t\x00")
	s.write("C")
	s.expectClosed()
}

// A trap behind a real socket closes the connections of its shard, and the next device is served.
func TestTrapBehindASocket(t *testing.T) {
	address := serve(t, Config{Module: file(t, "hostile"), Shards: 1})
	bad, neighbour := dial(t, address), dial(t, address)
	neighbour.write("xello")
	neighbour.expect("xello")
	bad.write("t")
	bad.expectClosed()
	neighbour.expectClosed()
	eventually(t, "a device is served again", func() bool {
		next := dial(t, address)
		defer func() { _ = next.Close() }()
		next.write("x")
		b := make([]byte, 1)
		_, err := io.ReadFull(next, b)
		return err == nil && b[0] == 'x'
	})
}

// If a guest pauses a connection forever, the gateway's own deadlines end it.
func TestGuestThatNeverResumes(t *testing.T) {
	pause := []byte{0x41, 1, 0x0b}
	const reason = "auth_timeout" // the idle timeout does not count while the guest pauses the connection
	limits := gateway.Limits{AuthDeadline: 50 * time.Millisecond, IdleTimeout: 10 * time.Millisecond}
	for export, packet := range map[string]string{"exproto_v1_bytes": "login", "exproto_v1_event": ""} {
		for _, isolation := range []Isolation{IsolationShared, IsolationConnection} {
			module := wasmtest.Guest().With(export, pause...)
			var log syncBuffer
			lines := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			address := serveWithin(t, Config{Module: module.Bytes(), Isolation: isolation}, limits, lines)
			eventually(t, reason, func() bool { // the packet of an earlier device may have been too late for the guest
				s := dial(t, address)
				_, _ = io.WriteString(s, packet)
				s.expectClosed()
				return strings.Contains(log.String(), "reason="+reason)
			})
		}
	}
}

// A trap behind a real socket closes one connection if each has its own instance.
func TestIsolatedTrapBehindASocket(t *testing.T) {
	address := serve(t, Config{Module: file(t, "hostile"), Isolation: IsolationConnection})
	bad, neighbour := dial(t, address), dial(t, address)
	neighbour.write("xello")
	neighbour.expect("xello")
	bad.write("t")
	bad.expectClosed()
	neighbour.write("still")
	neighbour.expect("still")
}
