package dtls_test

import (
	"context"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	pion "github.com/pion/dtls/v3"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/listener/admission"
	"github.com/exgate/exgate/runtime/listener/dtls"
	"github.com/exgate/exgate/runtime/listener/listenertest"
)

func TestDTLSEcho(t *testing.T) {
	s := serveDTLS(t, certDTLS(t), gateway.Limits{}, listenertest.Send)
	c := s.dial(t)
	info := <-s.Info
	if info.Peer.String() != c.LocalAddr().String() || info.Local.String() != s.addr().String() ||
		info.SocketType != gateway.SocketDTLS || info.PeerCert != nil {
		t.Errorf("info %+v", info)
	}
	for _, size := range []int{1, 64, 1100, 7000} { // one record, one event, one record back
		dtlsEchoes(t, c, strings.Repeat("x", size))
	}
	_ = c.Close()
	if r := <-s.Closed; !r.Is(gateway.ReasonSSLClosed) {
		t.Errorf("closed with %v", r)
	}
	gatewaytest.Eventually(t, "the peer to go", func() bool { return s.listener.Peers() == 0 })
	if n := s.Count(t, "exgate_dtls_handshakes_total", "completed"); n != 1 {
		t.Errorf("%v handshakes", n)
	}
}

// The handler's close reaches the device as close_notify, and so does what it sent before. The client's Read picks at
// random among what it has, so either may come first here.
func TestDTLSCloseNotify(t *testing.T) {
	s := serveDTLS(t, certDTLS(t), gateway.Limits{}, func(a gateway.ConnectionAdapter, _ []byte) {
		a.Send([]byte("goodbye"))
		a.Close(gateway.ReasonNormal)
	})
	c := s.dial(t)
	_, _ = c.Write([]byte("hello"))
	var goodbye, ended bool
	for range 1000 {
		b := make([]byte, 100)
		n, err := c.Read(b)
		switch {
		case string(b[:n]) == "goodbye":
			goodbye = true
		case errors.Is(err, io.EOF):
			ended = true
		default:
			t.Fatalf("%q, %v", b[:n], err)
		}
		if goodbye && ended {
			break
		}
	}
	if !goodbye || !ended {
		t.Errorf("goodbye %v, ended %v", goodbye, ended)
	}
	if r := <-s.Closed; !r.Is(gateway.ReasonNormal) {
		t.Errorf("closed with %v", r)
	}
}

func TestDTLSClientCertificate(t *testing.T) {
	ca := listenertest.NewIssuer(t)
	cfg := dtlsOf(t, ca)
	cfg.CAFile, cfg.Verify, cfg.FailIfNoCert = ca.File, "peer", true
	s := serveDTLS(t, cfg, gateway.Limits{}, listenertest.Send)

	meter := pkix.Name{CommonName: "meter-1", Organization: []string{"Ex, Inc"}, Country: []string{"DE"}}
	c := s.dial(t, pion.WithCertificates(ca.Device(t, meter)))
	dtlsEchoes(t, c, "hello")
	if info := <-s.Info; info.PeerCert == nil || info.PeerCert.CommonName != "meter-1" ||
		info.PeerCert.DistinguishedName != `CN=meter-1,O=Ex\, Inc,C=DE` {
		t.Errorf("info %+v", info.PeerCert)
	}
	if _, err := s.client(t, udpSocket(t, "127.0.0.1:0")); err == nil {
		t.Error("a client without certificate was let in")
	}
	stranger := listenertest.NewIssuer(t).Device(t, pkix.Name{CommonName: "meter-1"})
	if _, err := s.client(t, udpSocket(t, "127.0.0.1:0"), pion.WithCertificates(stranger)); err == nil {
		t.Error("a client of another authority was let in")
	}
	gatewaytest.Eventually(t, "the handshakes to be counted",
		func() bool { return s.Count(t, "exgate_dtls_handshakes_total", "failed") == 2 })
}

// Without fail_if_no_cert a client may come without, but not with a bad one.
func TestDTLSClientCertificateIsOptional(t *testing.T) {
	ca := listenertest.NewIssuer(t)
	cfg := dtlsOf(t, ca)
	cfg.CAFile, cfg.Verify = ca.File, "peer"
	s := serveDTLS(t, cfg, gateway.Limits{}, listenertest.Send)
	dtlsEchoes(t, s.dial(t), "hello")
	stranger := listenertest.NewIssuer(t).Device(t, pkix.Name{CommonName: "meter-1"})
	if _, err := s.client(t, udpSocket(t, "127.0.0.1:0"), pion.WithCertificates(stranger)); err == nil {
		t.Error("a client of another authority was let in")
	}
}

