package listener_test

import (
	"crypto/tls"
	"crypto/x509/pkix"
	"math/big"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/listener/listenertest"
)

func serial(c *tls.Conn) *big.Int { return c.ConnectionState().PeerCertificates[0].SerialNumber }

// newSerial is the serial number of the certificate that a new connection receives.
func newSerial(t *testing.T, addr string, cfg *tls.Config) *big.Int {
	t.Helper()
	c, err := tls.Dial("tcp", addr, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	echoes(t, c, "hello")
	return serial(c)
}

// While devices connect, the certificate is replaced, broken and replaced again: they notice nothing but the
// new one.
func TestTLSReloadUnderLoad(t *testing.T) {
	ca := listenertest.NewIssuer(t)
	cfg := tlsOf(t, ca, "server")
	cfg.SetCertificateWatch(2 * time.Millisecond)
	s := serveTLS(t, cfg, listenertest.Send, gateway.Limits{})
	established := dialTLS(t, s.addr, ca.Client())
	echoes(t, established, "before")
	first := serial(established)

	stop := make(chan struct{})
	var load sync.WaitGroup
	for range 2 {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				c, err := tls.Dial("tcp", s.addr, ca.Client())
				if err != nil {
					t.Error(err)
					return
				}
				_, err = c.Write([]byte("hello"))
				if err == nil {
					_, err = c.Read(make([]byte, 5))
				}
				if _ = c.Close(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}

	tlsOf(t, ca, "server")
	gatewaytest.Eventually(t, "the second certificate",
		func() bool { return newSerial(t, s.addr, ca.Client()).Cmp(first) != 0 })
	second := newSerial(t, s.addr, ca.Client())
	failed := s.Count(t, "exgate_tls_reloads_total", "failed")
	listenertest.ReplaceFile(t, cfg.CertFile, []byte("not a certificate"))
	gatewaytest.Eventually(t, "the broken file", func() bool {
		return s.Count(t, "exgate_tls_reloads_total",
			"failed") > failed
	})
	if got := newSerial(t, s.addr, ca.Client()); got.Cmp(second) != 0 {
		t.Error("a broken file changed the certificate")
	}
	if err := os.Remove(cfg.KeyFile); err != nil {
		t.Fatal(err)
	}
	tlsOf(t, ca, "server")
	gatewaytest.Eventually(t, "the third certificate",
		func() bool { return newSerial(t, s.addr, ca.Client()).Cmp(second) != 0 })
	close(stop)
	load.Wait()
	echoes(t, established, "after")
	if n := s.Count(t, "exgate_tls_handshakes_total", "failed"); n != 0 {
		t.Errorf("%v handshakes failed", n)
	}
}

// Devices with a session ticket resume across a change of certificates.
func TestTLSTicketsOutliveReload(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		ca := listenertest.NewIssuer(t)
		cfg := tlsOf(t, ca, "server")
		cfg.SetCertificateWatch(2 * time.Millisecond)
		s := serveTLS(t, cfg, listenertest.Send, gateway.Limits{})
		client := ca.Client()
		client.MaxVersion, client.ClientSessionCache = version, tls.NewLRUClientSessionCache(1)
		newSerial(t, s.addr, client)
		tlsOf(t, ca, "server")
		gatewaytest.Eventually(t, "the reload", func() bool { return s.Count(t, "exgate_tls_reloads_total", "ok") > 0 })
		c := dialTLS(t, s.addr, client)
		if echoes(t, c, "again"); !c.ConnectionState().DidResume {
			t.Errorf("%s: the session did not resume", tls.VersionName(version))
		}
	}
}

// A ticket does not survive a change of the CA.
func TestTLSTicketsDoNotOutliveTheirAuthority(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		ca, devices := listenertest.NewIssuer(t), listenertest.NewIssuer(t)
		cfg := tlsOf(t, ca, "server")
		cfg.SetCertificateWatch(2 * time.Millisecond)
		cfg.CAFile, cfg.Verify, cfg.FailIfNoCert = devices.File, "peer", true
		s := serveTLS(t, cfg, listenertest.Send, gateway.Limits{})
		client := ca.Client(devices.Device(t, pkix.Name{CommonName: "old"}))
		client.MaxVersion, client.ClientSessionCache = version, tls.NewLRUClientSessionCache(1)
		newSerial(t, s.addr, client)
		replacement, err := os.ReadFile(listenertest.NewIssuer(t).File)
		if err != nil {
			t.Fatal(err)
		}
		listenertest.ReplaceFile(t, devices.File, replacement)
		gatewaytest.Eventually(t, "the reload", func() bool { return s.Count(t, "exgate_tls_reloads_total", "ok") > 0 })
		c, err := tls.Dial("tcp", s.addr, client)
		if err == nil {
			_ = c.SetDeadline(time.Now().Add(90 * time.Second))
			_, err = c.Read(make([]byte, 1))
			_ = c.Close()
		}
		if err == nil {
			t.Errorf("%s: a device of the old authority was let in", tls.VersionName(version))
		}
		gatewaytest.Eventually(t, "the refusal", func() bool {
			return s.Count(t, "exgate_tls_handshakes_total",
				"failed") == 1
		})
	}
}
