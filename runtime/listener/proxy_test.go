package listener_test

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/listener"
	"github.com/exgate/exgate/runtime/listener/admission"
	"github.com/exgate/exgate/runtime/listener/listenertest"
)

func proxied(trusted ...string) *listener.ProxyConfig {
	cfg := &listener.ProxyConfig{}
	for _, t := range trusted {
		cfg.Trusted = append(cfg.Trusted, netip.MustParsePrefix(t))
	}
	return cfg
}

func proxyHeader(t testing.TB, version byte, source, destination string) string {
	t.Helper()
	h := proxyproto.HeaderProxyFromAddrs(version,
		net.TCPAddrFromAddrPort(netip.MustParseAddrPort(source)),
		net.TCPAddrFromAddrPort(netip.MustParseAddrPort(destination)))
	b, err := h.Format()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var proxyLocal = string(proxyproto.SIGV2) + "\x20\x00\x00\x00"

// echoesAfter sends header and text in one write.
func echoesAfter(t testing.TB, c net.Conn, header, text string) {
	t.Helper()
	if _, err := io.WriteString(c, header+text); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != text {
		t.Fatalf("read %d of %d bytes, %v", len(got), len(text), err)
	}
}

func TestProxyHeader(t *testing.T) {
	for name, c := range map[string]struct{ header, peer, local string }{
		"v1": {
			proxyHeader(t, 1, "203.0.113.7:4711", "198.51.100.1:993"), "203.0.113.7:4711",
			"198.51.100.1:993",
		},
		"v1 ipv6": {
			proxyHeader(t, 1, "[2001:db8::7]:4711", "[2001:db8::1]:993"), "[2001:db8::7]:4711",
			"[2001:db8::1]:993",
		},
		"v2": {
			proxyHeader(t, 2, "203.0.113.7:4711", "198.51.100.1:993"), "203.0.113.7:4711",
			"198.51.100.1:993",
		},
		"v2 ipv6": {
			proxyHeader(t, 2, "[2001:db8::7]:4711", "[2001:db8::1]:993"), "[2001:db8::7]:4711",
			"[2001:db8::1]:993",
		},
		"v2 local":             {proxyLocal, "", ""},
		"v1 unknown":           {"PROXY UNKNOWN\r\n", "", ""},
		"v1 unknown with more": {"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", "", ""},
		"v1 ipv4 as ipv6": {
			"PROXY TCP6 ::ffff:203.0.113.7 ::ffff:198.51.100.1 4711 993\r\n", "203.0.113.7:4711",
			"198.51.100.1:993",
		},
		// nginx writes these for a client and a backend of different families.
		"v1 mixed": {
			"PROXY TCP6 2001:db8::7 198.51.100.1 4711 993\r\n", "[2001:db8::7]:4711",
			"198.51.100.1:993",
		},
		"v1 mixed, mapped": {
			"PROXY TCP6 ::ffff:203.0.113.7 198.51.100.1 4711 993\r\n", "203.0.113.7:4711",
			"198.51.100.1:993",
		},
		"v1 mixed, tcp4": {
			"PROXY TCP4 203.0.113.7 2001:db8::1 4711 993\r\n", "203.0.113.7:4711",
			"[2001:db8::1]:993",
		},
		"v2 with TLVs": {
			withTLVs(proxyHeader(t, 2, "203.0.113.7:4711", "198.51.100.1:993"), 1000),
			"203.0.113.7:4711", "198.51.100.1:993",
		},
		"v2 unspec":       {string(proxyproto.SIGV2) + "\x21\x00\x00\x00", "", ""},
		"v2 unspec, TLVs": {withTLVs(string(proxyproto.SIGV2)+"\x21\x00\x00\x00", 1000), "", ""},
		"v2 local, TLVs":  {withTLVs(proxyLocal, 1000), "", ""},
		"v2 unix":         {string(proxyproto.SIGV2) + "\x21\x31\x00\xd8" + strings.Repeat("\x00", 216), "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := serveStream(t, listener.TCPConfig{Proxy: proxied("127.0.0.0/8")}, listenertest.Send, gateway.Limits{})
			conn := dial(t, s.addr)
			echoesAfter(t, conn, c.header, strings.Repeat("the device's first bytes ", 100))
			echoes(t, conn, "and more")
			if c.peer == "" {
				c.peer, c.local = conn.LocalAddr().String(), s.addr
			}
			if info := <-s.Info; info.Peer.String() != c.peer || info.Local.String() != c.local {
				t.Errorf("peer %v, local %v, not %s, %s", info.Peer, info.Local, c.peer, c.local)
			}
		})
	}
}