func TestDTLSPSK(t *testing.T) {
	cfg := pskDTLS(t)
	dtlsEchoes(t, serveDTLS(t, cfg, gateway.Limits{}, listenertest.Send).dial(t, asMeter(0xc0, 0xff, 0xee)...), "hello")

	cfg.HandshakeTimeout = 200 * time.Millisecond
	s := serveDTLS(t, cfg, gateway.Limits{}, listenertest.Send)
	ctx, cancel := context.WithCancel(t.Context())
	c, err := pion.ClientWithOptions(udpSocket(t, "127.0.0.1:0"), s.addr(), asMeter(1, 2, 3)...)
	if err != nil {
		t.Fatal(err)
	}
	wrong := make(chan error)
	go func() { wrong <- c.HandshakeContext(ctx) }()
	gatewaytest.Eventually(t, "the wrong key to be given up",
		func() bool { return s.Count(t, "exgate_dtls_handshakes_total", "timeout") == 1 })
	cancel()
	if err := <-wrong; err == nil {
		t.Error("a client with the wrong key was let in")
	}
	_ = c.Close()
}

// A silent client does not delay the handshake of another: neither before it has proved its address nor after.
func TestDTLSSilentClientDelaysNobody(t *testing.T) {
	cfg := certDTLS(t)
	cfg.HandshakeTimeout = time.Hour
	s := serveDTLS(t, cfg, gateway.Limits{}, listenertest.Send)
	for range 20 {
		_, _ = udpSocket(t, "127.0.0.1:0").WriteTo(dtls.AHello(0, 0xc02b), s.addr())
	}
	halfwayClient(t, s, 0xc02b)
	gatewaytest.Eventually(t, "the silent clients", func() bool {
		u, v := s.listener.Pending()
		return float64(u)+s.Count(t, "exgate_dtls_handshakes_total", "unproved") >= 20 && v == 1
	})
	dtlsEchoes(t, s.dial(t), "hello")
	if u, v := s.listener.Pending(); u+v == 0 {
		t.Error("the silent clients were gone already")
	}
	gatewaytest.Eventually(t, "the unverified to be given up",
		func() bool { u, _ := s.listener.Pending(); return u == 0 })
}

// A peer without keepalive ends after the idle timeout, one with it does not.
func TestDTLSIdle(t *testing.T) {
	s := serveDTLS(t, certDTLS(t), gateway.Limits{IdleTimeout: 100 * time.Millisecond},
		func(a gateway.ConnectionAdapter, b []byte) {
			if string(b) == "keep" {
				a.StartTimer(gateway.TimerKeepalive, 60)
			}
			a.Send(b)
		})
	var kept net.Conn
	gatewaytest.Eventually(t, "a device asks in time to be kept", func() bool {
		kept = s.dial(t)
		_, _ = kept.Write([]byte("keep"))
		n, _ := kept.Read(make([]byte, 10))
		return n > 0
	})
	left := s.dial(t)
	if _, err := left.Read(make([]byte, 10)); !errors.Is(err, io.EOF) {
		t.Errorf("the idle one: %v", err)
	}
	if r := <-s.Closed; !r.Is(gateway.ReasonIdleTimeout) {
		t.Errorf("closed with %v", r)
	}
	dtlsEchoes(t, kept, "still there")
}

// A device over its rate loses datagrams, not its connection, and they are counted.
func TestDTLSDropsOverRate(t *testing.T) {
	s := serveDTLS(t, certDTLS(t), gateway.Limits{MessagesPerSecond: 0.001}, listenertest.Send)
	c := s.dial(t)
	dtlsEchoes(t, c, "one")
	for range 5 {
		_, _ = c.Write([]byte("lost"))
	}
	gatewaytest.Eventually(t, "five lost records",
		func() bool { return s.Count(t, "exgate_dtls_dropped_total", "over_rate") == 5 })
}

// What comes while the handler paused the connection waits.
func TestDTLSWaitsWhilePaused(t *testing.T) {
	paused := make(chan gateway.ConnectionAdapter, 1)
	s := serveDTLS(t, certDTLS(t), gateway.Limits{}, func(a gateway.ConnectionAdapter, b []byte) {
		if string(b) == "pause" {
			a.Pause()
			paused <- a
		}
		a.Send(b)
	})
	c := s.dial(t)
	dtlsEchoes(t, c, "pause")
	a := <-paused
	if _, err := c.Write([]byte("held")); err != nil {
		t.Fatal(err)
	}
	a.Resume()
	got := make([]byte, 16)
	if n, err := c.Read(got); err != nil || string(got[:n]) != "held" {
		t.Errorf("got %q, %v", got[:n], err)
	}
}

