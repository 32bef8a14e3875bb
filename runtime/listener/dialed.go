package listener

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener/admission"
)

// Dialed is a connection that this side has dialed: the transport of a TCP or TLS connection that was not accepted.
type Dialed struct {
	Socket
	socket socket
}

// NewDialed makes the transport of c, which it owns from then on together with ticket. If cfg is not nil, it runs the
// client's side of a TLS handshake until ctx ends. After an error c is closed and the ticket released.
func NewDialed(
	ctx context.Context, c *net.TCPConn, ticket admission.Ticket, options SocketOptions, cfg *tls.Config,
) (*Dialed, error) {
	s, err := newStreamSocket(c)
	if err != nil {
		ticket.Release()
		return nil, fmt.Errorf("reading the address of a connection: %w", closing(c, err))
	}
	s.ticket = ticket
	options.withDefaults().accepted(c)
	if cfg == nil {
		return &Dialed{s, s}, nil
	}
	wire := newTLSWire(s, nil)
	t := &tlsSocket{streamSocket: s, wire: wire, tls: tls.Client(wire, cfg)}
	if err := t.shake(ctx); err != nil {
		_ = s.Close() // not Abort: a TLS alert may be on its way
		return nil, err
	}
	return &Dialed{t, t}, nil
}

// Serve reads until c or the peer ends. It may return earlier, and leaves the reading to another goroutine then.
func (d *Dialed) Serve(c *gateway.Conn) { d.socket.serve(c) }
