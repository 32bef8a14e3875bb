package ws

import (
	"sync/atomic"
	"unicode/utf8"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener"
)

// conn is the transport of one WebSocket. What the gateway writes to it are whole frames already; see Frame.
type conn struct {
	listener.Socket
	server     *server
	properties []gateway.Property
	conn       *gateway.Conn
	ping       pinger

	text    atomic.Bool  // the device's last message was text
	endCode atomic.Int32 // of the close frame, if the reading goroutine has chosen it

	decoder decoder // owned by the reading goroutine
}

var (
	_ gateway.FramedTransport = (*conn)(nil)
	_ gateway.AuthObserver    = (*conn)(nil)
	_ gateway.Peeker          = (*conn)(nil)
	_ listener.Upgraded       = (*conn)(nil)
)

func newConn(socket listener.Socket, s *server, properties []gateway.Property) *conn {
	t := &conn{Socket: socket, server: s, properties: properties}
	t.decoder.max = s.cfg.MaxMessageBytes
	return t
}

// Info describes the peer and its request.
func (t *conn) Info() gateway.ConnInfo {
	info := t.Socket.Info()
	info.Properties = t.properties
	return info
}

// Attached starts the pings.
func (t *conn) Attached(c *gateway.Conn) {
	t.conn = c
	t.ping.start(c, t.server.cfg.PingInterval)
}

// Receive passes on the messages that b completes.
func (t *conn) Receive(_ *gateway.Conn, b []byte) (rest []byte) {
	t.ping.receive()
	defer t.ping.received()
	rest, v := t.decoder.feed(t, b)
	if v != nil {
		t.end(v.code, v.reason)
	}
	return rest
}

// end closes the connection with a code of its own.
func (t *conn) end(code int, reason gateway.CloseReason) {
	t.endCode.CompareAndSwap(0, int32(code))
	t.conn.Close(reason)
}

func (t *conn) message(text bool, b []byte) {
	t.text.Store(text)
	_ = t.conn.Receive(b)
}

func (t *conn) control(opcode byte, b []byte) {
	switch opcode {
	case opPing:
		t.count("ping")
		if !t.conn.SendControl(appendFrame(nil, opPong, b)) {
			t.count("ping_unanswered")
		}
	case opPong:
		t.count("pong")
	case opClose:
		t.count("close")
		reason := gateway.ReasonTCPClosed
		if t.Socket.Info().SocketType == gateway.SocketSSL {
			reason = gateway.ReasonSSLClosed
		}
		t.end(closeCode(b), reason.With("the device closed its WebSocket with code %d", closeCode(b)))
	}
}

func (t *conn) count(kind string) { t.server.control.WithLabelValues(kind).Inc() }

func (t *conn) charge(n int) { t.conn.Charge(n) }

func (t *conn) ready() bool { return t.conn.Readable() }

// Frame returns b as a message.
func (t *conn) Frame(b []byte) []byte {
	opcode := byte(opBinary)
	if (t.server.cfg.Send == sendText || t.server.cfg.Send != sendBinary && t.text.Load()) && utf8.Valid(b) {
		opcode = opText
	}
	return appendFrame(make([]byte, 0, maxHeader+len(b)), opcode, b)
}

// LastFrame returns the close frame for reason, or the answer to the device's.
func (t *conn) LastFrame(reason gateway.CloseReason) []byte {
	if code := int(t.endCode.Load()); code != 0 {
		return closeFrame(code, reason.Name)
	}
	return closeFrame(codeOf(reason), reason.Name)
}

// Close closes the socket.
func (t *conn) Close() error {
	t.ping.stop()
	return t.Socket.Close()
}

// Abort closes the socket and discards what the kernel has not sent yet.
func (t *conn) Abort() error {
	t.ping.stop()
	return t.Socket.Abort()
}
