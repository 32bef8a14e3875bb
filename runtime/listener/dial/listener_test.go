package dial_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/listener/admission"
	"github.com/exgate/exgate/runtime/listener/dial"
	"github.com/exgate/exgate/runtime/listener/listenertest"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type server struct {
	listenertest.Server
	*dial.Listener
	log gatewaytest.Log
}

// loopback allows the targets of tests.
func loopback(t testing.TB, limits admission.Config) *admission.Admission {
	t.Helper()
	list, err := admission.ParseAccess([]string{"allow 127.0.0.0/8"})
	must(t, err)
	limits.Access, limits.Logger = list, slog.New(slog.DiscardHandler)
	a, err := admission.New(limits)
	must(t, err)
	return a
}

func serve(t testing.TB, cfg dial.Config, targets ...string) *server {
	t.Helper()
	s := new(server)
	cfg.Name, cfg.Logger, cfg.Metrics = "dial", s.log.Logger(), dial.NewMetrics(s.Counting())
	cfg.MinPause, cfg.MaxPause = 10*time.Millisecond, 100*time.Millisecond
	if cfg.File == nil {
		cfg.Targets = dial.Parse(targets)
	}
	var err error
	s.Listener, err = dial.New(cfg)
	must(t, err)
	t.Cleanup(func() { must(t, s.End(context.Background())) })
	s.Start(t, s.Listener, listenertest.Send, gateway.Limits{})
	return s
}

func (s *server) dials(t testing.TB, result string) float64 {
	t.Helper()
	return s.Count(t, "exgate_dials_total", "dial", result)
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// accept accepts a connection from the gateway and checks that it echoes.
func accept(t testing.TB, l net.Listener) net.Conn {
	t.Helper()
	c, err := l.Accept()
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	must(t, c.SetDeadline(time.Now().Add(10*time.Second)))
	if got := listenertest.Ask(t, c, []byte("hello")); string(got) != "hello" {
		t.Fatalf("%q", got)
	}
	return c
}

func TestTCP(t *testing.T) {
	l := listen(t)
	s := serve(t, dial.Config{Admission: loopback(t, admission.Config{})}, "meter-1 "+l.Addr().String()+" unit=7 # x")
	c := accept(t, l)
	info := <-s.Info
	want := []gateway.Property{
		{Name: "target", Value: "meter-1"},
		{Name: "address", Value: l.Addr().String()},
		{Name: "config", Value: "unit=7 # x"},
	}
	if info.SocketType != gateway.SocketTCP || info.Peer.String() != l.Addr().String() ||
		info.Local.String() != c.RemoteAddr().String() || len(info.Properties) != 3 ||
		info.Properties[0] != want[0] || info.Properties[1] != want[1] || info.Properties[2] != want[2] {
		t.Errorf("%+v", info)
	}
	if s.Count(t, "exgate_dial_targets_up") != 1 || s.Count(t, "exgate_dial_targets") != 1 {
		t.Error("the target is not counted")
	}
	must(t, c.Close())
	if r := <-s.Closed; !r.Is(gateway.ReasonTCPClosed) && !r.Is(gateway.ReasonConnReset) {
		t.Error(r)
	}
	accept(t, l) // again
}

func TestTLS(t *testing.T) {
	ca := listenertest.NewIssuer(t)
	certFile, keyFile := ca.IssueServer(t, "localhost")
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	must(t, err)
	roots := ca.Client().RootCAs
	device := ca.Device(t, pkix.Name{CommonName: "gateway"})
	listenTLS := func(version uint16) net.Listener {
		l := tls.NewListener(listen(t), &tls.Config{
			Certificates: []tls.Certificate{pair}, ClientCAs: roots, ClientAuth: tls.RequireAndVerifyClientCert,
			MinVersion: version, MaxVersion: version,
		})
		return l
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		l := listenTLS(version)
		cfg := &tls.Config{
			MinVersion: tls.VersionTLS12, RootCAs: roots, Certificates: []tls.Certificate{device},
			ServerName: "localhost",
		}
		s := serve(t, dial.Config{TLS: cfg, Admission: loopback(t, admission.Config{})}, "a tls://"+l.Addr().String())
		c := accept(t, l)
		if info := <-s.Info; info.SocketType != gateway.SocketSSL || info.PeerCert == nil {
			t.Errorf("%+v", info)
		}
		big := bytes.Repeat([]byte("0123456789abcdef"), 64<<10)
		go func() { _, _ = c.Write(big) }()
		back := make([]byte, len(big))
		if _, err := io.ReadFull(c, back); err != nil || !bytes.Equal(back, big) {
			t.Errorf("an echo of 1 MiB: %v", err)
		}
	}
}

// A certificate of another authority or for another name is refused, and skipping the check is possible.
func TestTLSVerifies(t *testing.T) {
	ca := listenertest.NewIssuer(t)
	certFile, keyFile := ca.IssueServer(t, "localhost")
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	must(t, err)
	roots := ca.Client().RootCAs
	for name, cfg := range map[string]*tls.Config{
		"another authority": {MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool(), ServerName: "localhost"},
		"another name":      {MinVersion: tls.VersionTLS12, RootCAs: roots, ServerName: "other.example"},
	} {
		l := tls.NewListener(listen(t), &tls.Config{Certificates: []tls.Certificate{pair}})
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_ = c.(*tls.Conn).Handshake()
				_ = c.Close()
			}
		}()
		s := serve(t, dial.Config{TLS: cfg, Admission: loopback(t, admission.Config{})}, "a tls://"+l.Addr().String())
		gatewaytest.Eventually(t, name+" is refused", func() bool { return s.dials(t, "tls") >= 2 })
		if s.dials(t, "ok") != 0 {
			t.Errorf("%s: connected", name)
		}
	}
	l := tls.NewListener(listen(t), &tls.Config{Certificates: []tls.Certificate{pair}})
	serve(t, dial.Config{
		TLS:       &tls.Config{InsecureSkipVerify: true},
		Admission: loopback(t, admission.Config{}),
	}, "a tls://"+l.Addr().String())
	accept(t, l)
}

