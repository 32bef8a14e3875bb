package doctor_test

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/exgate/exgate/cmd/exgate/internal/certtest"
	"github.com/exgate/exgate/cmd/exgate/internal/doctor"
)

// secured returns a handler with a certificate, and its files.
func secured(t *testing.T, change func(*tls.Config)) (address, cert, key string) {
	t.Helper()
	cert, key = certtest.Files(t, t.TempDir())
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	cfg := &tls.Config{Certificates: []tls.Certificate{pair}}
	if change != nil {
		change(cfg)
	}
	return serveGRPC(t, unaryHandler, grpc.Creds(credentials.NewTLS(cfg))), cert, key
}

func TestTLSOfHandlers(t *testing.T) {
	address, cert, _ := secured(t, nil)
	plain := serveGRPC(t, unaryHandler)
	otherCert, otherKey := certtest.Files(t, t.TempDir())

	expect(t, handled(t, "grpc: %q, tls: {ca: %q}", address, cert), doctor.Well, "listeners.a.handler.grpc",
		"speaks HTTP/2")
	expect(t, handled(t, "grpc: %q", address), doctor.Problem, "listeners.a.handler.tls",
		"uses TLS and the gateway does not")
	expect(t, handled(t, "grpc: %q, tls: {ca: %q}", plain, cert), doctor.Problem, "listeners.a.handler.tls",
		"does not use TLS and the gateway does")
	expect(t, handled(t, "grpc: %q", "https://"+plain), doctor.Problem, "listeners.a.handler.tls",
		"remove tls, and https:// from the address")
	expect(t, handled(t, "grpc: %q, tls: {ca: %q}", address, otherCert), doctor.Problem, "listeners.a.handler.tls.ca",
		"is not signed by an authority in "+otherCert)
	expect(t, handled(t, "grpc: %q, tls: {}", address), doctor.Problem, "listeners.a.handler.tls.ca",
		"signed by an unknown authority")
	expect(t, handled(t, "grpc: %q, tls: {ca: %q, server_name: handler.example}", address, cert), doctor.Problem,
		"listeners.a.handler.tls.server_name",
		"is for localhost, 127.0.0.1, not for handler.example")

	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		trusted := certtest.Pool(t, otherCert)
		mutual, cert, key := secured(t, func(c *tls.Config) {
			c.ClientAuth, c.ClientCAs, c.MaxVersion = tls.RequireAndVerifyClientCert, trusted, version
		})
		expect(t, handled(t, "grpc: %q, tls: {ca: %q}", mutual, cert), doctor.Problem, "listeners.a.handler.tls.cert",
			"requires a client certificate")
		expect(t, handled(t, "grpc: %q, tls: {ca: %q, cert: %q, key: %q}", mutual, cert, cert, key), doctor.Problem,
			"listeners.a.handler.tls.cert",
			"rejects the gateway's certificate in "+cert)
		expect(t, handled(t, "grpc: %q, tls: {ca: %q, cert: %q, key: %q}", mutual, cert, otherCert, otherKey),
			doctor.Well, "listeners.a.handler.grpc", "speaks HTTP/2")
		expect(t, handled(t, "grpc: %q", mutual), doctor.Problem, "listeners.a.handler.tls",
			"uses TLS and the gateway does not")
	}
}

func TestServerWithTLSThatIsNoGRPC(t *testing.T) {
	cert, key := certtest.Files(t, t.TempDir())
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			_ = c.(*tls.Conn).Handshake()
			_ = c.Close()
		}
	}()
	expect(t, handled(t, "grpc: %q, tls: {ca: %q}", l.Addr(), cert), doctor.Problem, "listeners.a.handler.grpc",
		"uses TLS without HTTP/2")
}

func TestCertificatesThatAreOutOfDate(t *testing.T) {
	for _, test := range []struct {
		from, to time.Duration
		state    doctor.State
		text     string
	}{
		{-2 * time.Hour, -time.Hour, doctor.Problem, "expired on "},
		{time.Hour, 2 * time.Hour, doctor.Problem, "is not valid before "},
		{-time.Hour, 24 * time.Hour, doctor.Warning, "expires on "},
		{-time.Hour, 366 * 24 * time.Hour, doctor.Well, "is valid until "},
	} {
		folder := t.TempDir()
		cert, key := certtest.Valid(t, time.Now().Add(test.from), time.Now().Add(test.to))
		certFile, keyFile := filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
		for file, data := range map[string][]byte{certFile: cert, keyFile: key} {
			if err := os.WriteFile(file, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		listener := "listeners: {a: {type: tls, bind: 127.0.0.1:0, handler: {wasm: builtin:line}, tls: {cert: '" +
			certFile + "', key: '" + keyFile + "'}}}"
		expect(t, configured(t, listener), test.state, "listeners.a.tls.cert", test.text)
		if test.text == "expired on " {
			pair, err := tls.X509KeyPair(cert, key)
			if err != nil {
				t.Fatal(err)
			}
			server := serveGRPC(t, unaryHandler,
				grpc.Creds(credentials.NewTLS(&tls.Config{
					Certificates: []tls.Certificate{pair},
					ClientCAs:    x509.NewCertPool(),
				})))
			other, _ := certtest.Files(t, folder)
			expect(t, handled(t, "grpc: %q, tls: {ca: %q}", server, other), doctor.Problem, "listeners.a.handler.grpc",
				"the server's certificate expired on ")
		}
	}
}
