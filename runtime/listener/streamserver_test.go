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
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener"
)

// streamServer is a gateway with one TCP, TLS or unix listener.
type streamServer struct {
	*echo
	addr    string
	socket  gateway.Listener
	gateway *gateway.Gateway
	counts  *prometheus.Registry
}

func serveStream(t testing.TB, cfg listener.TCPConfig, bytes func(gateway.ConnectionAdapter, []byte), limits gateway.Limits) *streamServer {
	t.Helper()
	s := newStreamServer(&cfg)
	l, err := listener.ListenTCP(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.start(t, l, bytes, limits)
	return s
}

func serveTLS(t testing.TB, cfg listener.TLSConfig, bytes func(gateway.ConnectionAdapter, []byte), limits gateway.Limits) *streamServer {
	t.Helper()
	s := newStreamServer(&cfg.TCPConfig)
	l, err := listener.ListenTLS(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.start(t, l, bytes, limits)
	return s
}

func newStreamServer(cfg *listener.TCPConfig) *streamServer {
	s := &streamServer{counts: prometheus.NewRegistry()}
	cfg.Name, cfg.Metrics = "l", listener.NewMetrics(s.counts)
	if cfg.Bind == "" {
		cfg.Bind = "127.0.0.1:0"
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return s
}

func (s *streamServer) start(t testing.TB, l gateway.Listener, bytes func(gateway.ConnectionAdapter, []byte), limits gateway.Limits) {
	t.Helper()
	s.echo = &echo{bytes: bytes, closed: make(chan gateway.CloseReason, 10000), info: make(chan gateway.ConnInfo, 10000)}
	s.addr, s.socket = l.Addr().String(), l
	s.gateway = gateway.New(gateway.Config{Logger: slog.New(slog.DiscardHandler)})
	if err := errors.Join(s.gateway.SetHandler("h", s.echo), s.gateway.SetConnector("c", noUpstream{}),
		s.gateway.AddListener("l", l, gateway.ListenerConfig{Handler: "h", Connector: "c", Limits: limits})); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.gateway.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
}

// count is the value of a counter of which a label has the value label; without one, the sum of all.
func (s *streamServer) count(t testing.TB, name, label string) (n float64) {
	t.Helper()
	families, err := s.counts.Gather()
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

func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func echoes(t testing.TB, c net.Conn, text string) {
	t.Helper()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != text {
		t.Fatalf("read %q, %v, not %q", got, err, text)
	}
}

// issuer signs certificates for a test.
type issuer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
	dir  string
}

func newIssuer(t testing.TB) *issuer {
	t.Helper()
	ca := &issuer{dir: t.TempDir()}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "Test CA"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	ca.file, _ = ca.issue(t, "ca", template)
	return ca
}

// issue writes a certificate and its key to files named name. A device's takes its subject from template, and only that.
func (ca *issuer) issue(t testing.TB, name string, template *x509.Certificate) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber, _ = rand.Int(rand.Reader, big.NewInt(1<<62))
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := ca.cert, ca.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	if ca.cert == nil {
		ca.cert, _ = x509.ParseCertificate(der)
		ca.key = key
	}
	pkcs8, _ := x509.MarshalPKCS8PrivateKey(key)
	certFile, keyFile = filepath.Join(ca.dir, name+".crt"), filepath.Join(ca.dir, name+".key")
	replaceFile(t, certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	replaceFile(t, keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
	return certFile, keyFile
}

func (ca *issuer) server(t testing.TB, name string) listener.TLSConfig {
	t.Helper()
	cert, key := ca.issue(t, name, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	return listener.TLSConfig{CertFile: cert, KeyFile: key}
}

func (ca *issuer) device(t testing.TB, subject pkix.Name) tls.Certificate {
	t.Helper()
	cert, key := ca.issue(t, "device", &x509.Certificate{Subject: subject, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func (ca *issuer) client(certificates ...tls.Certificate) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	return &tls.Config{RootCAs: roots, Certificates: certificates, ServerName: "localhost"}
}

// replaceFile puts the whole of a file in place at once.
func replaceFile(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := errors.Join(os.WriteFile(path+".new", content, 0o600), os.Rename(path+".new", path)); err != nil {
		t.Fatal(err)
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
