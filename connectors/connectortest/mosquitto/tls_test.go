package mosquitto

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"strings"
	"testing"
)

func TestTLS(t *testing.T) {
	b := Start(t, Options{TLS: true})
	dialTLS(t, b, b.TLSConfig())
	roots, err := os.ReadFile(b.CAFile())
	if err != nil {
		t.Fatal(err)
	}
	fromFile := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "localhost"}
	if !fromFile.RootCAs.AppendCertsFromPEM(roots) {
		t.Fatalf("no certificate in %s", b.CAFile())
	}
	dialTLS(t, b, fromFile)
	var unknown x509.UnknownAuthorityError
	if _, err := tls.Dial("tcp", tlsAddr(b), &tls.Config{RootCAs: x509.NewCertPool()}); !errors.As(err, &unknown) {
		t.Fatalf("a client that trusts nobody: %v", err)
	}
}

func TestClientCertificates(t *testing.T) {
	b := Start(t, Options{TLS: true, ClientCertificates: true})
	config := b.TLSConfig()
	pair, err := tls.LoadX509KeyPair(b.ClientCertificate(t, "device"))
	if err != nil {
		t.Fatal(err)
	}
	config.Certificates = []tls.Certificate{pair}
	dialTLS(t, b, config)
	conn, err := tls.Dial("tcp", tlsAddr(b), b.TLSConfig())
	if err == nil { // in TLS 1.3, the refusal comes with the first answer
		defer conn.Close()
		_, _ = conn.Write(connectPacket)
		_, err = conn.Read(make([]byte, 1))
	}
	if err == nil || !strings.Contains(err.Error(), "certificate required") {
		t.Fatalf("a client without a certificate: %v", err)
	}
}

func dialTLS(t *testing.T, b *Broker, config *tls.Config) {
	t.Helper()
	conn, err := tls.Dial("tcp", tlsAddr(b), config)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	wantConnack(t, conn)
}

func tlsAddr(b *Broker) string { return strings.TrimPrefix(b.TLSURL(), "mqtts://") }
