package dtls

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	pion "github.com/pion/dtls/v3"
	"github.com/pion/logging"

	"github.com/exgate/exgate/runtime/listener/internal/suite"
)

// This file alone uses the DTLS library.

// cidLength is the length of the connection IDs that this side issues.
const cidLength = 8

// maxRecord is the maximum payload of a record (RFC 6347, section 4.1.1); maxRead is the most that the library reads of
// a datagram.
const (
	maxRecord = 1 << 14
	maxRead   = 8 << 10
)

// The suites enabled by default. CBC and ECDHE_PSK suites must be configured: see RATIONALE.md, "Why are some DTLS
// suites off?".
var (
	certificateSuites = []pion.CipherSuiteID{
		pion.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, pion.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		pion.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, pion.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		pion.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, pion.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		pion.TLS_ECDHE_ECDSA_WITH_AES_128_CCM, pion.TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8,
	}
	pskSuites = []pion.CipherSuiteID{
		pion.TLS_PSK_WITH_AES_128_GCM_SHA256, pion.TLS_PSK_WITH_CHACHA20_POLY1305_SHA256,
		pion.TLS_PSK_WITH_AES_128_CCM, pion.TLS_PSK_WITH_AES_128_CCM_8, pion.TLS_PSK_WITH_AES_256_CCM_8,
	}
	otherSuites = []pion.CipherSuiteID{
		pion.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, pion.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
		pion.TLS_PSK_WITH_AES_128_CBC_SHA256,
		pion.TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256, pion.TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256,
	}
)

// findSuites finds suites by their IANA names. Without names it returns the default ones for certificates, pre-shared
// keys or both.
func findSuites(names []string, certificates, psk bool) ([]pion.CipherSuiteID, error) {
	var suites []pion.CipherSuiteID
	if len(names) == 0 {
		if certificates {
			suites = append(suites, certificateSuites...)
		}
		if psk {
			suites = append(suites, pskSuites...)
		}
		return suites, nil
	}
	known := suitesByName()
	for _, name := range names {
		id, ok := known[name]
		if !ok {
			return nil, fmt.Errorf("unknown DTLS cipher suite %q", name)
		}
		suites = append(suites, id)
	}
	return suites, nil
}

// suitesByName returns all suites by their IANA names.
func suitesByName() map[string]pion.CipherSuiteID {
	known := make(map[string]pion.CipherSuiteID)
	for _, list := range [][]pion.CipherSuiteID{certificateSuites, pskSuites, otherSuites} {
		for _, id := range list {
			known[id.String()] = id
		}
	}
	return known
}

// CipherName returns the IANA name of the cipher suite that name, an IANA or an OpenSSL one, stands for; ok is false if
// DTLS listeners do not have it.
func CipherName(name string) (iana string, ok bool) {
	for known := range suitesByName() {
		if suite.Same(name, known) {
			return known, true
		}
	}
	return "", false
}

// serverOptions are the library's options for new sessions.
type serverOptions []pion.ServerOption

func newServerOptions(cfg *Config, cert *tls.Certificate, clientCAs *x509.CertPool, psk *pskKeys) (
	serverOptions, error,
) {
	suites, err := findSuites(cfg.Ciphers, cert != nil, psk != nil)
	if err != nil {
		return nil, err
	}
	o := serverOptions{
		pion.WithCipherSuites(suites...), pion.WithFlightInterval(time.Second),
		pion.WithExtendedMasterSecret(pion.RequestExtendedMasterSecret),
		pion.WithLoggerFactory(&logging.DefaultLoggerFactory{
			Writer:          io.Discard,
			DefaultLogLevel: logging.LogLevelDisabled,
		}),
	}
	if cert != nil {
		o = append(o, pion.WithCertificates(*cert))
	}
	switch {
	case cfg.FailIfNoCert:
		o = append(o, pion.WithClientCAs(clientCAs), pion.WithClientAuth(pion.RequireAndVerifyClientCert))
	case clientCAs != nil:
		o = append(o, pion.WithClientCAs(clientCAs), pion.WithClientAuth(pion.VerifyClientCertIfGiven))
	}
	if psk != nil {
		o = append(o, pion.WithPSK(psk.serve))
		if cfg.PSK.IdentityHint != "" {
			o = append(o, pion.WithPSKIdentityHint([]byte(cfg.PSK.IdentityHint)))
		}
	}
	// checks the combination of options; nothing runs yet
	_, err = pion.ServerWithOptions(newDatagramPipe(nil), nil, o...)
	return o, err
}

// libraryConn is one DTLS association in the library.
type libraryConn struct {
	conn *pion.Conn
}

// server makes the association of a client. newCID makes its connection ID; nil disables connection IDs.
func (o serverOptions) server(pipe net.PacketConn, remote net.Addr, newCID func() []byte) (libraryConn, error) {
	if newCID != nil {
		o = append(o[:len(o):len(o)], pion.WithConnectionIDGenerator(newCID))
	}
	conn, err := pion.ServerWithOptions(pipe, remote, o...)
	return libraryConn{conn}, err
}

func (c libraryConn) handshake(ctx context.Context) error { return c.conn.HandshakeContext(ctx) }

// read waits for the data of a record. It returns 0 without an error for problems that the session survives; an error
// means that the session has ended.
func (c libraryConn) read(b []byte) (int, error) {
	n, err := c.conn.Read(b)
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	return 0, nil
}

// write sends b as one record.
func (c libraryConn) write(b []byte) error {
	_, err := c.conn.Write(b)
	return err
}

// close sends close_notify and frees all resources. A second call returns at once, possibly before the first is done.
func (c libraryConn) close() { _ = c.conn.Close() }

// certificate returns the client's verified certificate, or nil if it sent none.
func (c libraryConn) certificate() *x509.Certificate {
	state, ok := c.conn.ConnectionState()
	if !ok || len(state.PeerCertificates) == 0 {
		return nil
	}
	cert, err := x509.ParseCertificate(state.PeerCertificates[0])
	if err != nil {
		return nil
	}
	return cert
}
