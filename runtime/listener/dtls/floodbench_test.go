package dtls_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	pion "github.com/pion/dtls/v3"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener/dtls"
	"github.com/exgate/exgate/runtime/listener/listenertest"
)

// BenchmarkDTLSForgedHellos measures which share of new devices is served within 5 s while hellos of forged sources
// come, as many a second as its name says; of these, that many a second come again from the same source after a second.
// Run it with -benchtime 1x.
func BenchmarkDTLSForgedHellos(b *testing.B) {
	for _, c := range []struct{ rate, repeated int }{
		{0, 0},
		{2000, 0},
		{10_000, 0},
		{10_000, 500},
		{10_000, 2000},
		{50_000, 2000},
	} {
		b.Run(fmt.Sprintf("%d/s/%d_repeated", c.rate, c.repeated), func(b *testing.B) {
			for range b.N {
				benchmarkForgedHellos(b, c.rate, c.repeated)
			}
		})
	}
}

func benchmarkForgedHellos(b *testing.B, rate, repeated int) {
	s := serveDTLS(b, certDTLS(b), gateway.Limits{}, listenertest.Send)
	ctx, cancel := context.WithCancel(b.Context())
	var flood sync.WaitGroup
	sent := 0
	if rate > 0 {
		flood.Go(func() { sent = forge(ctx, b, s.addr(), rate, repeated) })
		time.Sleep(3 * time.Second) // until it presses
	}
	var served, failed int
	var slowest time.Duration
	var mu sync.Mutex
	var devices sync.WaitGroup
	const seconds, perSecond = 10, 10
	start := time.Now()
	for i := range seconds * perSecond {
		time.Sleep(time.Until(start.Add(time.Duration(i) * time.Second / perSecond)))
		devices.Go(func() {
			took, ok := newDevice(b, s)
			mu.Lock()
			defer mu.Unlock()
			slowest = max(slowest, took)
			if ok {
				served++
			} else {
				failed++
			}
		})
	}
	devices.Wait()
	took := time.Since(start) + 3*time.Second
	cancel()
	flood.Wait()
	b.ReportMetric(100*float64(served)/float64(served+failed), "%served")
	b.ReportMetric(slowest.Seconds(), "s/slowest")
	b.ReportMetric(float64(sent)/took.Seconds(), "hellos/s")
	for _, why := range []string{"greylisted", "busy"} {
		b.ReportMetric(s.Count(b, "exgate_dtls_dropped_total", why), why)
	}
	for _, why := range []string{"evicted", "unproved"} {
		b.ReportMetric(s.Count(b, "exgate_dtls_handshakes_total", why), why)
	}
	b.ReportMetric(s.Count(b, "exgate_datagrams_dropped_total", "new_peer_rate"), "new_peer_rate")
	b.ReportMetric(s.Count(b, "exgate_datagrams_dropped_total", "receive_buffer_full"), "overflow")
}

// newDevice reports whether a new device is served within 5 s, and how long that took.
func newDevice(b *testing.B, s *dtlsServer) (time.Duration, bool) {
	start := time.Now()
	socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		b.Error(err)
		return 0, false
	}
	defer func() { _ = socket.Close() }()
	c, err := pion.ClientWithOptions(socket, s.addr(), pion.WithInsecureSkipVerify(true))
	if err != nil {
		b.Error(err)
		return 0, false
	}
	defer func() { _ = c.Close() }()
	ctx, cancel := context.WithDeadline(b.Context(), start.Add(5*time.Second))
	defer cancel()
	if err := c.HandshakeContext(ctx); err != nil {
		return time.Since(start), false
	}
	_ = c.SetDeadline(start.Add(5 * time.Second))
	if _, err := c.Write([]byte("x")); err != nil {
		return time.Since(start), false
	}
	n, err := c.Read(make([]byte, 10))
	return time.Since(start), n == 1 && err == nil
}

// forge sends rate hellos a second, each from another address of 127.0.0.0/8, until ctx ends; as many of them as
// repeated says come again after a second.
func forge(ctx context.Context, b *testing.B, to *net.UDPAddr, rate, repeated int) (sent int) {
	type again struct {
		socket *net.UDPConn
		hello  []byte
		at     time.Time
	}
	var queue []again
	defer func() {
		for _, a := range queue {
			_ = a.socket.Close()
		}
	}()
	hello := dtls.AHello(0, 0xc02b)
	start := time.Now()
	owed := 0.0
	for ctx.Err() == nil {
		if ahead := time.Duration(sent)*time.Second/time.Duration(rate) - time.Since(start); ahead > 0 {
			time.Sleep(ahead)
		}
		if len(queue) > 0 && time.Since(queue[0].at) >= time.Second {
			_, _ = queue[0].socket.WriteTo(queue[0].hello, to)
			_ = queue[0].socket.Close()
			queue = queue[1:]
			sent++
			continue
		}
		socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, byte(rand.IntN(255)), byte(rand.IntN(255)),
			byte(1+rand.IntN(250)))})
		if err != nil {
			b.Error(err)
			return sent
		}
		binary.BigEndian.PutUint64(hello[13+12+2:], rand.Uint64())
		_, _ = socket.WriteTo(hello, to)
		sent++
		if owed += float64(repeated) / float64(max(rate-repeated, 1)); owed >= 1 {
			owed--
			queue = append(queue, again{socket, append([]byte(nil), hello...), time.Now()})
		} else {
			_ = socket.Close()
		}
	}
	return sent
}
