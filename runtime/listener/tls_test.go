package listener_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509/pkix"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/listener/admission"
	"github.com/exgate/exgate/runtime/listener/listenertest"
)

func TestTLSEcho(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			ca := listenertest.NewIssuer(t)
			s := serveTLS(t, tlsOf(t, ca, "server"), listenertest.Send, gateway.Limits{})
			cfg := ca.Client()
			cfg.MinVersion, cfg.MaxVersion = version, version
			c := dialTLS(t, s.addr, cfg)
			echoesOfAllSizes(t, c)
			info := <-s.Info
			if info.SocketType != gateway.SocketSSL || info.Peer.String() != c.LocalAddr().String() ||
				info.PeerCert != nil {
				t.Errorf("info %+v", info)
			}
			_ = c.Close()
			if r := <-s.Closed; !r.Is(gateway.ReasonSSLClosed) {
				t.Errorf("closed with %v", r)
			}
			if n := s.Count(t, "exgate_tls_handshakes_total", "ok"); n != 1 {
				t.Errorf("%v handshakes counted", n)
			}
		})
	}
}

func TestTLSPeerCertificate(t *testing.T) {
	ca := listenertest.NewIssuer(t)
	cfg := tlsOf(t, ca, "server")
	cfg.CAFile, cfg.Verify, cfg.FailIfNoCert = ca.File, "peer", true
	s := serveTLS(t, cfg, listenertest.Send, gateway.Limits{})
	echoes(t, dialTLS(t, s.addr, ca.Client(ca.Device(t,
		pkix.Name{CommonName: "pump, 7", Organization: []string{"Würth"}}))), "hello")
	want := gateway.CertificateInfo{CommonName: "pump, 7", DistinguishedName: `CN=pump\, 7,O=Würth`}
	if info := <-s.Info; info.PeerCert == nil || *info.PeerCert != want {
		t.Errorf("certificate %+v", info.PeerCert)
	}
	wrong := listenertest.NewIssuer(t)
	for _, client := range []*tls.Config{ca.Client(), ca.Client(wrong.Device(t, pkix.Name{CommonName: "stranger"}))} {
		c, err := tls.Dial("tcp", s.addr, client)
		if err == nil { // TLS 1.3: the client is done before the server refuses it
			_, err = c.Read(make([]byte, 1))
			_ = c.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "remote error: tls") {
			t.Errorf("a device without a good certificate: %v", err)
		}
	}
	gatewaytest.Eventually(t, "refusals", func() bool {
		return s.Count(t, "exgate_tls_handshakes_total",
			"failed") == 2
	})
}

func TestTLSVerifyPeerLetsDevicesWithoutCertificateIn(t *testing.T) {
	ca := listenertest.NewIssuer(t)
	cfg := tlsOf(t, ca, "server")
	cfg.CAFile, cfg.Verify = ca.File, "peer"
	s := serveTLS(t, cfg, listenertest.Send, gateway.Limits{})
	echoes(t, dialTLS(t, s.addr, ca.Client()), "hello")
	if info := <-s.Info; info.PeerCert != nil {
		t.Errorf("certificate %+v", info.PeerCert)
	}
}

// Sending to a peer that does not read returns at once, and everything arrives in order when it does read.
func TestTLSSlowPeer(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) { tlsSlowPeer(t, version) })
	}
}

func tlsSlowPeer(t *testing.T, version uint16) {
	ca := listenertest.NewIssuer(t)
	cfg := tlsOf(t, ca, "server")
	cfg.Options.SendBuffer = 16 << 10
	sent := make(chan []byte, 1)
	s := serveTLS(t, cfg, func(a gateway.ConnectionAdapter, _ []byte) {
		var all []byte
		for i := range 400 {
			b := bytes.Repeat([]byte{byte(i)}, 1+i*97%40000)
			a.Send(b)
			all = append(all, b...)
		}
		a.Close(gateway.ReasonNormal)
		sent <- all
	}, gateway.Limits{SendQueueBytes: 64 << 20, CloseTimeout: 15 * time.Second})
	client := ca.Client()
	client.MaxVersion = version
	c := dialTLS(t, s.addr, client)
	_ = c.SetDeadline(time.Now().Add(90 * time.Second))
	if _, err := c.Write([]byte("go")); err != nil {
		t.Fatal(err)
	}
	want := <-sent // the handler is through although nobody has read
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d of %d bytes, %v", len(got), len(want), err)
	}
	if r := <-s.Closed; !r.Is(gateway.ReasonNormal) {
		t.Errorf("closed with %v", r)
	}
}

// A peer that never reads is closed when its queue is full.
func TestTLSSendQueueFull(t *testing.T) {
	ca := listenertest.NewIssuer(t)
	s := serveTLS(t, tlsOf(t, ca, "server"), func(a gateway.ConnectionAdapter, _ []byte) {
		for a.Send(make([]byte, 64<<10)) == gateway.OK {
		}
	}, gateway.Limits{SendQueueBytes: 1 << 20})
	c := dialTLS(t, s.addr, ca.Client())
	_, _ = c.Write([]byte("go"))
	if r := <-s.Closed; !r.Is(gateway.ReasonSendQueueFull) {
		t.Errorf("closed with %v", r)
	}
}

// close_notify is the last record, so that the peer can tell a complete stream from one that was cut.
func TestTLSCloseNotify(t *testing.T) {
	ca := listenertest.NewIssuer(t)
	s := serveTLS(t, tlsOf(t, ca, "server"), func(a gateway.ConnectionAdapter, b []byte) {
		a.Send(b)
		a.Close(gateway.ReasonNormal)
	}, gateway.Limits{})
	c := dialTLS(t, s.addr, ca.Client())
	echoes(t, c, "bye")
	if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("read %d, %v after the end", n, err)
	}
}

