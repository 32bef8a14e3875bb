package bench

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/exgate/exgate/connectors/embedded"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/listener"
	"github.com/exgate/exgate/runtime/wasm"
)

var quiet = slog.New(slog.DiscardHandler)

// plainEcho is what everything is compared with: a goroutine and a buffer for each connection.
func plainEcho(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
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
			}()
		}
	}()
	return l.Addr().String()
}

// goEcho is the echo as a handler in Go: the gateway without the guest.
type goEcho struct{}

func (goEcho) NewHandler(a gateway.ConnectionAdapter) (gateway.ConnectionHandler, error) {
	return goEchoHandler{a}, nil
}
func (goEcho) Close(context.Context) error { return nil }

type goEchoHandler struct{ a gateway.ConnectionAdapter }

func (goEchoHandler) OnSocketCreated(gateway.ConnInfo) error     { return nil }
func (h goEchoHandler) OnReceivedBytes(b []byte) error           { h.a.Send(b); return nil }
func (goEchoHandler) OnTimerTimeout(gateway.TimerType) error     { return nil }
func (goEchoHandler) OnReceivedMessages([]gateway.Message) error { return nil }
func (goEchoHandler) OnSocketClosed(gateway.CloseReason) error   { return nil }

// wasmEngine runs a committed guest.
func wasmEngine(b *testing.B, path string) *wasm.Engine {
	b.Helper()
	module, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	e, err := wasm.New(b.Context(), wasm.Config{Name: "bench", Module: module, Logger: quiet})
	if err != nil {
		b.Fatal(err)
	}
	return e
}

const echoGuest = "../../../../hostabi/sdk/c/testdata/echo.wasm"

// serve puts a gateway on a free port before f, with c as its upstream; without one, the embedded broker.
func serve(b *testing.B, f gateway.HandlerFactory, c gateway.Connector) string {
	b.Helper()
	if c == nil {
		broker, err := embedded.New(embedded.Config{Logger: quiet})
		if err != nil {
			b.Fatal(err)
		}
		c = broker
	}
	l, err := listener.ListenTCP(b.Context(), listener.TCPConfig{Bind: "127.0.0.1:0"})
	if err != nil {
		b.Fatal(err)
	}
	gatewaytest.Serve(b, l, f, c, gateway.Limits{})
	return l.Addr().String()
}

// clients is a set of open connections that play ping-pong.
type clients []net.Conn

func connect(b *testing.B, addr string, n int) clients {
	b.Helper()
	var set clients
	for range n {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = c.Close() })
		set = append(set, c)
	}
	return set
}

// pingPong sends n messages in all, each connection waiting for its echo, and returns the messages a second.
func (set clients) pingPong(b *testing.B, n int, message []byte) float64 {
	b.Helper()
	var wg sync.WaitGroup
	each := max(1, n/len(set))
	start := time.Now()
	for _, c := range set {
		wg.Go(func() {
			got := make([]byte, len(message))
			for range each {
				if _, err := c.Write(message); err != nil {
					b.Error(err)
					return
				}
				if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, message) {
					b.Errorf("echo: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	return float64(each*len(set)) / time.Since(start).Seconds()
}

func median(v []float64) float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	return v[len(v)/2]
}