func TestDTLSAdmission(t *testing.T) {
	access, err := admission.ParseAccess([]string{"deny 127.0.0.2", "allow all"})
	if err != nil {
		t.Fatal(err)
	}
	cfg := certDTLS(t)
	if cfg.Admission, err = admission.New(admission.Config{
		Listener: "d", Access: access,
		MaxConnections: 1,
	}); err != nil {
		t.Fatal(err)
	}
	s := serveDTLS(t, cfg, gateway.Limits{}, listenertest.Send)
	first := s.dial(t)
	dtlsEchoes(t, first, "hello")
	refused := func() float64 { return s.Count(t, "exgate_dtls_handshakes_total", "refused") }
	denied, second := s.refuses(t, "127.0.0.2:0"), s.refuses(t, "127.0.0.1:0")
	gatewaytest.Eventually(t, "the second connection to be refused", func() bool { return refused() > 0 })
	denied()
	second()
	if n := refused(); n != 1 {
		t.Errorf("%v were refused after they proved their address", n)
	}
	_ = first.Close()
	<-s.Closed
	gatewaytest.Eventually(t, "the place to be free", func() bool { return s.listener.Peers() == 0 })
	dtlsEchoes(t, s.dial(t), "next")
}

// refuses starts a handshake from bind, and returns a function that gives it up and checks that it was not completed.
func (s *dtlsServer) refuses(t *testing.T, bind string) (check func()) {
	t.Helper()
	c, err := pion.ClientWithOptions(udpSocket(t, bind), s.addr(), pion.WithInsecureSkipVerify(true))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.HandshakeContext(ctx) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-ended; err == nil {
			t.Errorf("%s was let in", bind)
		}
		_ = c.Close()
	}
}

// Bans need a proved address: hellos with a forged source do not ban it, failed handshakes do.
func TestDTLSBansProvedAddressesOnly(t *testing.T) {
	ca := listenertest.NewIssuer(t)
	cfg := dtlsOf(t, ca)
	cfg.CAFile, cfg.Verify = ca.File, "peer"
	var err error
	if cfg.Admission, err = admission.New(admission.Config{
		Listener: "d", Ban: admission.BanConfig{Failures: 3, Window: time.Hour, Duration: time.Hour},
		Logger: slog.New(slog.DiscardHandler),
	}); err != nil {
		t.Fatal(err)
	}
	s := serveDTLS(t, cfg, gateway.Limits{}, listenertest.Send)
	for range 20 {
		_, _ = udpSocket(t, "127.0.0.1:0").WriteTo(dtls.AHello(0, 0xc02b), s.addr())
	}
	gatewaytest.Eventually(t, "the spoofed hellos",
		func() bool { return s.Count(t, "exgate_dtls_handshakes_total", "unproved") == 20 })
	dtlsEchoes(t, s.dial(t), "not banned")

	stranger := listenertest.NewIssuer(t).Device(t, pkix.Name{CommonName: "stranger"})
	for range 3 {
		if _, err := s.client(t, udpSocket(t, "127.0.0.1:0"), pion.WithCertificates(stranger)); err == nil {
			t.Fatal("a stranger was let in")
		}
	}
	gatewaytest.Eventually(t, "the ban",
		func() bool { return !cfg.Admission.Allowed(netip.MustParseAddr("127.0.0.1")) })
}

