package listener

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exgate/exgate/runtime/listener/admission"
	"github.com/exgate/exgate/runtime/listener/certs"
)

// tlsServer makes TLS connections of accepted ones.
type tlsServer struct {
	base       *tls.Config // keeps the session ticket keys, so that tickets survive a change of certificates
	current    atomic.Pointer[tls.Config]
	certs      *certs.Files
	timeout    time.Duration
	handshakes *prometheus.CounterVec // by result
}

func newTLSServer(cfg TLSConfig) (*tlsServer, error) {
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
	s := &tlsServer{
		base: base, certs: files, timeout: cmp.Or(cfg.HandshakeTimeout, 15*time.Second),
		handshakes: cfg.Metrics.handshakes.MustCurryWith(label),
	}
	s.use()
	base.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return s.current.Load(), nil }
	return s, nil
}

// use makes new handshakes use the certificates that were loaded last.
func (s *tlsServer) use() {
	loaded := s.certs.Current()
	next := s.base.Clone()
	next.GetConfigForClient = nil
	next.Certificates, next.ClientCAs = []tls.Certificate{loaded.Pair}, loaded.CAs
	s.current.Store(next)
}

// handshake runs the server side on the calling goroutine. It waits for the whole ClientHello as a silent connection;
// only then does it create a crypto/tls connection.
func (s *tlsServer) handshake(socket *streamSocket, e *openingConn) (*tlsSocket, error) {
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
	return nil, &admission.OpeningError{Stage: "TLS handshake", Result: result, Err: err}
}

func (s *tlsServer) shake(socket *streamSocket, e *openingConn) (*tlsSocket, error) {
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
	e.acquire()
	defer e.release()
	wire := newTLSWire(socket, e)
	t := &tlsSocket{streamSocket: socket, wire: wire, tls: tls.Server(wire, s.base)}
	if err := t.shake(context.Background()); err != nil {
		return nil, err
	}
	return t, nil
}

// shake runs the handshake of either side, and keeps the subject of the peer's certificate.
func (s *tlsSocket) shake(ctx context.Context) error {
	if err := s.tls.HandshakeContext(ctx); err != nil {
		return err
	}
	s.wire.shaking, s.wire.opening = false, nil
	if chain := s.tls.ConnectionState().PeerCertificates; len(chain) > 0 {
		s.cert = certs.Info(chain[0])
	}
	return nil
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

// The start of a TLS connection, RFC 8446 sections 4 and 5.1.
const (
	tlsRecordHeader  = 5
	tlsMessageHeader = 4
	tlsHandshake     = 22
	tlsClientHello   = 1
)

// maxHeldHello is how much of a ClientHello is buffered before it is passed to crypto/tls as it is. Ordinary ones have
// 250 to 2,000 bytes.
const maxHeldHello = 4 << 10

// helloWhole reports whether b, the first bytes of a connection, can be passed to crypto/tls: it holds a whole
// ClientHello, has reached maxHeldHello, or is not a ClientHello. A ClientHello may be spread over records.
func helloWhole(b []byte) bool {
	if len(b) >= maxHeldHello {
		return true
	}
	var header []byte // of the message
	held := 0
	for len(b) >= tlsRecordHeader {
		size := int(binary.BigEndian.Uint16(b[3:]))
		if b[0] != tlsHandshake || size == 0 {
			return true
		}
		body := b[tlsRecordHeader:min(len(b), tlsRecordHeader+size)]
		header = append(header, body[:min(len(body), tlsMessageHeader-len(header))]...)
		held += len(body)
		if len(header) > 0 && header[0] != tlsClientHello {
			return true
		}
		if len(header) == tlsMessageHeader && len(body) == size &&
			held-tlsMessageHeader >= int(header[1])<<16|int(header[2])<<8|int(header[3]) {
			return true
		}
		if len(body) < size {
			return false
		}
		b = b[tlsRecordHeader+size:]
	}
	return len(b) > 0 && b[0] != tlsHandshake
}

// readHello reads until helloWhole and leaves the bytes in early. Until then the connection needs no other buffer.
func (s *streamSocket) readHello() error {
	hello := s.early
	s.early = nil
	for !helloWhole(hello) {
		if err := s.read(); err != nil {
			s.early = hello
			return err
		}
		hello = append(hello, s.buf[:s.n]...)
		s.giveBack()
	}
	s.early = hello
	return nil
}