// withTLVs adds n bytes of type-length-values, which mean nothing here, to a header of version 2.
func withTLVs(header string, n int) string {
	b := append([]byte(header), "\xe0"...)
	b = binary.BigEndian.AppendUint16(b, uint16(n-3))
	b = append(b, make([]byte, n-3)...)
	binary.BigEndian.PutUint16(b[14:], binary.BigEndian.Uint16(b[14:])+uint16(n))
	return string(b)
}

// A header may come in as many segments as it has bytes, and what it names is checked against the access list.
func TestProxyHeaderInPieces(t *testing.T) {
	access, err := admission.ParseAccess([]string{"deny 2001:db8:bad::/48"})
	if err != nil {
		t.Fatal(err)
	}
	admission, err := admission.New(admission.Config{Listener: "l", Access: access})
	if err != nil {
		t.Fatal(err)
	}
	s := serveStream(t, listener.TCPConfig{Proxy: proxied("127.0.0.0/8"), Admission: admission}, listenertest.Send,
		gateway.Limits{})
	for _, header := range []string{
		"PROXY TCP6 2001:db8::7 198.51.100.1 4711 993\r\n", "PROXY UNKNOWN\r\n",
		proxyHeader(t, 2, "203.0.113.7:4711", "198.51.100.1:993"), withTLVs(proxyLocal, 20),
	} {
		conn := dial(t, s.addr)
		for i := range len(header) {
			if _, err := io.WriteString(conn, header[i:i+1]); err != nil {
				t.Fatal(err)
			}
		}
		echoes(t, conn, "hello")
		<-s.Info
	}
	refusedConn(t, dial(t, s.addr), "PROXY TCP6 2001:db8:bad::7 198.51.100.1 4711 993\r\nx")
}

// The handshake may come in the same segment as the header.
func TestProxyHeaderBeforeTLS(t *testing.T) {
	for _, version := range []byte{1, 2} {
		ca := listenertest.NewIssuer(t)
		cfg := tlsOf(t, ca, "server")
		cfg.Proxy = proxied("127.0.0.1/32")
		s := serveTLS(t, cfg, listenertest.Send, gateway.Limits{})
		c := tls.Client(&prefixed{
			Conn:   dial(t, s.addr),
			prefix: proxyHeader(t, version, "203.0.113.7:4711", "198.51.100.1:993"),
		}, ca.Client())
		echoes(t, c, strings.Repeat("hello", 10000))
		if info := <-s.Info; info.Peer.String() != "203.0.113.7:4711" || info.SocketType != gateway.SocketSSL {
			t.Errorf("info %+v", info)
		}
		_ = c.Close()
	}
}

// prefixed sends something with the first write.
type prefixed struct {
	net.Conn
	prefix string
}

func (p *prefixed) Write(b []byte) (int, error) {
	n, err := p.Conn.Write(append([]byte(p.prefix), b...))
	n = max(0, n-len(p.prefix))
	p.prefix = ""
	return n, err
}

func refusedConn(t *testing.T, c net.Conn, says string) {
	t.Helper()
	_, _ = io.WriteString(c, says)
	_ = c.SetReadDeadline(time.Now().Add(90 * time.Second))
	if n, err := c.Read(make([]byte, 1)); n > 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read %d, %v where a refusal was due", n, err)
	}
}

