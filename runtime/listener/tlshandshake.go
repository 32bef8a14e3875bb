package listener

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// secure makes TLS connections of accepted ones.
type secure struct {
	base       *tls.Config // holds the session ticket keys, so that tickets outlive a change of certificates
	current    atomic.Pointer[tls.Config]
	certs      *certificates
	timeout    time.Duration
	handshakes *prometheus.CounterVec // labelled with the result
}

func newSecure(cfg TLSConfig) (*secure, error) {
	base, err := cfg.parameters()
	if err != nil {
		return nil, err
	}
	label := prometheus.Labels{"listener": cfg.Name}
	log := cfg.Logger.With("listener", cfg.Name)
	certs, err := loadCertificates(cfg.CertFile, cfg.KeyFile, cfg.CAFile, log, cfg.Metrics.reloads.MustCurryWith(label))
	if err != nil {
		return nil, err
	}
	s := &secure{
		base: base, certs: certs, timeout: orDefault(cfg.HandshakeTimeout, 15*time.Second), handshakes: cfg.Metrics.handshakes.MustCurryWith(label),
	}
	s.use()
	base.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return s.current.Load(), nil }
	return s, nil
}

// use has the next handshakes use the certificates that were loaded last.
func (s *secure) use() {
	loaded := s.certs.current.Load()
	next := s.base.Clone()
	next.GetConfigForClient = nil
	next.Certificates, next.ClientCAs = []tls.Certificate{loaded.pair}, loaded.cas
	s.current.Store(next)
}

// handshake runs the server's side on the calling goroutine.
func (s *secure) handshake(socket *streamSocket, e *openingConn) (*tlsSocket, error) {
	e.bound(s.timeout)
	e.compute()
	wire := newTLSWire(socket, e)
	t := &tlsSocket{streamSocket: socket, wire: wire, tls: tls.Server(wire, s.base)}
	err := t.tls.HandshakeContext(context.Background())
	e.rest()
	result := handshakeResult(e, wire, err)
	s.handshakes.WithLabelValues(result).Inc()
	if err != nil {
		if result == "failed" || result == "timeout" {
			socket.ticket.Failed()
		}
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	wire.opening = nil
	if certs := t.tls.ConnectionState().PeerCertificates; len(certs) > 0 {
		t.cert = certificateInfo(certs[0])
	}
	return t, nil
}

func handshakeResult(e *openingConn, w *tlsWire, err error) string {
	switch {
	case err == nil:
		return "ok"
	case e.evicted.Load():
		return "evicted"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "timeout"
	case !w.heard && errors.Is(err, io.EOF): // whoever only looks whether somebody listens
		return "closed"
	}
	return "failed"
}
