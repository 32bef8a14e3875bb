package dtls

import (
	"net"
	"sync/atomic"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener/certs"
)

// transport is the gateway's transport for an established session.
type transport struct {
	session *session
	heard   atomic.Int64 // when authenticated data came last, on mux.now's clock
}

var (
	_ gateway.Transport    = (*transport)(nil)
	_ gateway.AuthObserver = (*transport)(nil)

	_ gateway.MessageTransport = (*transport)(nil)
)

// serve makes the connection and reads the session until it ends.
func (s *session) serve() {
	s.socket.session = s
	s.socket.touch()
	conn, err := s.listener.attach(&s.socket)
	if err != nil {
		return
	}
	idle := s.socket.watchIdle(conn)
	err = s.socket.read(conn)
	idle.Stop()
	conn.ReadEnded(s.why(err))
}

// read passes each record to the handler, until the session ends. Records over the rate limit are dropped. A busy
// handler or upstream pauses the reading; the pipe drops what it cannot hold meanwhile.
func (s *transport) read(conn *gateway.Conn) error {
	b := make([]byte, maxRead)
	for {
		n, err := s.session.conn.read(b)
		if err != nil {
			return err
		}
		if n == 0 {
			continue
		}
		s.touch()
		s.session.guard.authenticated.Store(true)
		if conn.OverRate() {
			s.session.listener.counters.drop(dropOverRate)
			continue
		}
		_ = conn.WaitReadable() // the reading ends with the connection
		_ = conn.Receive(b[:n])
	}
}

func (s *transport) touch() { s.heard.Store(int64(s.session.listener.mux.Now())) }

// watchIdle ends the connection when nothing arrived for its idle timeout, unless its handler started the keepalive
// timer, which then decides.
func (s *transport) watchIdle(conn *gateway.Conn) *time.Timer {
	var timer *time.Timer
	timer = time.AfterFunc(time.Hour, func() {
		silent := s.session.listener.mux.Now() - time.Duration(s.heard.Load())
		switch {
		case conn.KeepaliveStarted():
		case silent >= conn.IdleTimeout():
			conn.Close(gateway.ReasonIdleTimeout)
		default:
			timer.Reset(conn.IdleTimeout() - silent)
		}
	})
	timer.Reset(conn.IdleTimeout())
	return timer
}

// Info describes the peer.
func (s *transport) Info() gateway.ConnInfo {
	peer := s.session.peer.path.peer
	info := gateway.ConnInfo{SocketType: gateway.SocketDTLS, Peer: peer.Addr(), Local: peer.Local()}
	if cert := s.session.conn.certificate(); cert != nil {
		info.PeerCert = certs.Info(cert)
	}
	return info
}

// CheckSend refuses and counts a message that does not fit into a record.
func (s *transport) CheckSend(n int) gateway.Result {
	if n <= maxRecord {
		return gateway.OK
	}
	s.session.listener.counters.drop(dropRecordSize)
	return gateway.Refuse(gateway.CodeParamsTypeError, "%d bytes do not fit into a DTLS record: at most %d", n,
		maxRecord)
}

// TryWrite sends b as one record without waiting. A record that the socket does not accept is lost and counted.
func (s *transport) TryWrite(b []byte) (int, error) {
	if err := s.session.conn.write(b); err != nil {
		return 0, net.ErrClosed
	}
	return len(b), nil
}

// Write is TryWrite.
func (s *transport) Write(b []byte) (int, error) { return s.TryWrite(b) }

// SetWriteDeadline does nothing: writing never waits.
func (s *transport) SetWriteDeadline(time.Time) error { return nil }

// CloseWrite sends close_notify. Datagrams need no lingering.
func (s *transport) CloseWrite(time.Duration) error { return s.Close() }

// Close sends close_notify and ends the session.
func (s *transport) Close() error {
	s.session.close()
	return nil
}

// Abort ends the session without close_notify.
func (s *transport) Abort() error {
	_ = s.session.pipe.Close()
	return s.Close()
}

// AuthFailed counts a failure against the client's address.
func (s *transport) AuthFailed() { s.session.failed() }
