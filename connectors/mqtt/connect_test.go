package mqtt

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/mqtt/brokertest"
	"github.com/exgate/exgate/connectors/mqtt/client"
	"github.com/exgate/exgate/connectors/mqtt/clienttest"
	"github.com/exgate/exgate/runtime/gateway"
)

func dial(t *testing.T, cfg client.Config) error {
	t.Helper()
	return brokertest.DialBy(t, newConnector(t, cfg))
}

func TestOldBroker(t *testing.T) {
	for name, serve := range map[string]func(p *brokertest.Peer){
		"closes":         func(p *brokertest.Peer) { p.Next() },
		"3.1.1 connack":  func(p *brokertest.Peer) { p.Next(); _, _ = p.Write([]byte{0x20, 2, 0, 1}) },
		"5 connack 0x84": func(p *brokertest.Peer) { p.Next(); _, _ = p.Write([]byte{0x20, 3, 0, 0x84, 0}) },
	} {
		t.Run(name, func(t *testing.T) {
			b := brokertest.NewScripted(t, serve)
			if err := dial(t, client.Config{URL: b.URL()}); !strings.Contains(err.Error(), "MQTT 3.1.1") ||
				!strings.Contains(err.Error(), "upstream.url") {
				t.Fatal(err)
			}
		})
	}
}

func TestSilentBroker(t *testing.T) {
	b := brokertest.NewScripted(t, func(p *brokertest.Peer) { p.ServeAll() })
	if err := dial(t, client.Config{URL: b.URL(), ConnectTimeout: 50 * time.Millisecond}); !errors.Is(err,
		context.DeadlineExceeded) {
		t.Fatal(err)
	}
}

func TestNoBroker(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	var refused *gateway.ResultError
	if err := dial(t, client.Config{URL: "mqtt://" + l.Addr().String()}); errors.As(err, &refused) ||
		!strings.Contains(err.Error(), "upstream.url") {
		t.Fatal(err)
	}
}

func TestBadURL(t *testing.T) {
	for _, url := range []string{
		"", "broker:1883", "http://broker", "mqtt://", "mqtt://host/path",
		"mqtt://user:hidden-password@host", "mqtt://%zz",
	} {
		_, err := New(client.Config{URL: url})
		if err == nil || !strings.Contains(err.Error(), "upstream.url") ||
			strings.Contains(err.Error(), "hidden-password") {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestNegative(t *testing.T) {
	for _, cfg := range []client.Config{{MaxDials: -1}, {KeepAlive: -1}, {SessionExpiry: -time.Hour}} {
		cfg.URL = "mqtt://127.0.0.1"
		if _, err := New(cfg); err == nil {
			t.Errorf("%+v passes", cfg)
		}
	}
}

// TestWebSocketPaths expects path and query of the URL unchanged, and /mqtt if the URL has no path.
func TestWebSocketPaths(t *testing.T) {
	asked := make(chan string, 1)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.RequestURI
		w.WriteHeader(http.StatusNotFound)
	}))
	defer web.Close()
	for written, want := range map[string]string{
		"": "/mqtt", "/": "/", "/mqtt": "/mqtt", "/x": "/x", "/x/": "/x/", "//x": "//x", "/a%2Fb%20c": "/a%2Fb%20c",
		"?k=v": "/mqtt?k=v", "/?k=v": "/?k=v",
		"/x?k=a%20b+c&k=%2F": "/x?k=a%20b+c&k=%2F", "/x?": "/x?",
	} {
		_ = dial(t, clienttest.Quick(strings.Replace(web.URL, "http", "ws", 1)+written))
		if got := <-asked; got != want {
			t.Errorf("%q asks for %q, want %q", written, got, want)
		}
	}
}

// TestMaxDials counts concurrent handshakes.
func TestMaxDials(t *testing.T) {
	atOnce, most := make(chan int, 1), make(chan int, 1)
	atOnce <- 0
	most <- 0
	b := brokertest.NewScripted(t, func(p *brokertest.Peer) {
		n := <-atOnce + 1
		atOnce <- n
		most <- max(n, <-most)
		cp := p.Next()
		atOnce <- <-atOnce - 1
		if cp != nil {
			p.Send(packets.NewControlPacket(packets.CONNACK))
			p.ServeAll()
		}
	})
	c := newConnector(t, client.Config{URL: b.URL(), MaxDials: 2})
	results := make(chan error)
	for i := range 20 {
		go func() {
			_, err := c.Connect(t.Context(),
				gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: string(rune('a' + i))}}, "",
				connectortest.NewDevice())
			results <- err
		}()
	}
	for range 20 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if n := <-most; n > 2 {
		t.Fatalf("%d handshakes at once", n)
	}
}

func TestTLS(t *testing.T) {
	cert, roots := selfSigned(t)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p := &brokertest.Peer{Conn: conn}
			if p.Accept(false) != nil {
				p.ServeAll()
			}
			_ = p.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	url := "mqtts://" + l.Addr().String()
	s, _ := brokertest.Connect(t, newConnector(t, client.Config{URL: url, TLS: &tls.Config{RootCAs: roots}}), "c")
	if r := connectortest.Publish(t, s, "t", 1, "x"); !r.Ok() {
		t.Fatal(r)
	}
	s.Close()
	if err := dial(t, client.Config{URL: url}); !strings.Contains(err.Error(), "certificate") {
		t.Fatal(err)
	}
}

func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}
