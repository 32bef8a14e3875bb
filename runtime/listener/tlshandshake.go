package listener

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exgate/exgate/runtime/listener/admission"
	"github.com/exgate/exgate/runtime/listener/certs"
)

// secure makes TLS connections of accepted ones.
type secure struct {
	base       *tls.Config // holds the session ticket keys, so that tickets outlive a change of certificates
	current    atomic.Pointer[tls.Config]
	certs      *certs.Files
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
	files, err := certs.Load(cfg.CertFile, cfg.KeyFile, cfg.CAFile, log, cfg.CertMetrics, cfg.Name)
	if err != nil {
		return nil, err
	}
	s := &secure{
		base: base, certs: files, timeout: cmp.Or(cfg.HandshakeTimeout, 15*time.Second), handshakes: cfg.Metrics.handshakes.MustCurryWith(label),
	}
	s.use()
	base.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return s.current.Load(), nil }
	return s, nil
}

// use has the next handshakes use the certificates that were loaded last.
func (s *secure) use() {
	loaded := s.certs.Current()
	next := s.base.Clone()
	next.GetConfigForClient = nil
	next.Certificates, next.ClientCAs = []tls.Certificate{loaded.Pair}, loaded.CAs
	s.current.Store(next)
}

// handshake runs the server's side on the calling goroutine: it waits for the whole ClientHello among the silent, and only then is there anything of
// crypto/tls.
func (s *secure) handshake(socket *streamSocket, e *openingConn) (*tlsSocket, error) {
	e.bound(s.timeout)
	t, err := s.shake(socket, e)
	result := handshakeResult(socket, e, err)
	s.handshakes.WithLabelValues(result).Inc()
	if err == nil {
		return t, nil
	}
	if result == "failed" || result == "timeout" {
		socket.ticket.Failed()
	}
	return nil, &admission.OpeningError{Doing: "TLS handshake", Result: result, Err: err}
}

func (s *secure) shake(socket *streamSocket, e *openingConn) (*tlsSocket, error) {
	if err := socket.readHello(); err == io.EOF && len(socket.early) == 0 {
		return nil, admission.ErrLeft
	} else if err != nil {
		return nil, err
	}
	if err := socket.ticket.Settle(); err != nil {
		return nil, err
	}
	if !e.enter(e.in.shaking, socket.peer.Addr()) {
		return nil, admission.ErrBusy
	}
	e.compute()
	defer e.rest()
	wire := newTLSWire(socket, e)
	t := &tlsSocket{streamSocket: socket, wire: wire, tls: tls.Server(wire, s.base)}
	if err := t.tls.HandshakeContext(context.Background()); err != nil {
		return nil, err
	}
	wire.opening = nil
	if chain := t.tls.ConnectionState().PeerCertificates; len(chain) > 0 {
		t.cert = certs.Info(chain[0])
	}
	return t, nil
}

func handshakeResult(s *streamSocket, e *openingConn, err error) string {
	switch {
	case err == nil:
		return "ok"
	case e.evicted.Load() || s.evicted.Load():
		return "evicted"
	case errors.Is(err, admission.ErrBusy):
		return "busy"
	case errors.Is(err, admission.ErrRefused):
		return "refused"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "timeout"
	case errors.Is(err, admission.ErrLeft):
		return "closed"
	}
	return "failed"
}