// A device that keeps sending small pieces of records is heard all the same.
func TestTLSFragmentedRecords(t *testing.T) {
	ca := listenertest.NewIssuer(t)
	s := serveTLS(t, tlsOf(t, ca, "server"), listenertest.Send, gateway.Limits{})
	raw := dial(t, s.addr)
	c := tls.Client(&dribble{raw}, ca.Client())
	for range 3 {
		echoes(t, c, strings.Repeat("tiny pieces ", 20))
	}
}

// dribble writes one byte a segment.
type dribble struct{ net.Conn }

func (d *dribble) Write(b []byte) (int, error) {
	for i := range b {
		if _, err := d.Conn.Write(b[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(b), nil
}

func TestTLSGarbage(t *testing.T) {
	ca := listenertest.NewIssuer(t)
	s := serveTLS(t, tlsOf(t, ca, "server"), listenertest.Send, gateway.Limits{})
	plain := dial(t, s.addr)
	_, _ = plain.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
	if _, err := io.Copy(io.Discard, plain); err != nil && !errors.Is(err, net.ErrClosed) &&
		!strings.Contains(err.Error(), "reset") {
		t.Error(err)
	}
	gatewaytest.Eventually(t, "the refusal", func() bool {
		return s.Count(t, "exgate_tls_handshakes_total",
			"failed") == 1
	})
	_ = dial(t, s.addr).Close() // somebody looks whether we are there
	gatewaytest.Eventually(t, "the look", func() bool {
		return s.Count(t, "exgate_tls_handshakes_total",
			"closed") == 1
	})

	raw := dial(t, s.addr)
	c := tls.Client(raw, ca.Client())
	echoes(t, c, "established")
	_, _ = raw.Write([]byte("\x17\x03\x03\x00\x05wrong"))
	if r := <-s.Closed; !r.Is(gateway.ReasonSocketFail) {
		t.Errorf("closed with %v", r)
	}
}

func TestTLSHandshakeTimeout(t *testing.T) {
	ca := listenertest.NewIssuer(t)
	cfg := tlsOf(t, ca, "server")
	cfg.HandshakeTimeout = 20 * time.Millisecond
	s := serveTLS(t, cfg, listenertest.Send, gateway.Limits{})
	c := dial(t, s.addr)
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a silent device: %v", err)
	}
	gatewaytest.Eventually(t, "the timeout", func() bool {
		return s.Count(t, "exgate_tls_handshakes_total",
			"timeout") == 1
	})
}

// Sources that keep failing handshakes are banned; a port scan is not a failure.
func TestTLSFailuresBan(t *testing.T) {
	ca := listenertest.NewIssuer(t)
	cfg := tlsOf(t, ca, "server")
	var err error
	cfg.Admission, err = admission.New(admission.Config{
		Listener: "l", Ban: admission.BanConfig{Failures: 2, Window: time.Minute, Duration: time.Minute},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := serveTLS(t, cfg, listenertest.Send, gateway.Limits{})
	for range 5 {
		_ = dial(t, s.addr).Close()
	}
	gatewaytest.Eventually(t, "five looks", func() bool {
		return s.Count(t, "exgate_tls_handshakes_total",
			"closed") == 5
	})
	for range 2 {
		c := dial(t, s.addr)
		_, _ = c.Write([]byte("no TLS at all"))
		_, _ = io.Copy(io.Discard, c)
	}
	if _, err := tls.Dial("tcp", s.addr, ca.Client()); err == nil {
		t.Error("a banned source was let in")
	}
}

// Each connection gives its place back, however it ends.
func TestTLSPlacesAreGivenBack(t *testing.T) {
	ca := listenertest.NewIssuer(t)
	cfg := tlsOf(t, ca, "server")
	var err error
	if cfg.Admission, err = admission.New(admission.Config{Listener: "l", MaxConnections: 1}); err != nil {
		t.Fatal(err)
	}
	s := serveTLS(t, cfg, listenertest.Send, gateway.Limits{})
	ends := []func(c *tls.Conn){
		func(c *tls.Conn) { _ = c.Close() },
		func(c *tls.Conn) { _ = c.NetConn().(*net.TCPConn).SetLinger(0); _ = c.NetConn().Close() },
		func(c *tls.Conn) {
			_, _ = c.NetConn().Write([]byte("garbage in the stream"))
			_, _ = io.Copy(io.Discard, c)
		},
	}
	for _, end := range append(ends, ends...) {
		var c *tls.Conn
		gatewaytest.Eventually(t, "the place", func() (ok bool) {
			c, err = tls.Dial("tcp", s.addr, ca.Client())
			return err == nil
		})
		echoes(t, c, "in")
		if _, err := tls.Dial("tcp", s.addr, ca.Client()); err == nil {
			t.Error("two connections where one is allowed")
		}
		end(c)
		_ = c.Close()
	}
}

func TestTLSIdleConnectionCostsOneGoroutine(t *testing.T) {
	ca := listenertest.NewIssuer(t)
	s := serveTLS(t, tlsOf(t, ca, "server"), listenertest.Send, gateway.Limits{})
	const conns = 20
	echoes(t, dialTLS(t, s.addr, ca.Client()), "the listener has all its goroutines")
	before := runtime.NumGoroutine()
	for range conns {
		echoes(t, dialTLS(t, s.addr, ca.Client()), "x")
	}
	gatewaytest.Eventually(t, "one goroutine a connection",
		func() bool { return runtime.NumGoroutine()-before <= conns })
}