// A changed certificate serves new clients, and no session ends.
func TestDTLSCertificateReload(t *testing.T) {
	cfg := certDTLS(t)
	s := serveDTLS(t, cfg, gateway.Limits{}, listenertest.Send)
	old := s.dial(t)
	dtlsEchoes(t, old, "before")
	cert, key := listenertest.NewIssuer(t).IssueServer(t, "the next gateway")
	for from, to := range map[string]string{cert: cfg.CertFile, key: cfg.KeyFile} {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	gatewaytest.Eventually(t, "the new certificate", func() bool {
		c := s.dial(t)
		defer func() { _ = c.Close() }()
		state, _ := c.ConnectionState()
		return strings.Contains(string(state.PeerCertificates[0]), "the next gateway")
	})
	dtlsEchoes(t, old, "after")
}

func TestListenDTLSErrors(t *testing.T) {
	good, psk := certDTLS(t), pskDTLS(t)
	for name, tt := range map[string]struct {
		change func(c *dtls.Config)
		want   string
	}{
		"nothing": {
			func(c *dtls.Config) { *c = dtls.Config{} },
			"set a certificate and its key, or a file of pre-shared keys",
		},
		"no key": {
			func(c *dtls.Config) { c.KeyFile = "" },
			"a certificate needs its key and a key its certificate: set both files",
		},
		"key missing": {func(c *dtls.Config) { c.KeyFile = "/nowhere.key" }, "/nowhere.key"},
		"psk missing": {func(c *dtls.Config) { c.PSK.File = "/nowhere.psk" }, "/nowhere.psk"},
		"hint only": {
			func(c *dtls.Config) { c.PSK.IdentityHint = "x" },
			"the identity hint needs a file of pre-shared keys",
		},
		"long hint": {
			func(c *dtls.Config) { c.PSK = psk.PSK; c.PSK.IdentityHint = strings.Repeat("x", 129) },
			"the identity hint is 129 bytes long: at most 128",
		},
		"verify": {func(c *dtls.Config) { c.Verify = "yes" }, `verify is "yes": it must be none or peer`},
		"no ca": {
			func(c *dtls.Config) { c.Verify = "peer" },
			"verify: peer needs a certificate and a CA file",
		},
		"fail": {
			func(c *dtls.Config) { c.FailIfNoCert = true },
			"fail_if_no_cert needs verify: peer",
		},
		"negative": {func(c *dtls.Config) { c.MaxHandshakes = -1 }, "a timeout, a maximum or a rate is negative"},
		"cipher": {
			func(c *dtls.Config) { c.Ciphers = []string{"TLS_RSA_WITH_RC4"} },
			`unknown DTLS cipher suite "TLS_RSA_WITH_RC4"`,
		},
		"cipher of psk": {
			func(c *dtls.Config) { c.Ciphers = []string{"TLS_PSK_WITH_AES_128_CCM_8"} },
			"no compatible CipherSuite",
		},
		"bind": {func(c *dtls.Config) { c.Bind = "127.0.0.1:99999" }, "99999"},
	} {
		cfg := good
		tt.change(&cfg)
		l, err := dtls.Listen(t.Context(), cfg)
		if err == nil {
			_ = l.Close()
		}
		if err == nil || !strings.HasPrefix(err.Error(), "opening DTLS listener: ") ||
			!strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
}

// While the handler is busy, as many datagrams wait as udp.queue says, and the rest is counted, as with UDP.
func TestDTLSQueue(t *testing.T) {
	for _, queue := range []int{1, 64, 400} {
		cfg := certDTLS(t)
		cfg.QueueDatagrams = queue
		busy, release := make(chan struct{}), make(chan struct{})
		var got atomic.Int64
		s := serveDTLS(t, cfg, gateway.Limits{}, func(_ gateway.ConnectionAdapter, b []byte) {
			if string(b) == "wait" {
				close(busy)
				<-release
				return
			}
			got.Add(1)
		})
		c := s.dial(t)
		if _, err := c.Write([]byte("wait")); err != nil {
			t.Fatal(err)
		}
		<-busy
		const sent = 500
		for range sent {
			if _, err := c.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		dropped := func() float64 { return s.Count(t, "exgate_datagrams_dropped_total", "queue_full") }
		gatewaytest.Eventually(t, "the rest to be dropped",
			func() bool { return dropped() >= float64(sent-queue-maxInLibrary) })
		close(release)
		gatewaytest.Eventually(t, "what was kept", func() bool { return float64(got.Load())+dropped() == sent })
		if n := got.Load(); n < int64(queue) || n > int64(queue)+maxInLibrary {
			t.Errorf("a queue of %d kept %d", queue, n)
		}
	}
}

// maxInLibrary is how many records the library buffers besides the queue.
const maxInLibrary = 4

// A Send of more than one record carries is refused with a reason, and the session stays.
func TestDTLSSendTooLong(t *testing.T) {
	results := make(chan gateway.Result, 1)
	s := serveDTLS(t, certDTLS(t), gateway.Limits{}, func(a gateway.ConnectionAdapter, b []byte) {
		n, _ := strconv.Atoi(string(b))
		results <- a.Send(make([]byte, n))
	})
	c := s.dial(t)
	for _, n := range []int{1, 1 << 14, 1<<14 + 1, 70_000, 2} {
		if _, err := fmt.Fprint(c, n); err != nil {
			t.Fatal(err)
		}
		r := <-results
		if want := n <= 1<<14; r.Ok() != want || !want && r.Code != gateway.CodeParamsTypeError {
			t.Errorf("sending %d bytes: %v", n, r)
		}
		if !r.Ok() || n > 8000 { // the client's library reads no longer records
			continue
		}
		b := make([]byte, 20_000)
		_ = c.SetReadDeadline(time.Now().Add(90 * time.Second))
		if got, err := c.Read(b); got != n {
			t.Errorf("%d bytes came of %d: %v", got, n, err)
		}
	}
	if n := s.Count(t, "exgate_dtls_dropped_total", "record_size"); n != 2 {
		t.Errorf("%v counted", n)
	}
}