func TestUDP(t *testing.T) {
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	must(t, err)
	defer func() { _ = c.Close() }()
	s := serve(t, dial.Config{IdleTimeout: 3 * time.Second, Admission: loopback(t, admission.Config{})},
		"a udp://"+c.LocalAddr().String())
	info := <-s.Info
	if info.SocketType != gateway.SocketUDP || info.Peer.String() != c.LocalAddr().String() {
		t.Errorf("%+v", info)
	}
	gatewayAddr := net.UDPAddrFromAddrPort(info.Local)
	must(t, c.SetDeadline(time.Now().Add(10*time.Second)))
	for _, size := range []int{0, 1, 1400, 60_000} {
		sent := bytes.Repeat([]byte("x"), size)
		_, err := c.WriteTo(sent, gatewayAddr)
		must(t, err)
		got := make([]byte, 65_536)
		n, _, err := c.ReadFrom(got)
		if err != nil || !bytes.Equal(got[:n], sent) {
			t.Errorf("%d bytes: %d, %v", size, n, err)
		}
	}
	if r := <-s.Closed; !r.Is(gateway.ReasonIdleTimeout) {
		t.Error(r)
	}
	again := <-s.Info // it is dialed anew
	if again.Local == info.Local {
		t.Error("the same socket")
	}
}

// A name is checked when it has been resolved: what is dialed counts.
func TestForbidden(t *testing.T) {
	l := listen(t)
	_, port, _ := net.SplitHostPort(l.Addr().String())
	s := serve(t, dial.Config{}, "ip "+l.Addr().String(), "name localhost:"+port, "mapped [::ffff:127.0.0.1]:"+port,
		"metadata 169.254.169.254:80", "udp udp://127.0.0.1:"+port)
	gatewaytest.Eventually(t, "each is refused", func() bool { return s.dials(t, "forbidden") >= 10 })
	must(t, l.(*net.TCPListener).SetDeadline(time.Now().Add(100*time.Millisecond)))
	if c, err := l.Accept(); err == nil {
		t.Errorf("connected from %s", c.RemoteAddr())
	}
	if s.dials(t, "ok") != 0 || s.dials(t, "refused") != 0 {
		t.Error("something was dialed")
	}
	text := s.log.String()
	if !strings.Contains(text, "cause=forbidden") || !strings.Contains(text, "target=") ||
		strings.Count(text, "\n") > 3 {
		t.Error(text)
	}
}

