package udp

import (
	"net"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// transport is one UDP peer as its connection sees it: one Send is one datagram, and so is one OnReceivedBytes. It
// is no gateway.AuthObserver: anybody can forge the address of a datagram, and would get its owner banned.
type transport struct {
	peer *Peer
	conn *gateway.Conn
}

var (
	_ gateway.Transport = (*transport)(nil)
	_ Receiver          = (*transport)(nil)

	_ gateway.MessageTransport = (*transport)(nil)
)

// Info says who is at the other end.
func (s *transport) Info() gateway.ConnInfo {
	return gateway.ConnInfo{SocketType: gateway.SocketUDP, Peer: s.peer.Addr(), Local: s.peer.Local()}
}

// The most bytes that a datagram carries: 65,535 without the headers of UDP and, where they count, IP.
const (
	maxDatagramIPv4 = 65_507
	maxDatagramIPv6 = 65_527
)

// CheckSend refuses and counts what no datagram holds.
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

// TryWrite sends b, or drops and counts what the socket does not take.
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

// CloseWrite is Close: UDP has no way to say that nothing more comes.
func (s *transport) CloseWrite(time.Duration) error { return s.Close() }

// Close lets the next datagram of the peer make a new connection.
func (s *transport) Close() error {
	s.peer.Close()
	return nil
}

// Abort is Close.
func (s *transport) Abort() error { return s.Close() }

// Ready leaves datagrams in the peer's queue while the handler has paused the connection or its upstream is full.
func (s *transport) Ready(wake func()) bool { return s.conn.WhenReadable(wake) }

// Receive drops what comes over a rate: a queue would only make it late.
func (s *transport) Receive(b []byte) {
	if s.conn.OverRate() {
		s.peer.mux.cfg.losses.add(lostOverRate)
		return
	}
	_ = s.conn.Receive(b)
}

// Idle ends a peer whose handler asked for no keepalive: nothing else would.
func (s *transport) Idle() {
	if !s.conn.KeepaliveStarted() {
		s.conn.Close(gateway.ReasonIdleTimeout)
	}
}

func (s *transport) Ended() { s.conn.ReadEnded(net.ErrClosed) }
