package ws_test

import (
	"context"
	"crypto/x509/pkix"
	"encoding/base64"
	"io"
	"net/http"
	"net/netip"
	"runtime"
	"slices"
	"testing"

	"github.com/coder/websocket"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/listener"
	"github.com/exgate/exgate/runtime/listener/listenertest"
	"github.com/exgate/exgate/runtime/listener/ws"
)

func TestEcho(t *testing.T) {
	for name, s := range map[string]*server{
		"ws":  serve(t, ws.Config{MaxMessageBytes: 1 << 20}, listenertest.Send, gateway.Limits{}),
		"wss": secure(t, ws.Config{MaxMessageBytes: 1 << 20}, listenertest.Send),
	} {
		t.Run(name, func(t *testing.T) {
			c := s.dial(t, "/", nil)
			for _, size := range []int{0, 1, 125, 126, 4096, 0xffff, 0x10000, 1 << 20} {
				echoes(t, c, websocket.MessageBinary, long(size))
				echoes(t, c, websocket.MessageText, long(size))
			}
			info := <-s.Info
			secured := info.SocketType == gateway.SocketSSL
			if secured != (name == "wss") || info.Local.String() != s.addr {
				t.Errorf("info %+v", info)
			}
			if err := c.Close(websocket.StatusNormalClosure, "bye"); err != nil {
				t.Error(err)
			}
			want := gateway.ReasonTCPClosed
			if secured {
				want = gateway.ReasonSSLClosed
			}
			s.closed(t, want)
		})
	}
}

// A message is one event, in however many frames and segments it comes, and whatever comes between them.
func TestMessageIsOneEvent(t *testing.T) {
	events := make(chan string, 100)
	s := serve(t, ws.Config{}, func(_ gateway.ConnectionAdapter, b []byte) { events <- string(b) },
		gateway.Limits{MaxEventBytes: 10})
	c := upgrade(t, s.addr, frame(0x82, "with the request"))
	c.send(t, frame(0x01, "one ")+frame(0x89, "ping")+frame(0x00, "two ")+frame(0x80, "three")+frame(0x82, "four"))
	last := frame(0x82, long(300))
	for i := range len(last) {
		c.send(t, last[i:i+1])
	}
	for _, want := range []string{"with the request", "one two three", "four", long(300)} {
		if got := <-events; got != want {
			t.Errorf("event %q, not %q", got, want)
		}
	}
	if first, payload := c.read(t); first != 0x8a || payload != "ping" {
		t.Errorf("frame %x %q", first, payload)
	}
}

func TestPropertiesOfTheRequest(t *testing.T) {
	cfg := ws.Config{
		Path: "/ocpp/*", Subprotocols: []string{"ocpp2.0.1", "ocpp1.6"},
		Headers: []string{"User-Agent", "X-Serial", "X-Absent"},
	}
	s := serve(t, cfg, listenertest.Send, gateway.Limits{})
	header := http.Header{"X-Serial": {"7", "8"}, "User-Agent": {"charger"}}
	header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("CP1:secret:word")))
	c := s.dial(t, "/ocpp/CP%201?a=b", &websocket.DialOptions{
		Subprotocols: []string{"other", "ocpp1.6"}, HTTPHeader: header,
	})
	if c.Subprotocol() != "ocpp1.6" {
		t.Errorf("subprotocol %q", c.Subprotocol())
	}
	want := []gateway.Property{
		{Name: "path", Value: "/ocpp/CP%201"},
		{Name: "query", Value: "a=b"},
		{Name: "subprotocol", Value: "ocpp1.6"},
		{Name: "username", Value: "CP1"},
		{Name: "password", Value: "secret:word"},
		{Name: "header.user-agent", Value: "charger"},
		{Name: "header.x-serial", Value: "7, 8"},
	}
	if info := <-s.Info; !slices.Equal(info.Properties, want) {
		t.Errorf("properties %v", info.Properties)
	}
}

func TestHandlerCloses(t *testing.T) {
	s := serve(t, ws.Config{}, func(a gateway.ConnectionAdapter, _ []byte) {
		a.Send([]byte("goodbye"))
		a.Close(gateway.ReasonNormal)
	}, gateway.Limits{})
	c := s.dial(t, "/", nil)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := c.Write(ctx, websocket.MessageText, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, b, err := c.Read(ctx); err != nil || string(b) != "goodbye" {
		t.Fatalf("%q, %v", b, err)
	}
	if _, _, err := c.Read(ctx); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		t.Error(err)
	}
	s.closed(t, gateway.ReasonNormal)
}

