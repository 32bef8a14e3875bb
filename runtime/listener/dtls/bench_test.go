package dtls_test

import (
	"crypto/tls"
	"net"
	"runtime"
	"testing"
	"time"

	pion "github.com/pion/dtls/v3"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/listener/dtls"
	"github.com/exgate/exgate/runtime/listener/listenertest"
)

// BenchmarkDTLSEcho compares the echo of a session with that of the library alone on a socket of its own.
func BenchmarkDTLSEcho(b *testing.B) {
	cfg := certDTLS(b)
	s := serveDTLS(b, cfg, gateway.Limits{IdleTimeout: time.Hour}, listenertest.Send)
	ours := s.dial(b)
	alone := dialAlone(b, cfg)
	var perEcho [2]float64
	for i, c := range []net.Conn{alone, ours} {
		b.Run([]string{"library alone", "gateway"}[i], func(b *testing.B) {
			for b.Loop() {
				dtlsEchoes(b, c, "0123456789012345678901234567890123456789012345678901234567890123")
			}
			perEcho[i] = float64(b.Elapsed()) / float64(b.N)
			if i == 1 && perEcho[0] > 0 {
				b.ReportMetric(perEcho[0]/perEcho[1], "of-alone")
			}
		})
	}
}

// dialAlone connects to a server that is nothing but the library.
func dialAlone(b *testing.B, cfg dtls.Config) net.Conn {
	b.Helper()
	server, client := udpSocket(b, "127.0.0.1:0"), udpSocket(b, "127.0.0.1:0")
	pair, err := tls.LoadX509KeyPair(cfg.CertFile, cfg.KeyFile)
	if err != nil {
		b.Fatal(err)
	}
	echo, err := pion.ServerWithOptions(server, client.LocalAddr(), pion.WithCertificates(pair))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = echo.Close() })
	go func() {
		for buf := make([]byte, 8192); ; {
			n, err := echo.Read(buf)
			if err != nil {
				return
			}
			_, _ = echo.Write(buf[:n])
		}
	}()
	c, err := pion.ClientWithOptions(client, server.LocalAddr(), pion.WithInsecureSkipVerify(true))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Close() })
	return c
}

// BenchmarkDTLSSession measures a handshake and the memory of an idle session; all figures include both ends.
func BenchmarkDTLSSession(b *testing.B) {
	for name, psk := range map[string]bool{"certificate": false, "psk": true} {
		b.Run(name, func(b *testing.B) {
			cfg, options := certDTLS(b), []pion.ClientOption(nil)
			if psk {
				cfg, options = pskDTLS(b), asMeter(0xc0, 0xff, 0xee)
			}
			cfg.NewPeersPerSecond = 8e6
			s := serveDTLS(b, cfg, gateway.Limits{IdleTimeout: time.Hour}, listenertest.Send)
			goroutines, before := runtime.NumGoroutine(), gatewaytest.MemoryInUse()
			for b.Loop() {
				dtlsEchoes(b, s.dial(b, options...), "x")
			}
			b.ReportMetric(float64(runtime.NumGoroutine()-goroutines)/float64(b.N), "goroutines/session")
			b.ReportMetric((float64(gatewaytest.MemoryInUse())-float64(before))/float64(b.N), "B/session")
		})
	}
}
