package adapter

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"time"

	"golang.org/x/time/rate"
)

// clientPreface is what every gRPC client sends first, RFC 9113, section 3.4.
const clientPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// tlsRecord is the first byte of every TLS client.
const tlsRecord = 0x16

var errWrongPreface = errors.New("the client is no handler, or calls in the wrong way")

// prefaceListener looks at the first bytes of each connection, ends it where they are no gRPC client's, and says so once a minute at most.
type prefaceListener struct {
	net.Listener
	secure bool
	log    *slog.Logger
	once   *rate.Sometimes
}

// newPrefaceListener watches the connections of l. secure tells that the server behind it speaks TLS.
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

// prefaceConn is a connection of which len(seen) bytes were read. One goroutine reads at a time.
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
		return 0, errWrongPreface // the server would wait for more of it
	}
	return n, err
}

// judge takes the next of the first bytes and returns what a person should check where they are wrong.
func (c *prefaceConn) judge(b []byte) string {
	c.seen = append(c.seen, b[:min(len(b), len(clientPreface)-len(c.seen))]...)
	advice := c.listener.advice(c.seen)
	if c.judged = advice != "" || c.listener.secure || len(c.seen) == len(clientPreface); c.judged {
		c.seen = nil
	}
	return advice
}

func (l *prefaceListener) warn(peer net.Addr, advice string) {
	l.log.Warn("no handler, or one that calls in the wrong way, is connected to the adapter's port", "peer", peer, "check", advice)
}

// advice is what a person should check about a client that begins with seen, empty for what fits so far.
func (l *prefaceListener) advice(seen []byte) string {
	plain := bytes.HasPrefix([]byte(clientPreface), seen)
	switch {
	case !l.secure && plain, l.secure && seen[0] == tlsRecord:
		return ""
	case l.secure && plain:
		return "whether it is a handler without TLS: adapter.tls is configured, and handlers must call the adapter with TLS"
	case !l.secure && seen[0] == tlsRecord:
		return "whether it is a handler with TLS: the adapter speaks TLS where adapter.tls has a certificate; a device belongs to the bind of a listener"
	}
	return "a device seems to be connected to the adapter's port, adapter.bind: point it at the bind of its listener"
}
