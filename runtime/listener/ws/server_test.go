package ws_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener"
	"github.com/exgate/exgate/runtime/listener/listenertest"
	"github.com/exgate/exgate/runtime/listener/ws"
)

const patience = 20 * time.Second

// server is a gateway with one WebSocket listener.
type server struct {
	listenertest.Server
	addr string
	tls  *tls.Config // of a client; nil without TLS
}

func serve(t testing.TB, cfg ws.Config, bytes func(gateway.ConnectionAdapter, []byte), limits gateway.Limits) *server {
	t.Helper()
	s := new(server)
	cfg.TCPConfig.Metrics = listener.NewMetrics(s.Counting())
	cfg.Metrics = ws.NewMetrics(s.Counts)
	cfg.Name, cfg.Logger = "l", slog.New(slog.DiscardHandler)
	if cfg.Bind == "" {
		cfg.Bind = "127.0.0.1:0"
	}
	l, err := ws.Listen(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.Start(t, l, bytes, limits)
	s.addr = l.Addr().String()
	return s
}

// secure serves WebSocket over TLS.
func secure(t testing.TB, cfg ws.Config, bytes func(gateway.ConnectionAdapter, []byte)) *server {
	t.Helper()
	ca := listenertest.NewIssuer(t)
	cfg.CertFile, cfg.KeyFile = ca.IssueServer(t, "server")
	s := serve(t, cfg, bytes, gateway.Limits{})
	s.tls = ca.Client()
	return s
}

// dial opens a WebSocket with the client of another author.
func (s *server) dial(t testing.TB, path string, options *websocket.DialOptions) *websocket.Conn {
	t.Helper()
	c, err := s.tryDial(t, path, options)
	if err != nil {
		t.Fatal(err)
	}
	c.SetReadLimit(-1)
	t.Cleanup(func() { _ = c.CloseNow() })
	return c
}

func (s *server) tryDial(t testing.TB, path string, o *websocket.DialOptions) (*websocket.Conn, error) {
	t.Helper()
	if o == nil {
		o = &websocket.DialOptions{}
	}
	scheme := "ws"
	if s.tls != nil {
		scheme = "wss"
	}
	transport := &http.Transport{TLSClientConfig: s.tls}
	t.Cleanup(transport.CloseIdleConnections)
	o.HTTPClient = &http.Client{Transport: transport}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	c, _, err := websocket.Dial(ctx, scheme+"://"+s.addr+path, o)
	return c, err
}

// echoes sends a message and waits for its echo, of the same type.
func echoes(t testing.TB, c *websocket.Conn, kind websocket.MessageType, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	wrote := make(chan error, 1)
	go func() { wrote <- c.Write(ctx, kind, []byte(text)) }()
	got, b, err := c.Read(ctx)
	if err := errors.Join(err, <-wrote); err != nil || got != kind || string(b) != text {
		t.Fatalf("%d bytes of type %v, %v", len(b), got, err)
	}
}

// raw is a connection on which a test writes frames by hand.
type raw struct {
	net.Conn
	in *bufio.Reader
}

const upgradeRequest = "GET / HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

func connect(t testing.TB, addr string) *raw {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return &raw{c, bufio.NewReader(c)}
}

// upgrade opens a WebSocket, and sends more in the same segment.
func upgrade(t testing.TB, addr, more string) *raw {
	t.Helper()
	c := connect(t, addr)
	c.send(t, upgradeRequest+more)
	r, err := http.ReadResponse(c.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Body.Close()
	if r.StatusCode != http.StatusSwitchingProtocols ||
		r.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" { // RFC 6455, section 1.3
		t.Fatalf("%s %v", r.Status, r.Header)
	}
	return c
}

func (c *raw) send(t testing.TB, s string) {
	t.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		t.Fatal(err)
	}
}

// frame returns a masked frame with first as its first byte.
func frame(first byte, payload string) string {
	mask := [4]byte{0x12, 0x34, 0x56, 0x78}
	b := []byte{first}
	switch n := len(payload); {
	case n <= 125:
		b = append(b, 0x80|byte(n))
	case n <= 0xffff:
		b = append(b, 0x80|126, byte(n>>8), byte(n))
	default:
		b = append(b, 0x80|127, 0, 0, 0, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	b = append(b, mask[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i&3])
	}
	return string(b)
}

// read reads a frame of less than 126 bytes.
func (c *raw) read(t testing.TB) (first byte, payload string) {
	t.Helper()
	var head [2]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, head[1])
	if _, err := io.ReadFull(c.in, b); err != nil || head[1] > 125 {
		t.Fatalf("%d bytes, %v", head[1], err)
	}
	return head[0], string(b)
}

// ends reads a close frame, and then the end.
func (c *raw) ends(t testing.TB, code int) {
	t.Helper()
	first, payload := c.read(t)
	for first != 0x88 {
		first, payload = c.read(t)
	}
	if got := int(payload[0])<<8 | int(payload[1]); got != code {
		t.Errorf("closed with %d %q, not %d", got, payload[2:], code)
	}
	if _, err := c.in.ReadByte(); err != io.EOF {
		t.Errorf("after the close frame: %v", err)
	}
}

// closed waits for the end of a connection.
func (s *server) closed(t testing.TB, want gateway.CloseReason) {
	t.Helper()
	select {
	case r := <-s.Closed:
		if !r.Is(want) {
			t.Errorf("closed with %v, not %v", r, want)
		}
	case <-time.After(patience):
		t.Error("not closed")
	}
}

func long(n int) string { return strings.Repeat("x", n) }
