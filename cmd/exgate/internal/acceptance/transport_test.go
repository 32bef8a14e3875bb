package acceptance

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/coder/websocket"
	pion "github.com/pion/dtls/v3"

	"github.com/exgate/exgate/cmd/exgate/internal/certtest"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener"
	"github.com/exgate/exgate/runtime/listener/dtls"
	"github.com/exgate/exgate/runtime/listener/udp"
	"github.com/exgate/exgate/runtime/listener/ws"
)

// transport is a kind of socket that devices speak through.
type transport struct {
	name   string
	listen func(t *testing.T, name string, limits gateway.Limits) gateway.Listener
	dial   func(t *testing.T, addr string) net.Conn
	silent bool // a device is not told that the gateway ended its connection
}

var transports = []transport{
	{name: "tcp", listen: listenTCP, dial: dialPlain("tcp")},
	{name: "tls", listen: listenTLS, dial: dialTLS},
	{name: "ws", listen: listenWS, dial: dialWS},
	{name: "udp", listen: listenUDP, dial: dialPlain("udp"), silent: true},
	{name: "dtls", listen: listenDTLS, dial: dialDTLS},
}

const freePort = "127.0.0.1:0"

func listenTCP(t *testing.T, _ string, _ gateway.Limits) gateway.Listener {
	l, err := listener.ListenTCP(t.Context(), listener.TCPConfig{Bind: freePort})
	return opened(t, l, err)
}

func listenUDP(t *testing.T, name string, limits gateway.Limits) gateway.Listener {
	l, err := udp.Listen(t.Context(), udp.Config{
		Name: name, Bind: freePort,
		IdleTimeout: limits.IdleTimeout,
	})
	return opened(t, l, err)
}

func listenTLS(t *testing.T, name string, _ gateway.Limits) gateway.Listener {
	cert, key := certtest.Files(t, t.TempDir())
	l, err := listener.ListenTLS(t.Context(), listener.TLSConfig{
		TCPConfig: listener.TCPConfig{Name: name, Bind: freePort}, CertFile: cert, KeyFile: key,
	})
	return opened(t, l, err)
}

func listenWS(t *testing.T, name string, _ gateway.Limits) gateway.Listener {
	cfg := ws.Config{Send: "text"}
	cfg.Name, cfg.Bind = name, freePort
	l, err := ws.Listen(t.Context(), cfg)
	return opened(t, l, err)
}

func listenDTLS(t *testing.T, name string, _ gateway.Limits) gateway.Listener {
	cert, key := certtest.Files(t, t.TempDir())
	l, err := dtls.Listen(t.Context(), dtls.Config{
		Name: name, Bind: freePort, CertFile: cert,
		KeyFile: key,
	})
	return opened(t, l, err)
}

func opened(t *testing.T, l gateway.Listener, err error) gateway.Listener {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func dialPlain(network string) func(*testing.T, string) net.Conn {
	return func(t *testing.T, addr string) net.Conn {
		t.Helper()
		c, err := net.Dial(network, addr)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

func dialTLS(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func dialWS(t *testing.T, addr string) net.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, _, err := websocket.Dial(ctx, "ws://"+addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.SetReadLimit(-1)
	return closeIsEnd{websocket.NetConn(context.Background(), c, websocket.MessageText)}
}

// closeIsEnd ends a WebSocket with io.EOF, whatever the code of its close frame.
type closeIsEnd struct{ net.Conn }

func (c closeIsEnd) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if websocket.CloseStatus(err) >= 0 {
		err = io.EOF
	}
	return n, err
}

func dialDTLS(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := pion.DialWithOptions("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(addr)),
		pion.WithInsecureSkipVerify(true))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := c.HandshakeContext(ctx); err != nil {
		t.Fatal(err)
	}
	return dataFirst{c}
}

// dataFirst is a DTLS client whose last data comes before its end: the library's Read picks at random between the two.
type dataFirst struct{ net.Conn }

func (c dataFirst) Read(b []byte) (n int, err error) {
	for range 100 {
		if n, err = c.Conn.Read(b); n > 0 || !errors.Is(err, io.EOF) {
			return n, err
		}
	}
	return n, err
}

// largest is more than any datagram.
const largest = 64 << 10

// dial connects a device to a listener of the fixture.
func (h *fixture) dial(t *testing.T, listener string) *device {
	t.Helper()
	c := h.transport.dial(t, h.addr[listener])
	d := &device{t: t, conn: c, in: json.NewDecoder(bufio.NewReaderSize(c, largest)), fixture: h}
	t.Cleanup(func() {
		if h.transport.silent && !d.ended { // nothing else tells the gateway that the device is gone
			_, _ = c.Write([]byte(text(t, object{"type": disconnect})))
		}
		_ = c.Close()
	})
	return d
}

// pester keeps another device talking until the test ends.
func (h *fixture) pester(t *testing.T) {
	noisy, stop, done := h.login(t, "d-other", nil), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				_, _ = noisy.conn.Write([]byte(`{"type":3,"topic":"t/noise","qos":0,"payload":"x"}`))
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-done })
}