func TestProxyRefuses(t *testing.T) {
	good := proxyHeader(t, 2, "203.0.113.7:4711", "198.51.100.1:993")
	for name, c := range map[string]struct{ trusted, says, reason string }{
		"no trusted source":  {"192.0.2.0/24", good, "untrusted"},
		"no header":          {"127.0.0.1/32", "I am a device, no proxy\r\n", "malformed"},
		"one wrong byte":     {"127.0.0.1/32", "h", "malformed"},
		"almost a line":      {"127.0.0.1/32", "POST", "malformed"},
		"almost a signature": {"127.0.0.1/32", "\r\n\r\n\x01", "malformed"},
		"half a signature":   {"127.0.0.1/32", "\r\n\r\n", "timeout"},
		"half a word":        {"127.0.0.1/32", "PRO", "timeout"},
		"a line without end": {"127.0.0.1/32", "PROXY UNKNOWN " + strings.Repeat("x", 93), "malformed"},
		"a line feed only":   {"127.0.0.1/32", "PROXY UNKNOWN\n", "malformed"},
		"a zone":             {"127.0.0.1/32", "PROXY TCP6 fe80::1%lo fe80::2 1 2\r\n", "malformed"},
		"half a line":        {"127.0.0.1/32", "PROXY UNKNOWN", "timeout"},
		"a bad line":         {"127.0.0.1/32", "PROXY TCP4 203.0.113.7 1 2 3\r\n", "malformed"},
		"no TCP":             {"127.0.0.1/32", strings.Replace(good, "\x21\x11", "\x21\x12", 1), "malformed"},
		"a huge header":      {"127.0.0.1/32", string(proxyproto.SIGV2) + "\x21\x11\xff\xff", "malformed"},
		"half a header":      {"127.0.0.1/32", good[:20], "timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := proxied(c.trusted)
			if c.reason == "timeout" {
				cfg.Timeout = 50 * time.Millisecond
			}
			s := serveStream(t, listener.TCPConfig{Proxy: cfg}, listenertest.Send, gateway.Limits{})
			if conn, err := net.Dial("tcp", s.addr); err == nil { // a reset may come before the connect has returned
				refusedConn(t, conn, c.says)
				_ = conn.Close()
			}
			gatewaytest.Eventually(t, "the count",
				func() bool { return s.Count(t, "exgate_proxy_refused_total", c.reason) == 1 })
		})
	}
}

// Access rules and bans are the device's, not the proxy's.
func TestProxyAdmission(t *testing.T) {
	access, err := admission.ParseAccess([]string{"deny 203.0.113.0/24"})
	if err != nil {
		t.Fatal(err)
	}
	admission, err := admission.New(admission.Config{
		Listener: "l", Access: access, MaxPerSource: 1,
		Ban: admission.BanConfig{Failures: 1, Window: time.Minute, Duration: time.Minute},
	})
	if err != nil {
		t.Fatal(err)
	}
	ca := listenertest.NewIssuer(t)
	cfg := tlsOf(t, ca, "server")
	cfg.Proxy, cfg.Admission = proxied("127.0.0.1/32"), admission
	s := serveTLS(t, cfg, listenertest.Send, gateway.Limits{})
	from := func(device string) net.Conn {
		return &prefixed{Conn: dial(t, s.addr), prefix: proxyHeader(t, 2, device+":4711", "198.51.100.1:993")}
	}
	refusedConn(t, from("203.0.113.7"), "x")
	for _, device := range []string{"192.0.2.1", "192.0.2.2"} { // each its one connection, through the same proxy
		echoes(t, tls.Client(from(device), ca.Client()), "hello")
	}
	refusedConn(t, from("192.0.2.1"), "x")
	refusedConn(t, from("192.0.2.3"), "no TLS: a failure, and a ban")
	refusedConn(t, from("192.0.2.3"), "x")
	if admission.Allowed(netip.MustParseAddr("192.0.2.3")) || !admission.Allowed(netip.MustParseAddr("127.0.0.1")) {
		t.Error("the ban is not the device's")
	}
	refusedConn(t, &prefixed{Conn: dial(t, s.addr), prefix: proxyLocal}, "no TLS: the proxy's own look")
	if !admission.Allowed(netip.MustParseAddr("127.0.0.1")) {
		t.Error("the proxy is banned")
	}
}
