package bench

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	handler "github.com/exgate/exgate/proto/sdk/go"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote"
)

// BenchmarkHandlers: one echo of 64 B from a device over TCP through each kind of handler, side by side with a plain Go
// echo server. The processor time is that of all: devices, gateway and handler. That of the gateway alone is in
// runtime/remote's BenchmarkEcho.
func BenchmarkHandlers(b *testing.B) {
	plain := plainEcho(b)
	subjects := []struct {
		name string
		addr string
	}{
		{"plain", plain},
		{"wasm", serve(b, wasmEngine(b, echoGuest), nil)},
		{"session", serve(b, remoteEcho(b, remote.DialectSession), nil)},
		{"stream", serve(b, remoteEcho(b, remote.DialectStream), nil)},
		{"unary", serve(b, remoteEcho(b, remote.DialectUnary), nil)},
	}
	for _, conns := range []int{1, 50} {
		for _, x := range subjects {
			b.Run(fmt.Sprintf("%s/conns=%d", x.name, conns),
				func(b *testing.B) { benchmarkHandler(b, connect(b, x.addr, conns)) })
		}
	}
}

func benchmarkHandler(b *testing.B, set clients) {
	message := bytes.Repeat([]byte("x"), 64)
	set.pingPong(b, len(set), message) // the connections are known
	each := b.N/len(set) + 1
	times := make([]time.Duration, each*len(set))
	before := processorTime(b)
	b.ResetTimer()
	var running sync.WaitGroup
	for i, c := range set {
		running.Go(func() {
			for n := range each {
				begun := time.Now()
				clients{c}.pingPong(b, 1, message)
				times[i*each+n] = time.Since(begun)
			}
		})
	}
	running.Wait()
	b.StopTimer()
	slices.Sort(times)
	n := float64(len(times))
	b.ReportMetric(n/b.Elapsed().Seconds(), "op/s")
	b.ReportMetric(float64(times[len(times)/2].Nanoseconds())/1e3, "p50-us")
	b.ReportMetric(float64(times[len(times)*99/100].Nanoseconds())/1e3, "p99-us")
	b.ReportMetric((processorTime(b)-before)/n, "cpu-us/op")
}

// processorTime is what the process has used, user and system, in microseconds.
func processorTime(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Sec+u.Stime.Sec)*1e6 + float64(u.Utime.Usec+u.Stime.Usec)
}

type remoteEchoHandler struct{ handler.Nothing }

func (remoteEchoHandler) OnReceivedBytes(c *handler.Conn, b []byte) { _ = c.Send(b) }

// remoteEcho is an echo over gRPC in this process.
func remoteEcho(b *testing.B, dialect remote.Dialect) gateway.HandlerFactory {
	b.Helper()
	adapter, err := remote.NewAdapter(remote.AdapterConfig{Logger: quiet})
	must(b, err)
	adapterAddr := serveUntilEnd(b, adapter.Serve, func() error { return adapter.Stop(context.Background()) })
	server, err := handler.New(handler.Config{Adapter: adapterAddr, Logger: quiet, New: func() handler.Handler {
		return remoteEchoHandler{}
	}})
	must(b, err)
	addr := serveUntilEnd(b, server.Serve, server.Stop)
	client, err := remote.NewClient(remote.ClientConfig{
		Name: "echo", Addresses: []string{addr}, Dialect: dialect,
		Logger: quiet,
	}, adapter)
	must(b, err)
	return client
}

// serveUntilEnd serves on a free port until the benchmark ends.
func serveUntilEnd(b *testing.B, serve func(net.Listener) error, stop func() error) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(b, err)
	served := make(chan error, 1)
	go func() { served <- serve(l) }()
	b.Cleanup(func() {
		must(b, stop())
		must(b, <-served)
	})
	return l.Addr().String()
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}
