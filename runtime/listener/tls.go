package listener

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener/certs"
)

// TLSConfig configures a TLS listener. crypto/tls has no pre-shared keys; use DTLS for those.
type TLSConfig struct {
	// TCPConfig configures the sockets below.
	TCPConfig
	// CertFile is the PEM file of the listener's certificate, followed by intermediate ones. Required.
	CertFile string
	// KeyFile is the PEM file of its private key. Required.
	KeyFile string
	// CAFile is the PEM file of the authorities that sign device certificates. Required if Verify is peer.
	CAFile string
	// CertMetrics counts reloads of the files. If zero, an unregistered set.
	CertMetrics *certs.Metrics
	// Verify is none, or peer to request a device certificate and verify it against CAFile. The default is none.
	Verify string
	// FailIfNoCert refuses devices without a certificate. It needs Verify to be peer. If zero, they are let in.
	FailIfNoCert bool
	// MinVersion is the lowest version accepted: 1.0, 1.1, 1.2 or 1.3. If zero, 1.2.
	MinVersion string
	// MaxVersion is the highest. If zero, 1.3.
	MaxVersion string
	// Ciphers lists the cipher suites for TLS 1.2 and lower, by IANA or OpenSSL name. If zero, the ones that crypto/tls
	// considers safe.
	Ciphers []string
	// HandshakeTimeout bounds a handshake. If zero, 15 s.
	HandshakeTimeout time.Duration
	// MaxHandshakes bounds the handshakes in progress. Above it, the oldest one that waits for its device is evicted;
	// if all wait for a processor, the new connection is closed. Both are counted. Connections that have not sent a
	// whole ClientHello are counted apart: four times as many are allowed, and the oldest is evicted. If zero, 1024.
	MaxHandshakes int

	certificateWatch time.Duration // how often the certificate files are checked; tests shorten it
}

// certificateWatch is how often the certificate files are checked.
const certificateWatch = 5 * time.Second

const (
	verifyNone = "none"
	verifyPeer = "peer"
)

// TLS accepts TLS connections.
type TLS struct {
	*stream
	interval time.Duration
}

var _ gateway.Listener = (*TLS)(nil)

// ListenTLS reads the certificates and opens the socket. Nothing is accepted before Serve.
func ListenTLS(ctx context.Context, cfg TLSConfig) (*TLS, error) {
	l, err := listenTLS(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("opening TLS listener: %w", err)
	}
	return l, nil
}

func listenTLS(ctx context.Context, cfg TLSConfig) (*TLS, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
	sec, err := newTLSServer(cfg)
	if err != nil {
		return nil, err
	}
	s, err := listenStream(ctx, cfg.TCPConfig)
	if err != nil {
		return nil, err
	}
	s.tls = sec
	s.opening = newOpening(cmp.Or(cfg.MaxHandshakes, defaultMaxOpening))
	return &TLS{stream: s, interval: cmp.Or(cfg.certificateWatch, certificateWatch)}, nil
}

// parameters checks the settings that do not come from files.
func (cfg TLSConfig) parameters() (*tls.Config, error) {
	low, high, err := parseTLSVersions(cfg.MinVersion, cfg.MaxVersion)
	if err != nil {
		return nil, err
	}
	ciphers, err := parseCiphers(cfg.Ciphers)
	if err != nil {
		return nil, err
	}
	auth, err := cfg.clientAuth()
	if err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: low, MaxVersion: high, CipherSuites: ciphers, ClientAuth: auth}, nil
}

func (cfg TLSConfig) clientAuth() (tls.ClientAuthType, error) {
	switch {
	case cfg.Verify != "" && cfg.Verify != verifyNone && cfg.Verify != verifyPeer:
		return 0, fmt.Errorf("verify %q: it must be %s or %s", cfg.Verify, verifyNone, verifyPeer)
	case cfg.Verify == verifyPeer && cfg.CAFile == "":
		return 0, errors.New("verify peer needs a CA file")
	case cfg.FailIfNoCert && cfg.Verify != verifyPeer:
		return 0, errors.New("fail_if_no_cert needs verify: peer")
	case cfg.FailIfNoCert:
		return tls.RequireAndVerifyClientCert, nil
	case cfg.Verify == verifyPeer:
		return tls.VerifyClientCertIfGiven, nil
	}
	return tls.NoClientCert, nil
}

// Serve accepts until Close, reads each connection on a goroutine of its own, and keeps an eye on the certificate
// files.
func (l *TLS) Serve(attach func(gateway.Transport) (*gateway.Conn, error)) error {
	var watcher sync.WaitGroup
	watcher.Go(func() { l.tls.certs.Watch(l.interval, l.tls.use) })
	defer watcher.Wait()
	defer l.tls.certs.Close()
	return l.stream.Serve(attach)
}

// Reload looks at the certificate files now. While they cannot be used the previous certificates stay in use, and the
// log says so.
func (l *TLS) Reload() {
	if l.tls.certs.Reload() {
		l.tls.use()
	}
}

// Check reads the files and reports what [ListenTLS] would refuse, without opening a socket.
func (cfg TLSConfig) Check() error {
	cfg.Logger, cfg.Metrics = slog.New(slog.DiscardHandler), NewMetrics(nil)
	_, err := newTLSServer(cfg)
	return err
}
