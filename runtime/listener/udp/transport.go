package udp

import (
	"net"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// transport is the gateway's transport for one UDP peer: one Send is one datagram, and so is one OnReceivedBytes. It is
// not a gateway.AuthObserver: an attacker could forge the address of a datagram and get its owner banned.
type transport struct {
	peer *Peer
	conn *gateway.Conn
}

var (
	_ gateway.Transport = (*transport)(nil)
	_ Receiver          = (*transport)(nil)

	_ gateway.MessageTransport = (*transport)(nil)
	_ gateway.WorkerTransport  = (*transport)(nil)
)

// Info describes the peer.
func (s *transport) Info() gateway.ConnInfo {
	return gateway.ConnInfo{SocketType: gateway.SocketUDP, Peer: s.peer.Addr(), Local: s.peer.Local()}
}

// The maximum payload of a datagram: 65,535 bytes without the UDP header and, for IPv4, the IP header.
const (
	maxDatagramIPv4 = 65_507
	maxDatagramIPv6 = 65_527
)

// CheckSend refuses and counts a message that does not fit into a datagram.
func (s *transport) CheckSend(n int) gateway.Result {
	most := maxDatagramIPv4
	if s.peer.addr.Addr().Is6() {
		most = maxDatagramIPv6
	}
	if n <= most {
		return gateway.OK
	}
	s.peer.mux.cfg.losses.add(lostSendTooLong)
	return gateway.Refuse(gateway.CodeParamsTypeError, "%d bytes do not fit into a datagram: at most %d", n, most)
}

// TryWrite sends b, or drops and counts it if the socket does not accept it.
func (s *transport) TryWrite(b []byte) (int, error) {
	if err := s.peer.Write(b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Write is TryWrite.
func (s *transport) Write(b []byte) (int, error) { return s.TryWrite(b) }

// SetWriteDeadline does nothing: a write never waits.
func (s *transport) SetWriteDeadline(time.Time) error { return nil }

// CloseWrite is Close: UDP cannot signal the end of a stream.
func (s *transport) CloseWrite(time.Duration) error { return s.Close() }

// Close ends the peer; its next datagram makes a new connection.
func (s *transport) Close() error {
	s.peer.Close()
	return nil
}

// Abort is Close.
func (s *transport) Abort() error { return s.Close() }

// BeginWait lets another worker run the other peers while the handler of this one waits.
func (s *transport) BeginWait() { s.peer.mux.workers.beginWait() }

// EndWait ends BeginWait.
func (s *transport) EndWait() { s.peer.mux.workers.endWait() }

// Ready keeps datagrams in the peer's queue while the handler has paused the connection or its upstream is full.
func (s *transport) Ready(wake func()) bool { return s.conn.WhenReadable(wake) }

// Receive drops datagrams over the rate limit: queueing would only delay them.
func (s *transport) Receive(b []byte) {
	if s.conn.OverRate() {
		s.peer.mux.cfg.losses.add(lostOverRate)
		return
	}
	_ = s.conn.Receive(b)
}

// Idle ends a peer whose handler has not started the keepalive timer: nothing else would.
func (s *transport) Idle() {
	if !s.conn.KeepaliveStarted() {
		s.conn.Close(gateway.ReasonIdleTimeout)
	}
}

func (s *transport) Ended() { s.conn.ReadEnded(net.ErrClosed) }
