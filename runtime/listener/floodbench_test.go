package listener_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener/listenertest"
)

// BenchmarkTLSHalfOpen measures which share of new devices is served within 5 s while so many connections a second are
// begun and not ended: they say nothing, half a ClientHello or a whole one. Run it with -benchtime 1x.
func BenchmarkTLSHalfOpen(b *testing.B) {
	hello := clientHello(b)
	for _, says := range []struct {
		name string
		text []byte
	}{{"nothing", nil}, {"half_a_hello", hello[:len(hello)/2]}, {"a_hello", hello}} {
		for _, rate := range []int{1000, 3000} {
			b.Run(fmt.Sprintf("%s/%d/s", says.name, rate), func(b *testing.B) {
				for range b.N {
					benchmarkHalfOpen(b, says.text, rate)
				}
			})
		}
	}
}

func benchmarkHalfOpen(b *testing.B, says []byte, rate int) {
	ca := listenertest.NewIssuer(b)
	s := serveTLS(b, tlsOf(b, ca, "server"), listenertest.Send, gateway.Limits{})
	ctx, cancel := context.WithCancel(b.Context())
	var flood, devices sync.WaitGroup
	sent := 0
	start := time.Now()
	flood.Go(func() { sent = leaveHalfOpen(ctx, s.addr, says, rate) })
	time.Sleep(2 * time.Second)
	var served atomic.Int64
	const most = 80
	for range most {
		time.Sleep(100 * time.Millisecond)
		devices.Go(func() {
			d := tls.Dialer{NetDialer: &net.Dialer{Timeout: 5 * time.Second}, Config: ca.Client()}
			c, err := d.DialContext(ctx, "tcp", s.addr)
			if err != nil {
				return
			}
			defer func() { _ = c.Close() }()
			_ = c.SetDeadline(time.Now().Add(5 * time.Second))
			if _, err := c.Write([]byte("x")); err != nil {
				return
			}
			if n, _ := c.Read(make([]byte, 1)); n == 1 {
				served.Add(1)
			}
		})
	}
	devices.Wait()
	took := time.Since(start)
	cancel()
	flood.Wait()
	b.ReportMetric(100*float64(served.Load())/most, "%served")
	b.ReportMetric(float64(sent)/took.Seconds(), "begun/s")
}

// leaveHalfOpen begins rate connections a second, from many addresses, and keeps the last 6,000 open.
func leaveHalfOpen(ctx context.Context, addr string, says []byte, rate int) (sent int) {
	open := make([]net.Conn, 6000)
	defer closeAll(open)
	for start := time.Now(); ctx.Err() == nil; sent++ {
		time.Sleep(time.Until(start.Add(time.Duration(sent) * time.Second / time.Duration(rate))))
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, byte(1+rand.IntN(200)), byte(rand.IntN(255)),
			byte(1+rand.IntN(250)))}, Timeout: time.Second}
		c, err := d.DialContext(ctx, "tcp", addr)
		if err != nil {
			continue
		}
		_, _ = c.Write(says)
		at := sent % len(open)
		if old := open[at]; old != nil {
			_ = old.(*net.TCPConn).SetLinger(0)
			_ = old.Close()
		}
		open[at] = c
	}
	return sent
}
