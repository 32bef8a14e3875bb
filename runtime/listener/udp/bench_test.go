package udp_test

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/listener/listenertest"
	"github.com/exgate/exgate/runtime/listener/udp"
)

// BenchmarkUDPEcho plays 64 B ping-pong with 64 peers against a UDP listener with a Go handler and against a plain
// Go echo loop, in turns, and reports both rates and the median ratio. One operation is one echo against each.
func BenchmarkUDPEcho(b *testing.B) {
	const peers = 64
	s := serveUDP(b, udp.Config{}, listenertest.Send)
	ours, plain := udpClients(b, s.listener.Addr().String(), peers), udpClients(b, plainEcho(b), peers)
	listenertest.CompareEchoes(b, peers, func(each int) (o, p time.Duration) {
		return pingPong(b, ours, each),
			pingPong(b, plain, each)
	})
}

// plainEcho is a minimal UDP echo server in Go.
func plainEcho(b *testing.B) string {
	b.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		b.Fatal(err)
	}
	ended := make(chan struct{})
	b.Cleanup(func() { _ = c.Close(); <-ended })
	go func() {
		defer close(ended)
		buf := make([]byte, 64<<10)
		for {
			n, from, err := c.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			_, _ = c.WriteToUDPAddrPort(buf[:n], from)
		}
	}()
	return c.LocalAddr().String()
}

func udpClients(b *testing.B, addr string, n int) []*net.UDPConn {
	b.Helper()
	clients := make([]*net.UDPConn, n)
	for i := range clients {
		clients[i] = listenertest.DialUDP(b, "", addr)
		_ = clients[i].SetDeadline(time.Now().Add(time.Hour))
	}
	return clients
}

func pingPong(b *testing.B, clients []*net.UDPConn, each int) time.Duration {
	start := time.Now()
	var wg sync.WaitGroup
	for _, c := range clients {
		wg.Go(func() {
			buf := make([]byte, 64)
			for range each {
				if _, err := c.Write(buf); err != nil {
					b.Error(err)
					return
				}
				if _, err := c.Read(buf); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return time.Since(start)
}
