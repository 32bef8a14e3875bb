package adapter

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"time"

	"golang.org/x/time/rate"
)

// clientPreface is what every gRPC client sends first (RFC 9113, section 3.4).
const clientPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// tlsRecord is the first byte that a TLS client sends.
const tlsRecord = 0x16

var errWrongPreface = errors.New("the client does not speak gRPC as configured")

// prefaceListener checks the first bytes of each connection. It closes connections of clients that do not speak gRPC,
// and logs one a minute.
type prefaceListener struct {
	net.Listener
	secure bool
	log    *slog.Logger
	once   *rate.Sometimes
}

// newPrefaceListener checks the connections of l. secure says that the server behind it speaks TLS.
func newPrefaceListener(l net.Listener, secure bool, log *slog.Logger) net.Listener {
	return &prefaceListener{Listener: l, secure: secure, log: log, once: &rate.Sometimes{Interval: time.Minute}}
}

func (l *prefaceListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &prefaceConn{Conn: conn, listener: l}, nil
}

// prefaceConn is a connection of which len(seen) bytes have been read. One goroutine reads at a time.
type prefaceConn struct {
	net.Conn
	listener *prefaceListener
	judged   bool
	seen     []byte
}

func (c *prefaceConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.judged || n == 0 {
		return n, err
	}
	if advice := c.judge(b[:n]); advice != "" {
		c.listener.once.Do(func() { c.listener.warn(c.RemoteAddr(), advice) })
		return 0, errWrongPreface // without an error the server would wait for more
	}
	return n, err
}

// judge checks the next of the first bytes and returns what to check if they are wrong.
func (c *prefaceConn) judge(b []byte) string {
	c.seen = append(c.seen, b[:min(len(b), len(clientPreface)-len(c.seen))]...)
	advice := c.listener.advice(c.seen)
	if c.judged = advice != "" || c.listener.secure || len(c.seen) == len(clientPreface); c.judged {
		c.seen = nil
	}
	return advice
}

func (l *prefaceListener) warn(peer net.Addr, advice string) {
	l.log.Warn("a client of the adapter's port does not speak gRPC as configured", "peer", peer,
		"check", advice)
}

// advice returns what to check about a client that begins with seen, or "" if seen is right so far.
func (l *prefaceListener) advice(seen []byte) string {
	plain := bytes.HasPrefix([]byte(clientPreface), seen)
	switch {
	case !l.secure && plain, l.secure && seen[0] == tlsRecord:
		return ""
	case l.secure && plain:
		return "whether it is a handler without TLS: adapter.tls is configured, so handlers must use TLS"
	case !l.secure && seen[0] == tlsRecord:
		return "whether it is a handler with TLS: set adapter.tls for that; devices connect to the bind of a listener"
	}
	return "a device seems to be connected to the adapter's port, adapter.bind: point it at the bind of its listener"
}
