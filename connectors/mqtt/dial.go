package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"github.com/exgate/exgate/runtime/gateway"
)

// server is the one that answered last.
func (b *broker) server() server { return b.servers[b.preferred.Load()] }

// open dials and connects, at the server that answered last, and at the others where that one does not take the client. Each has its part of the time
// that ctx leaves. The next call begins with the server after the last one that failed.
func (b *broker) open(ctx context.Context, c *client, cleanStart bool) (*link, error) {
	l, err := b.openAny(ctx, c, cleanStart)
	if !errors.Is(ctx.Err(), context.Canceled) {
		b.learned(err)
	}
	return l, err
}

func (b *broker) openAny(ctx context.Context, c *client, cleanStart bool) (*link, error) {
	select {
	case b.dials <- struct{}{}:
		defer func() { <-b.dials }()
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting to dial the broker %s: %w", b.server().hostPort, ctx.Err())
	}
	var errs []error
	first := int(b.preferred.Load())
	for i := range b.servers {
		at := (first + i) % len(b.servers)
		l, err := b.openAt(ctx, b.servers[at], c, cleanStart, len(b.servers)-i)
		if err == nil {
			b.preferred.Store(int32(at))
			return l, nil
		}
		errs = append(errs, err)
		if isAnswer(err) || errors.Is(ctx.Err(), context.Canceled) {
			break
		}
		b.preferred.CompareAndSwap(int32(at), int32((at+1)%len(b.servers)))
		if ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(errs...)
}

// isAnswer reports whether another server of the broker would say the same.
func isAnswer(err error) bool {
	var refused *gateway.ResultError
	return errors.As(err, &refused) && !isElsewhere(err)
}

// openAt is one of left attempts.
func (b *broker) openAt(ctx context.Context, s server, c *client, cleanStart bool, left int) (*link, error) {
	timeout := b.cfg.ConnectTimeout
	if deadline, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(deadline)/time.Duration(left))
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	before := c.willRefused.Swap(false)
	l, err := c.openOnce(ctx, s, cleanStart)
	for range 2 { // with a will that the broker takes: not retained, of QoS 0
		if refused := (*refusalError)(nil); !errors.As(err, &refused) || !refused.isAboutWill() || !c.status.isSet() {
			break
		}
		l, err = c.openOnce(ctx, s, cleanStart)
	}
	if c.rival == insists && c.status.isSet() {
		if refused := (*refusalError)(nil); errors.As(err, &refused) && !isElsewhere(err) {
			return c.openWithoutWill(ctx, s, cleanStart, err, before)
		}
	}
	return l, err
}

// openWithoutWill has the gateway's own client connect without its status where the broker does not let it connect with it: shared sessions, the spool
// and RawPublish need the client, and the status is only told.
func (c *client) openWithoutWill(ctx context.Context, s server, cleanStart bool, refused error, logged bool) (*link, error) {
	c.willRefused.Store(true)
	l, err := c.openOnce(ctx, s, cleanStart)
	if err != nil {
		c.willRefused.Store(false)
		return nil, refused
	}
	if !logged {
		c.broker.log.Error("the broker refuses the gateway's status; the gateway connects without one (upstream.gateway_status)",
			"topic", c.status.Topic, "client_id", c.id, "broker", s.hostPort, "error", refused)
	}
	return l, nil
}

func (c *client) openOnce(ctx context.Context, s server, cleanStart bool) (*link, error) {
	conn, err := s.dial(ctx)
	if err != nil {
		return nil, &dialError{s.hostPort, err}
	}
	n := c.broker.logins.begin(c)
	l, err := c.handshake(ctx, newLink(c, conn), s, cleanStart)
	c.broker.logins.finish(n, err)
	return l, err
}

// dialError says that no server was there: the broker is away, not full of clients with the same id.
type dialError struct {
	hostPort string
	err      error
}

func (e *dialError) Error() string {
	return "dialing the broker " + e.hostPort + " (upstream.url): " + e.err.Error()
}
func (e *dialError) Unwrap() error { return e.err }

func (s server) dial(ctx context.Context) (net.Conn, error) {
	switch {
	case s.webSocket != "":
		return s.dialWebSocket(ctx)
	case s.tls != nil:
		return (&tls.Dialer{Config: s.tls}).DialContext(ctx, "tcp", s.hostPort)
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", s.hostPort)
}

// dialWebSocket makes MQTT over WebSocket a connection of bytes, MQTT 5, section 6.
func (s server) dialWebSocket(ctx context.Context) (net.Conn, error) {
	transport := &http.Transport{TLSClientConfig: s.tls, Proxy: nil, DisableKeepAlives: true}
	ws, answer, err := websocket.Dial(ctx, s.webSocket, &websocket.DialOptions{
		HTTPClient: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		Subprotocols: []string{"mqtt"},
	})
	if answer != nil && answer.Body != nil {
		_ = answer.Body.Close()
	}
	if err != nil {
		return nil, err
	}
	if ws.Subprotocol() != "mqtt" {
		_ = ws.CloseNow()
		return nil, errors.New("the server speaks WebSocket, but not its subprotocol mqtt")
	}
	ws.SetReadLimit(-1) // packets are bounded by MaxPacketSize, whatever messages they come in
	return webSocketConn{websocket.NetConn(context.Background(), ws, websocket.MessageBinary), ws}, nil
}

// webSocketConn closes at once, without the closing handshake of WebSocket.
type webSocketConn struct {
	net.Conn
	ws *websocket.Conn
}

// CloseWrite begins the closing handshake. The library bounds it, and reading goes on meanwhile.
func (c webSocketConn) CloseWrite() error {
	go func() { _ = c.ws.Close(websocket.StatusNormalClosure, "") }()
	return nil
}

func (c webSocketConn) Close() error { return c.ws.CloseNow() }
