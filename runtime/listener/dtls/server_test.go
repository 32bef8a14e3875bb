package dtls_test

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	pion "github.com/pion/dtls/v3"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener/certs"
	"github.com/exgate/exgate/runtime/listener/dtls"
	"github.com/exgate/exgate/runtime/listener/listenertest"
	"github.com/exgate/exgate/runtime/listener/udp"
)

// dtlsServer is a gateway with a DTLS listener.
type dtlsServer struct {
	listenertest.Server
	listener *dtls.Listener
}

func serveDTLS(t testing.TB, cfg dtls.Config, limits gateway.Limits,
	bytes func(gateway.ConnectionAdapter, []byte),
) *dtlsServer {
	t.Helper()
	s := new(dtlsServer)
	if cfg.Bind == "" {
		cfg.Bind = "127.0.0.1:0"
	}
	cfg.Name, cfg.Logger = "d", slog.New(slog.DiscardHandler)
	cfg.Metrics, cfg.UDPMetrics, cfg.CertMetrics = dtls.NewMetrics(s.Counting()), udp.NewMetrics(s.Counts),
		certs.NewMetrics(s.Counts)
	var err error
	if s.listener, err = dtls.Listen(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	s.Start(t, s.listener, bytes, limits)
	return s
}

// certDTLS is a listener's configuration with a certificate.
func certDTLS(t testing.TB) dtls.Config {
	t.Helper()
	return dtlsOf(t, listenertest.NewIssuer(t))
}

func dtlsOf(t testing.TB, ca *listenertest.Issuer) dtls.Config {
	t.Helper()
	cert, key := ca.IssueServer(t, "gateway")
	return dtls.Config{CertFile: cert, KeyFile: key}
}

// pskDTLS is a configuration with pre-shared keys: c0ffee is that of meter-1.
func pskDTLS(t testing.TB) dtls.Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "keys.psk")
	if err := os.WriteFile(file, []byte("meter-1:c0ffee\nmeter-2:00112233445566778899aabbccddeeff\n"),
		0o600); err != nil {
		t.Fatal(err)
	}
	return dtls.Config{PSK: dtls.PSKConfig{IdentityHint: "exgate", File: file}}
}

func udpSocket(t testing.TB, bind string) *net.UDPConn {
	t.Helper()
	addr, err := net.ResolveUDPAddr("udp", bind)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.ListenUDP("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func (s *dtlsServer) addr() *net.UDPAddr { return s.listener.Addr().(*net.UDPAddr) }

// client shakes hands over socket.
func (s *dtlsServer) client(t testing.TB, socket net.PacketConn, options ...pion.ClientOption) (*pion.Conn, error) {
	t.Helper()
	c, err := pion.ClientWithOptions(socket, s.addr(),
		append([]pion.ClientOption{pion.WithInsecureSkipVerify(true)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	return c, c.HandshakeContext(ctx)
}

// dial is client over a new socket; it must succeed.
func (s *dtlsServer) dial(t testing.TB, options ...pion.ClientOption) *pion.Conn {
	t.Helper()
	c, err := s.client(t, udpSocket(t, "127.0.0.1:0"), options...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// asMeter creates a client meter-1, with that key.
func asMeter(key ...byte) []pion.ClientOption {
	return []pion.ClientOption{
		pion.WithPSK(func([]byte) ([]byte, error) { return key, nil }), pion.WithPSKIdentityHint([]byte("meter-1")),
		pion.WithCipherSuites(pion.TLS_PSK_WITH_AES_128_GCM_SHA256),
	}
}

// dtlsEchoes checks that c is served.
func dtlsEchoes(t testing.TB, c net.Conn, text string) {
	t.Helper()
	_ = c.SetDeadline(time.Now().Add(90 * time.Second))
	if _, err := c.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 8192)
	n, err := c.Read(b)
	if err != nil || string(b[:n]) != text {
		t.Fatalf("echo of %d bytes: %d, %v", len(text), n, err)
	}
}
