package listener_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/listener"
	"github.com/exgate/exgate/runtime/listener/listenertest"
)

// lines is a log at the level that a default shows.
type lines struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) with(words ...string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
next:
	for line := range strings.Lines(l.b.String()) {
		for _, word := range words {
			if !strings.Contains(line, word) {
				continue next
			}
		}
		n++
	}
	return n
}

// A connection that fails before it is one is logged with its peer, its listener and the cause, once for many of a
// kind.
func TestOpeningFailuresAreLogged(t *testing.T) {
	ca := listenertest.NewIssuer(t)
	secure := func(change func(*listener.TLSConfig)) func(log *slog.Logger) string {
		return func(log *slog.Logger) string {
			cfg := tlsOf(t, ca, "server")
			cfg.Logger = log
			change(&cfg)
			return serveTLS(t, cfg, listenertest.Send, gateway.Limits{}).addr
		}
	}
	behind := func(trusted string, timeout time.Duration) func(log *slog.Logger) string {
		return func(log *slog.Logger) string {
			proxy := proxied(trusted)
			proxy.Timeout = timeout
			return serveStream(t, listener.TCPConfig{Proxy: proxy, Logger: log}, listenertest.Send,
				gateway.Limits{}).addr
		}
	}
	says := func(text string) func(net.Conn) { return func(c net.Conn) { _, _ = io.WriteString(c, text) } }
	for name, c := range map[string]struct {
		serve func(log *slog.Logger) string
		fail  func(c net.Conn)
		want  []string
	}{
		"no TLS": {
			secure(func(*listener.TLSConfig) {}), says("GET / HTTP/1.1\r\n\r\n"),
			[]string{"TLS handshake", "does not look like a TLS handshake"},
		},
		"no certificate": {secure(func(c *listener.TLSConfig) {
			c.CAFile, c.Verify, c.FailIfNoCert = ca.File, "peer",
				true
		}), func(c net.Conn) { _ = tls.Client(c, ca.Client()).Handshake() }, []string{"TLS handshake", "certificate"}},
		"too late": {
			secure(func(c *listener.TLSConfig) { c.HandshakeTimeout = 50 * time.Millisecond }),
			says("\x16\x03\x01"),
			[]string{"TLS handshake", "timeout"},
		},
		"no header": {
			behind("127.0.0.0/8", time.Minute), says("I am a device, no proxy\r\n"),
			[]string{"PROXY header", "malformed"},
		},
		"half a header": {
			behind("127.0.0.0/8", 50*time.Millisecond), says("PROXY "),
			[]string{"PROXY header", "timeout"},
		},
		"untrusted": {
			behind("192.0.2.0/24", time.Minute), says("PROXY UNKNOWN\r\n"),
			[]string{"PROXY header", "proxy_protocol.trusted"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			log := new(lines)
			addr := c.serve(slog.New(slog.NewTextHandler(log, nil)))
			for range 3 {
				conn, err := net.Dial("tcp", addr)
				if err != nil {
					continue // refused with a reset before the connect had returned
				}
				c.fail(conn)
				_ = conn.SetReadDeadline(time.Now().Add(90 * time.Second))
				_, _ = io.Copy(io.Discard, conn)
				_ = conn.Close()
			}
			want := append(c.want, "level=WARN", "listener=l", "peer=127.0.0.1:")
			gatewaytest.Eventually(t, "the line", func() bool { return log.with(want...) == 1 })
			if n := log.with("level=WARN"); n != 1 {
				t.Errorf("%d lines", n)
			}
		})
	}
}
