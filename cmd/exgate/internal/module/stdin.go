package module

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// dialer is a listener without a socket: dial makes its devices.
type dialer struct {
	dials  chan dial
	closed chan struct{}
	once   sync.Once
}

type dial struct {
	transport gateway.Transport
	attached  chan attached
}

type attached struct {
	conn *gateway.Conn
	err  error
}

var (
	_ gateway.Listener = (*dialer)(nil)

	errDialerClosed = errors.New("the gateway is stopping")
)

func newDialer() *dialer { return &dialer{dials: make(chan dial), closed: make(chan struct{})} }

func (d *dialer) Serve(attach func(gateway.Transport) (*gateway.Conn, error)) error {
	for {
		select {
		case request := <-d.dials:
			conn, err := attach(request.transport)
			request.attached <- attached{conn, err}
		case <-d.closed:
			return nil
		}
	}
}

func (d *dialer) Addr() net.Addr { return net.TCPAddrFromAddrPort(localAddress) }

func (d *dialer) Close() error {
	d.once.Do(func() { close(d.closed) })
	return nil
}

// dial connects a device. It returns after the handler has received OnSocketCreated.
func (d *dialer) dial(t gateway.Transport) (*gateway.Conn, error) {
	request := dial{t, make(chan attached, 1)}
	select {
	case d.dials <- request:
	case <-d.closed:
		return nil, errDialerClosed
	}
	a := <-request.attached
	return a.conn, a.err
}

// Addresses for documentation, of RFC 5737.
var (
	localAddress  = netip.MustParseAddrPort("192.0.2.1:7000")
	deviceAddress = netip.MustParseAddrPort("192.0.2.7:40000")
)

// printer is the socket of a device. It prints the bytes that are sent.
type printer struct {
	console *console
	socket  gateway.SocketType
}

var _ gateway.Transport = printer{}

func (p printer) Info() gateway.ConnInfo {
	return gateway.ConnInfo{SocketType: p.socket, Peer: deviceAddress, Local: localAddress}
}

func (p printer) TryWrite(b []byte) (int, error) {
	p.console.line("<", "%s", p.console.bytes(b))
	return len(b), nil
}

func (p printer) Write(b []byte) (int, error)      { return p.TryWrite(b) }
func (p printer) SetWriteDeadline(time.Time) error { return nil }
func (p printer) CloseWrite(_ time.Duration) error { return nil }
func (p printer) Close() error                     { return nil }
func (p printer) Abort() error                     { return nil }
