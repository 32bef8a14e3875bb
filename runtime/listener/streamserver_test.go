package listener_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener"
	"github.com/exgate/exgate/runtime/listener/certs"
	"github.com/exgate/exgate/runtime/listener/listenertest"
)

// streamServer is a gateway with one TCP, TLS or unix listener.
type streamServer struct {
	listenertest.Server
	addr   string
	socket gateway.Listener
}

func serveStream(t testing.TB, cfg listener.TCPConfig, bytes func(gateway.ConnectionAdapter, []byte),
	limits gateway.Limits,
) *streamServer {
	t.Helper()
	s := newStreamServer(&cfg)
	l, err := listener.ListenTCP(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s.startOn(t, l, bytes, limits)
}

func serveTLS(t testing.TB, cfg listener.TLSConfig, bytes func(gateway.ConnectionAdapter, []byte),
	limits gateway.Limits,
) *streamServer {
	t.Helper()
	s := newStreamServer(&cfg.TCPConfig)
	cfg.CertMetrics = certs.NewMetrics(s.Counts)
	l, err := listener.ListenTLS(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s.startOn(t, l, bytes, limits)
}

func newStreamServer(cfg *listener.TCPConfig) *streamServer {
	s := new(streamServer)
	cfg.Name, cfg.Metrics = "l", listener.NewMetrics(s.Counting())
	if cfg.Bind == "" {
		cfg.Bind = "127.0.0.1:0"
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return s
}

func (s *streamServer) startOn(t testing.TB, l gateway.Listener, bytes func(gateway.ConnectionAdapter, []byte),
	limits gateway.Limits,
) *streamServer {
	t.Helper()
	s.Start(t, l, bytes, limits)
	s.addr, s.socket = l.Addr().String(), l
	return s
}

func echoes(t testing.TB, c net.Conn, text string) {
	t.Helper()
	_ = c.SetDeadline(time.Now().Add(90 * time.Second))
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != text {
		t.Fatalf("read %q, %v, not %q", got, err, text)
	}
}

// echoesOfAllSizes checks echoes of less and of much more than a buffer.
func echoesOfAllSizes(t *testing.T, c net.Conn) {
	t.Helper()
	for _, size := range []int{1, 64, 16 << 10, 1 << 20} {
		want := bytes.Repeat([]byte("x"), size)
		go func() { _, _ = c.Write(want) }()
		got := make([]byte, size)
		if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%d bytes: %v", size, err)
		}
	}
}

func dialTLS(t testing.TB, addr string, cfg *tls.Config) *tls.Conn {
	t.Helper()
	c, err := tls.Dial("tcp", addr, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// tlsOf is a listener's configuration with a certificate of ca.
func tlsOf(t testing.TB, ca *listenertest.Issuer, name string) listener.TLSConfig {
	t.Helper()
	cert, key := ca.IssueServer(t, name)
	return listener.TLSConfig{CertFile: cert, KeyFile: key}
}
