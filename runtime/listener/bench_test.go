package listener_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener"
	"github.com/exgate/exgate/runtime/listener/listenertest"
)

// plainTLSEcho is what a TLS echo server in Go is without anything else: a goroutine and a buffer of 4 KiB a
// connection.
func plainTLSEcho(b *testing.B, cfg listener.TLSConfig) string {
	b.Helper()
	pair, err := tls.LoadX509KeyPair(cfg.CertFile, cfg.KeyFile)
	if err != nil {
		b.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		b.Fatal(err)
	}
	var echoing sync.WaitGroup
	echoing.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			echoing.Go(func() { echoPlainly(c) })
		}
	})
	b.Cleanup(func() { _ = l.Close(); echoing.Wait() })
	return l.Addr().String()
}

func echoPlainly(c net.Conn) {
	defer func() { _ = c.Close() }()
	buf := make([]byte, 4096)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		if _, err := c.Write(buf[:n]); err != nil {
			return
		}
	}
}

// BenchmarkTLSEcho plays 64 B ping-pong on 50 connections against a TLS listener with a Go handler and against a plain
// crypto/tls echo, in turns, and reports both rates and the median ratio. One operation is one echo against each.
func BenchmarkTLSEcho(b *testing.B) {
	const conns = 50
	ca := listenertest.NewIssuer(b)
	cfg := tlsOf(b, ca, "server")
	s := serveTLS(b, cfg, listenertest.Send, gateway.Limits{})
	ours, plain := tlsClients(b, s.addr, ca, conns), tlsClients(b, plainTLSEcho(b, cfg), ca, conns)
	listenertest.CompareEchoes(b, conns, func(each int) (o, p time.Duration) {
		return tlsPingPong(b, ours, each),
			tlsPingPong(b, plain, each)
	})
}

func tlsClients(b *testing.B, addr string, ca *listenertest.Issuer, n int) (conns []*tls.Conn) {
	b.Helper()
	for range n {
		conns = append(conns, dialTLS(b, addr, ca.Client()))
	}
	return conns
}

func tlsPingPong(b *testing.B, conns []*tls.Conn, each int) time.Duration {
	b.Helper()
	start := time.Now()
	var playing sync.WaitGroup
	for _, c := range conns {
		playing.Go(func() {
			buf := make([]byte, 64)
			for range each {
				if _, err := c.Write(buf); err != nil {
					b.Error(err)
					return
				}
				if _, err := io.ReadFull(c, buf); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	playing.Wait()
	return time.Since(start)
}

// BenchmarkTLSIdle reports the resident memory of an idle TLS 1.3 connection after one echo, of a TLS listener and of a
// plain crypto/tls echo. The clients are another process. One operation is all the connections.
func BenchmarkTLSIdle(b *testing.B) {
	const conns = 2000
	ca := listenertest.NewIssuer(b)
	cfg := tlsOf(b, ca, "server")
	for range b.N {
		s := serveTLS(b, cfg, listenertest.Send, gateway.Limits{})
		b.ReportMetric(idleMemory(b, s.addr, conns), "ours-B/conn")
		b.ReportMetric(idleMemory(b, plainTLSEcho(b, cfg), conns), "plain-B/conn")
	}
}

// idleRest is longer than it takes until a goroutine that has worked is replaced by one with a small stack.
const idleRest = 6 * time.Second

func idleMemory(b *testing.B, addr string, conns int) float64 {
	b.Helper()
	before := residentBytes(b)
	client := exec.CommandContext(b.Context(), os.Args[0], "-test.run", "^TestTLSIdleClients$")
	client.Env = append(os.Environ(), fmt.Sprintf("EXGATE_TEST_TLS_IDLE_CLIENTS=%d %s", conns, addr))
	in, _ := client.StdinPipe()
	out, _ := client.StdoutPipe()
	if err := client.Start(); err != nil {
		b.Fatal(err)
	}
	if said, err := bufio.NewReader(out).ReadString('\n'); err != nil || said != "ready\n" {
		b.Fatalf("the clients: %q, %v", said, err)
	}
	time.Sleep(idleRest)
	taken := residentBytes(b) - before
	_ = in.Close()
	_, _ = io.Copy(io.Discard, out)
	if err := client.Wait(); err != nil {
		b.Error(err)
	}
	return float64(taken) / float64(conns)
}

func residentBytes(b *testing.B) int {
	b.Helper()
	debug.FreeOSMemory()
	debug.FreeOSMemory()
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Skip("resident memory is read from /proc: " + err.Error())
	}
	pages, _ := strconv.Atoi(strings.Fields(string(statm))[1])
	return pages * os.Getpagesize()
}

// TestTLSIdleClients is the other process of BenchmarkTLSIdle, and passes where it is not.
func TestTLSIdleClients(t *testing.T) {
	var conns int
	var addr string
	if n, _ := fmt.Sscanf(os.Getenv("EXGATE_TEST_TLS_IDLE_CLIENTS"), "%d %s", &conns, &addr); n != 2 {
		return
	}
	for range conns {
		echoes(t, dialTLS(t, addr, &tls.Config{InsecureSkipVerify: true}), "hello")
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
}
