package listener_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener"
)

// dtlsServer is a gateway with a DTLS listener, whose handlers are an echo's.
type dtlsServer struct {
	*echo
	listener *listener.DTLS
	reg      *prometheus.Registry
}

func serveDTLS(t testing.TB, cfg listener.DTLSConfig, limits gateway.Limits, bytes func(a gateway.ConnectionAdapter, b []byte)) *dtlsServer {
	t.Helper()
	s := &dtlsServer{
		echo: &echo{bytes: bytes, closed: make(chan gateway.CloseReason, 10_000), info: make(chan gateway.ConnInfo, 10_000)},
		reg:  prometheus.NewRegistry(),
	}
	if cfg.Bind == "" {
		cfg.Bind = "127.0.0.1:0"
	}
	cfg.Name, cfg.Metrics, cfg.Logger = "d", listener.NewMetrics(s.reg), slog.New(slog.DiscardHandler)
	l, err := listener.ListenDTLS(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.listener = l
	gw := gateway.New(gateway.Config{Logger: slog.New(slog.DiscardHandler)})
	if err := errors.Join(gw.SetHandler("h", s), gw.SetConnector("c", noUpstream{}),
		gw.AddListener("d", l, gateway.ListenerConfig{Handler: "h", Connector: "c", Limits: limits})); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := gw.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

// counted is the value of a counter with a label value.
func (s *dtlsServer) counted(t testing.TB, name, label string) (n float64) {
	t.Helper()
	families, err := s.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == name && l.GetValue() == label {
					n += m.GetCounter().GetValue()
				}
			}
		}
	}
	return n
}

// dtlsAuthority signs certificates for the tests.
type dtlsAuthority struct {
	dir  string
	file string // its own certificate
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newDTLSAuthority(t testing.TB) *dtlsAuthority {
	t.Helper()
	a := &dtlsAuthority{dir: t.TempDir()}
	a.file, _, a.cert, a.key = a.issue(t, pkix.Name{CommonName: "test authority"}, true)
	return a
}

// sign makes a certificate and its key, and returns their files.
func (a *dtlsAuthority) sign(t testing.TB, subject pkix.Name) (certFile, keyFile string) {
	t.Helper()
	certFile, keyFile, _, _ = a.issue(t, subject, false)
	return certFile, keyFile
}

func (a *dtlsAuthority) issue(t testing.TB, subject pkix.Name, ca bool) (certFile, keyFile string, cert *x509.Certificate, key *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: subject, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"}, IsCA: ca, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err = x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(a.dir, cert.SerialNumber.String())
	certFile, keyFile = name+".pem", name+".key"
	writeDTLSPEM(t, certFile, "CERTIFICATE", der)
	writeDTLSPEM(t, keyFile, "PRIVATE KEY", keyDER)
	return certFile, keyFile, cert, key
}

func writeDTLSPEM(t testing.TB, file, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// certDTLS is a listener's configuration with a certificate.
func certDTLS(t testing.TB) listener.DTLSConfig {
	t.Helper()
	a := newDTLSAuthority(t)
	cert, key := a.sign(t, pkix.Name{CommonName: "gateway"})
	return listener.DTLSConfig{CertFile: cert, KeyFile: key}
}

// pskDTLS is a configuration with pre-shared keys: c0ffee is that of meter-1.
func pskDTLS(t testing.TB) listener.DTLSConfig {
	t.Helper()
	file := filepath.Join(t.TempDir(), "keys.psk")
	if err := os.WriteFile(file, []byte("meter-1:c0ffee\nmeter-2:00112233445566778899aabbccddeeff\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return listener.DTLSConfig{PSK: listener.PSKConfig{IdentityHint: "exgate", File: file}}
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
func (s *dtlsServer) client(t testing.TB, socket net.PacketConn, options ...dtls.ClientOption) (*dtls.Conn, error) {
	t.Helper()
	c, err := dtls.ClientWithOptions(socket, s.addr(), append([]dtls.ClientOption{dtls.WithInsecureSkipVerify(true)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return c, c.HandshakeContext(ctx)
}

// dial is client over a new socket; it must succeed.
func (s *dtlsServer) dial(t testing.TB, options ...dtls.ClientOption) *dtls.Conn {
	t.Helper()
	c, err := s.client(t, udpSocket(t, "127.0.0.1:0"), options...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// asMeter makes a client meter-1, with that key.
func asMeter(key ...byte) []dtls.ClientOption {
	return []dtls.ClientOption{
		dtls.WithPSK(func([]byte) ([]byte, error) { return key, nil }), dtls.WithPSKIdentityHint([]byte("meter-1")),
		dtls.WithCipherSuites(dtls.TLS_PSK_WITH_AES_128_GCM_SHA256),
	}
}

func dtlsCertificate(t testing.TB, certFile, keyFile string) tls.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// dtlsEchoes checks that c is served.
func dtlsEchoes(t testing.TB, c net.Conn, text string) {
	t.Helper()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := c.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 8192)
	n, err := c.Read(b)
	if err != nil || string(b[:n]) != text {
		t.Fatalf("echo of %d bytes: %d, %v", len(text), n, err)
	}
}