func TestFailuresByCause(t *testing.T) {
	l := listen(t)
	closed := l.Addr().String()
	must(t, l.Close())
	silent := listen(t)
	s := serve(t, dial.Config{ConnectTimeout: 200 * time.Millisecond, Admission: loopback(t, admission.Config{})},
		"refused "+closed, "dns no-such-host.invalid:1", "timeout tls://"+silent.Addr().String())
	for _, cause := range []string{"refused", "dns", "timeout"} {
		gatewaytest.Eventually(t, cause, func() bool { return s.dials(t, cause) > 0 })
	}
}

// The limit of connections holds, and an attempt that ended gives its place back.
func TestLimit(t *testing.T) {
	l := listen(t)
	at := l.Addr().String()
	s := serve(t, dial.Config{Admission: loopback(t, admission.Config{MaxConnections: 1})}, "a "+at, "b "+at)
	c := accept(t, l)
	gatewaytest.Eventually(t, "the other one is refused", func() bool { return s.dials(t, "limit") > 0 })
	must(t, c.Close())
	accept(t, l)
	gatewaytest.Eventually(t, "one target is up", func() bool { return s.Count(t, "exgate_dial_targets_up") == 1 })
}

// A target that floods is read no faster than its handler takes it, and one that is removed meanwhile is closed.
func TestFloodAndReload(t *testing.T) {
	l := listen(t)
	path := filepath.Join(t.TempDir(), "targets")
	must(t, os.WriteFile(path, []byte("a "+l.Addr().String()+"\n"), 0o600))
	file, err := dial.LoadFile(path)
	must(t, err)
	s := serve(t, dial.Config{File: file, Admission: loopback(t, admission.Config{})})
	c := accept(t, l)
	ended := make(chan error, 1)
	go func() {
		_ = c.SetDeadline(time.Time{})
		flood := make([]byte, 64<<10)
		for {
			if _, err := c.Write(flood); err != nil {
				ended <- err
				return
			}
		}
	}()
	must(t, os.WriteFile(path, []byte("# none\nwrong line\n"), 0o600))
	if r := <-s.Closed; !r.Is(gateway.ReasonListenerRemoved) && !r.Is(gateway.ReasonSendTimeout) &&
		!r.Is(gateway.ReasonSendQueueFull) {
		t.Error(r)
	}
	<-ended
	gatewaytest.Eventually(t, "no target is left", func() bool { return s.Count(t, "exgate_dial_targets") == 0 })
	if s.Count(t, "exgate_dial_targets_wrong") != 1 || !strings.Contains(s.log.String(), "targets, line 2: ") {
		t.Error(s.log.String())
	}
}

// End closes what is connected, and nothing is dialed afterwards.
func TestEnd(t *testing.T) {
	l := listen(t)
	s := serve(t, dial.Config{Admission: loopback(t, admission.Config{})}, "a "+l.Addr().String())
	c := accept(t, l)
	must(t, s.Close())
	must(t, errors.Join(s.Attached(t.Context()), func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		go func() { _, _ = io.Copy(io.Discard, c); _ = c.Close() }()
		return s.End(ctx)
	}()))
	if r := <-s.Closed; !r.Is(gateway.ReasonShutdown) {
		t.Error(r)
	}
	must(t, l.(*net.TCPListener).SetDeadline(time.Now().Add(300*time.Millisecond)))
	if _, err := l.Accept(); err == nil {
		t.Error("dialed again")
	}
	if _, err := dial.New(dial.Config{MinPause: time.Hour, MaxPause: time.Second, Logger: slog.Default()}); err == nil {
		t.Error("pauses in the wrong order")
	}
}
