package tlsfiles_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/exgate/exgate/cmd/exgate/internal/certtest"
	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/cmd/exgate/internal/tlsfiles"
)

func files(t *testing.T) (cert, key string) {
	t.Helper()
	dir := t.TempDir()
	certtest.Files(t, dir)
	return filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
}

// shake performs a handshake and returns the certificates that both sides were shown.
func shake(t *testing.T, client, server *tls.Config) (ofServer, ofClient []byte, err error) {
	t.Helper()
	near, far := net.Pipe()
	s := tls.Server(far, server)
	done := make(chan error, 1)
	go func() { done <- errors.Join(s.Handshake(), far.Close()) }()
	c := tls.Client(near, client)
	err = c.Handshake()
	_ = near.Close()
	if err = errors.Join(err, <-done); err != nil {
		return nil, nil, err
	}
	if peer := s.ConnectionState().PeerCertificates; len(peer) > 0 {
		ofClient = peer[0].Raw
	}
	return c.ConnectionState().PeerCertificates[0].Raw, ofClient, nil
}

func TestBothSidesShowTheirCertificates(t *testing.T) {
	serverCert, serverKey := files(t)
	clientCert, clientKey := files(t)
	server, err := tlsfiles.Server(config.AdapterTLS{Cert: serverCert, Key: serverKey, ClientCA: clientCert})
	if err != nil {
		t.Fatal(err)
	}
	of := config.ClientTLS{CA: serverCert, Cert: clientCert, Key: clientKey, ServerName: "localhost"}
	client, err := tlsfiles.Client(of)
	if err != nil {
		t.Fatal(err)
	}
	shown, asked, err := shake(t, client, server)
	if err != nil || len(shown) == 0 || len(asked) == 0 {
		t.Fatalf("shown %d and %d bytes: %v", len(shown), len(asked), err)
	}
	of.Cert, of.Key = "", ""
	if client, err = tlsfiles.Client(of); err != nil {
		t.Fatal(err)
	}
	server.MaxVersion = tls.VersionTLS12 // where the client hears of it within the handshake
	if _, _, err := shake(t, client, server); err == nil {
		t.Error("a client without certificate was let in")
	}
}

func TestCertificateIsReadAgain(t *testing.T) {
	cert, key := files(t)
	server, err := tlsfiles.Server(config.AdapterTLS{Cert: cert, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	shown := func() []byte {
		of, _, err := shake(t, &tls.Config{InsecureSkipVerify: true}, server) // only what is shown counts
		if err != nil {
			t.Fatal(err)
		}
		return of
	}
	first := shown()
	certtest.Files(t, filepath.Dir(cert))
	second := shown()
	if bytes.Equal(first, second) {
		t.Error("the renewed certificate is not shown")
	}
	if err := os.WriteFile(cert, []byte("half a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(shown(), second) {
		t.Error("the last good certificate is not shown")
	}
}

func TestErrorsNameTheFile(t *testing.T) {
	cert, key := files(t)
	none := filepath.Join(t.TempDir(), "none.pem")
	for name, try := range map[string]func() error{
		"authority": func() error { _, err := tlsfiles.Client(config.ClientTLS{CA: none}); return err },
		"not PEM":   func() error { _, err := tlsfiles.Client(config.ClientTLS{CA: key}); return err },
		"client":    func() error { _, err := tlsfiles.Client(config.ClientTLS{Cert: none, Key: key}); return err },
		"server":    func() error { _, err := tlsfiles.Server(config.AdapterTLS{Cert: none, Key: key}); return err },
		"clients": func() error {
			_, err := tlsfiles.Server(config.AdapterTLS{Cert: cert, Key: key, ClientCA: none})
			return err
		},
	} {
		err := try()
		if err == nil || !strings.Contains(err.Error(), none) && !strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
