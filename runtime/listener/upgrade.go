package listener

import (
	"bytes"
	"errors"
	"io"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener/admission"
)

// Upgrade is a protocol between the bytes of a stream socket and the gateway, such as WebSocket.
type Upgrade struct {
	// Name names the protocol's handshake in logs. Required.
	Name string
	// Timeout bounds the handshake, after the PROXY header and the TLS handshake. Required.
	Timeout time.Duration
	// Handshakes counts handshakes by result: ok, failed, timeout, closed, refused, evicted or busy. An error of Accept
	// that is an [UpgradeError] is counted with its own result. Required.
	Handshakes *prometheus.CounterVec
	// Accept performs the handshake. It returns the bytes that it has read beyond it. If it fails, the connection is
	// closed. Required.
	Accept func(*Opening) (Upgraded, []byte, error)
}

// UpgradeError is a handshake that Accept has refused, with the result to count.
type UpgradeError struct {
	Result string
	Err    error
}

func (e *UpgradeError) Error() string { return e.Err.Error() }
func (e *UpgradeError) Unwrap() error { return e.Err }

// Upgraded is the transport above a socket.
type Upgraded interface {
	gateway.Transport

	// Attached is called once, before the first Receive.
	Attached(c *gateway.Conn)

	// Receive takes bytes of the device and passes on to c what they complete. When c is no longer readable, it returns
	// the bytes that are left; they are passed again when c is. The goroutine that reads the socket calls it. b is
	// valid during the call only, and may be modified.
	Receive(c *gateway.Conn, b []byte) (rest []byte)
}

// Socket is the transport below an Upgraded.
type Socket interface {
	gateway.Transport
	gateway.AuthObserver
	gateway.Peeker
}

// Opening is a connection during its handshake.
type Opening struct {
	Socket
	read func(f func(b []byte)) error
}

// Read waits for bytes of the device and calls f with them. They are valid during the call only.
func (o *Opening) Read(f func(b []byte)) error { return o.read(f) }

// upgrade performs the handshake on the calling goroutine.
func (l *stream) upgradeSocket(t socket, e *openingConn) error {
	u := l.upgrade
	s := t.base()
	e.bound(u.Timeout)
	spoke := false
	above, rest, err := u.Accept(&Opening{Socket: t, read: func(f func([]byte)) error {
		if err := t.readTo(f); err != nil {
			return err
		}
		spoke = true
		return s.ticket.Settle()
	}})
	if err == io.EOF && !spoke {
		err = admission.ErrLeft
	}
	result := upgradeResult(s, e, err)
	u.Handshakes.WithLabelValues(result).Inc()
	if err == nil {
		s.above, s.early = above, rest
		return nil
	}
	switch result {
	case "evicted", "busy", "refused", "closed":
	default:
		s.ticket.Failed()
	}
	return &admission.OpeningError{Stage: u.Name, Result: result, Err: err}
}

func upgradeResult(s *streamSocket, e *openingConn, err error) string {
	var refused *UpgradeError
	if errors.As(err, &refused) && !errors.Is(err, os.ErrDeadlineExceeded) {
		return refused.Result
	}
	return handshakeResult(s, e, err)
}

// transport returns the transport that the gateway uses: the socket itself, or the layer above it.
func (s *streamSocket) transport(t socket) gateway.Transport {
	if s.above != nil {
		return s.above
	}
	return t
}

func (s *streamSocket) base() *streamSocket { return s }

// readTo waits for bytes and calls f with them.
func (s *streamSocket) readTo(f func(b []byte)) error {
	if err := s.read(); err != nil {
		return err
	}
	f(s.buf[:s.n])
	s.giveBack()
	return nil
}

// readTo waits for plaintext and calls f with it.
func (s *tlsSocket) readTo(f func(b []byte)) error {
	for {
		n, err := s.decrypt(f)
		if n > 0 {
			return nil
		}
		if err == errNothingYet {
			err = s.fill()
		}
		if err != nil {
			return err
		}
	}
}

// pass hands bytes of the device to c, or to the layer above the socket, which may leave some for later.
func (s *streamSocket) pass(c *gateway.Conn, b []byte) {
	s.deadline.age()
	s.heard()
	if s.above == nil {
		_ = c.Receive(b)
		return
	}
	if rest := s.above.Receive(c, b); len(rest) > 0 {
		s.early = bytes.Clone(rest)
	}
}
