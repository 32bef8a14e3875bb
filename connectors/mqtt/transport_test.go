package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/connectors/mqtt/brokertest"
	"github.com/exgate/exgate/connectors/mqtt/client"
	"github.com/exgate/exgate/connectors/mqtt/clienttest"
	"github.com/exgate/exgate/runtime/gateway"
)

// TestSuiteWebSocket uses a relay between WebSocket and mosquitto: mosquitto 2.0.11 itself needs 100 ms for each 4 KiB
// that it sends over WebSocket.
func TestSuiteWebSocket(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{
		Users: map[string]string{"device": "secret"}, Dynamic: true,
		Denied: []string{"denied/topic"},
	})
	server := httptest.NewServer(relay(b.Addr()))
	defer server.Close()
	connectortest.Run(t, connectortest.Target{
		New: func(t *testing.T) gateway.Connector {
			return newConnector(t, clienttest.Quick("ws"+strings.TrimPrefix(server.URL, "http")))
		},
		Username: "device", Password: "secret", WrongPassword: "guess", DeniedTopic: "denied/topic", MaxQoS: 2,
		Retain: func(t *testing.T, topic, payload string) {
			mosquitto.Retain(t, b.Addr(), "device", "secret", topic, payload)
		},
	})
}

// relay forwards data from WebSocket, and answers in messages that do not follow packet boundaries.
func relay(addr string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"mqtt"}})
		if err != nil {
			return
		}
		ws.SetReadLimit(-1)
		client := websocket.NetConn(r.Context(), ws, websocket.MessageBinary)
		defer client.Close()
		broker, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		var up sync.WaitGroup
		up.Go(func() {
			_, _ = io.Copy(broker, client)
			_ = broker.Close()
		})
		_, _ = io.CopyBuffer(struct{ io.Writer }{client}, struct{ io.Reader }{broker}, make([]byte, 1000))
		_ = client.Close()
		up.Wait()
	}
}

// TestTransports delivers messages over TLS and WebSocket, with server and client certificates, also after a reconnect.
func TestTransports(t *testing.T) {
	for _, mutual := range []bool{false, true} {
		b := mosquitto.Start(t, mosquitto.Options{TLS: true, WebSocket: true, ClientCertificates: mutual})
		for _, url := range []string{b.TLSURL(), b.SecureWebSocketURL()} {
			cfg := clienttest.Quick(url)
			if err := dial(t, cfg); !strings.Contains(err.Error(), "certificate") {
				t.Errorf("%s without the CA: %v", url, err)
			}
			cfg.TLS = b.TLSConfig()
			if mutual {
				err := dial(t, cfg) // with TLS 1.3, a reset may come before the alert is read
				if !strings.Contains(err.Error(), "certificate") && !errors.Is(err, syscall.ECONNRESET) &&
					!errors.Is(err, syscall.EPIPE) {
					t.Errorf("%s without a certificate: %v", url, err)
				}
				cfg.TLS.Certificates = []tls.Certificate{clientCertificate(t, b)}
			}
			s, d := brokertest.Connect(t, newConnector(t, cfg), "device")
			if r := connectortest.Subscribe(t, s, "t", 0); !r.Ok() { // QoS 1 might be resent after the cut
				t.Fatal(r)
			}
			wantEcho(t, s, d, strings.Repeat("x", 10_000))
			cut(s)
			wantEcho(t, s, d, "again")
			s.Close()
		}
	}
}

func clientCertificate(t *testing.T, b *mosquitto.Broker) tls.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(b.ClientCertificate(t, "gateway"))
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// wantEcho publishes to the device's own subscription.
func wantEcho(t *testing.T, s gateway.Session, d *connectortest.Device, payload string) {
	t.Helper()
	if r := connectortest.Publish(t, s, "t", 1, payload); !r.Ok() {
		t.Fatal(r)
	}
	if m := d.Next(t); string(m.Payload) != payload {
		t.Fatalf("got %d bytes, want %d", len(m.Payload), len(payload))
	}
}

// TestALPN offers a protocol name, as some brokers require on port 443.
func TestALPN(t *testing.T) {
	cert, roots := selfSigned(t)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{cert},
		NextProtos:   []string{"http/1.1", "mqtt"},
	})
	if err != nil {
		t.Fatal(err)
	}
	negotiated := make(chan string, 1)
	b := brokertest.ServeScripted(t, l, func(p *brokertest.Peer) {
		if p.Accept(false) != nil {
			negotiated <- p.Conn.(*tls.Conn).ConnectionState().NegotiatedProtocol
			p.ServeAll()
		}
	})
	cfg := client.Config{
		URL: "mqtts://" + b.Listener.Addr().String(),
		TLS: &tls.Config{RootCAs: roots, NextProtos: []string{"mqtt"}},
	}
	s, _ := brokertest.Connect(t, newConnector(t, cfg), "c")
	if r := connectortest.Publish(t, s, "t", 1, "x"); !r.Ok() {
		t.Fatal(r)
	}
	if got := <-negotiated; got != "mqtt" {
		t.Fatalf("negotiated %q", got)
	}
}

// TestWebSocketFailures uses servers that do not support MQTT over WebSocket: the error must say why, without delay.
func TestWebSocketFailures(t *testing.T) {
	for name, c := range map[string]struct {
		serve http.HandlerFunc
		want  string
	}{
		"no such path": {http.NotFound, "404"},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		}, "302"},
		"a page": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) }, "200"},
		"no subprotocol": {func(w http.ResponseWriter, r *http.Request) {
			ws, err := websocket.Accept(w, r, nil)
			if err == nil {
				defer ws.CloseNow()
				_, _, _ = ws.Read(r.Context())
			}
		}, "subprotocol mqtt"},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				c.serve(w, r)
			}))
			defer server.Close()
			var refused *gateway.ResultError
			err := dial(t, client.Config{URL: "ws" + strings.TrimPrefix(server.URL, "http")})
			if errors.As(err, &refused) || !strings.Contains(err.Error(), c.want) ||
				!strings.Contains(err.Error(), "upstream.url") {
				t.Errorf("got %v", err)
			}
			if n := asked.Load(); n != 1 {
				t.Errorf("asked %d times", n)
			}
		})
	}
}

// TestWebSocketSilence uses a server that accepts connections and sends nothing.
func TestWebSocketSilence(t *testing.T) {
	b := brokertest.NewScripted(t, func(p *brokertest.Peer) { _, _ = io.Copy(io.Discard, p) })
	url := "ws" + strings.TrimPrefix(b.URL(), "mqtt")
	err := dial(t, client.Config{URL: url, ConnectTimeout: 50 * time.Millisecond})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
}

// cut closes the connection of a session without DISCONNECT.
func cut(s gateway.Session) {
	clienttest.CutClient(s.(*Session).client)
}