func TestSendAsTextOrBinary(t *testing.T) {
	const notUTF8 = "\xff"
	for _, c := range []struct {
		send, text string
		kind, want byte
	}{
		{"", "x", 0x81, 0x81},
		{"same", "x", 0x82, 0x82},
		{"text", "x", 0x82, 0x81},
		{"binary", "x", 0x81, 0x82},
		{"text", notUTF8, 0x82, 0x82},
	} {
		s := serve(t, ws.Config{Send: c.send}, listenertest.Send, gateway.Limits{})
		r := upgrade(t, s.addr, frame(c.kind, c.text))
		if first, payload := r.read(t); first != c.want || payload != c.text {
			t.Errorf("%+v: frame %x %q", c, first, payload)
		}
	}
}

// A paused connection is not read: the second of two messages in one segment waits for Resume.
func TestPauseBetweenMessages(t *testing.T) {
	for name, start := range map[string]func(t *testing.T, bytes func(gateway.ConnectionAdapter, []byte)) *server{
		"ws": func(t *testing.T, bytes func(gateway.ConnectionAdapter, []byte)) *server {
			return serve(t, ws.Config{}, bytes, gateway.Limits{})
		},
		"wss": func(t *testing.T, bytes func(gateway.ConnectionAdapter, []byte)) *server {
			return secure(t, ws.Config{}, bytes)
		},
	} {
		t.Run(name, func(t *testing.T) {
			events, adapters := make(chan string, 10), make(chan gateway.ConnectionAdapter, 10)
			s := start(t, func(a gateway.ConnectionAdapter, b []byte) {
				a.Pause()
				events <- string(b)
				adapters <- a
			})
			var c io.Writer
			if s.tls == nil {
				c = upgrade(t, s.addr, "")
			} else {
				c = upgradeTLS(t, s)
			}
			if _, err := io.WriteString(c, frame(0x82, "one")+frame(0x82, "two")+frame(0x82, "three")); err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"one", "two", "three"} {
				if got := <-events; got != want {
					t.Errorf("event %q, not %q", got, want)
				}
				a := <-adapters
				if len(events) > 0 {
					t.Error("an event while the connection was paused")
				}
				a.Resume()
			}
		})
	}
}

func TestProxyHeader(t *testing.T) {
	cfg := ws.Config{}
	cfg.Proxy = &listener.ProxyConfig{Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}
	s := serve(t, cfg, listenertest.Send, gateway.Limits{})
	c := connect(t, s.addr)
	c.send(t, "PROXY TCP4 203.0.113.7 198.51.100.1 4711 443\r\n"+upgradeRequest+frame(0x82, "x"))
	r, err := http.ReadResponse(c.in, nil)
	if err != nil || r.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(r, err)
	}
	_ = r.Body.Close()
	if _, payload := c.read(t); payload != "x" {
		t.Errorf("payload %q", payload)
	}
	if info := <-s.Info; info.Peer.String() != "203.0.113.7:4711" {
		t.Errorf("info %+v", info)
	}
}

func TestClientCertificate(t *testing.T) {
	ca := listenertest.NewIssuer(t)
	cfg := ws.Config{}
	cfg.CertFile, cfg.KeyFile = ca.IssueServer(t, "server")
	cfg.CAFile, cfg.Verify, cfg.FailIfNoCert = ca.File, "peer", true
	s := serve(t, cfg, listenertest.Send, gateway.Limits{})
	s.tls = ca.Client()
	if _, err := s.tryDial(t, "/", nil); err == nil {
		t.Error("a device without a certificate is connected")
	}
	s.tls = ca.Client(ca.Device(t, pkix.Name{CommonName: "pump 7"}))
	echoes(t, s.dial(t, "/", nil), websocket.MessageText, "hello")
	if info := <-s.Info; info.PeerCert == nil || info.PeerCert.CommonName != "pump 7" {
		t.Errorf("certificate %+v", info.PeerCert)
	}
}

// Invariant 4 of package gateway: an idle connection costs one goroutine.
func TestIdleConnectionCostsOneGoroutine(t *testing.T) {
	s := serve(t, ws.Config{}, listenertest.Send, gateway.Limits{})
	const conns = 50
	before := runtime.NumGoroutine()
	for range conns {
		c := upgrade(t, s.addr, frame(0x82, "x"))
		c.read(t)
	}
	gatewaytest.Eventually(t, "one goroutine a connection",
		func() bool { return runtime.NumGoroutine()-before <= conns })
}
