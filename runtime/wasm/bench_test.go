package wasm

import (
	"testing"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// plainEcho is the echo guest as a Go function.
type plainEcho struct {
	gateway.ConnectionHandler
	adapter gateway.ConnectionAdapter
}

func (p *plainEcho) OnReceivedBytes(b []byte) error {
	p.adapter.Send(b)
	return nil
}

func echoHandler(t testing.TB) gateway.ConnectionHandler {
	e := engine(t, Config{Module: file(t, "echo"), Shards: 1})
	h, err := e.NewHandler(silent{gatewaytest.NewDevice()})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.OnSocketCreated(gatewaytest.Info); err != nil {
		t.Fatal(err)
	}
	return h
}

// BenchmarkEvent compares an event with a send in a guest with the same handler as a Go function, in one run.
func BenchmarkEvent(b *testing.B) {
	guest, plain := echoHandler(b), &plainEcho{adapter: silent{gatewaytest.NewDevice()}}
	b.ReportAllocs()
	costs := compare(b, b.N, plain, guest)
	b.ReportMetric(costs[0], "go-ns/op")
	b.ReportMetric(costs[1], "wasm-ns/op")
	b.ReportMetric(costs[1]-costs[0], "above-ns/op")
}

func TestBytesEventAllocatesNothing(t *testing.T) {
	h := echoHandler(t)
	packet := make([]byte, 64)
	allocations := testing.AllocsPerRun(1000, func() {
		if err := h.OnReceivedBytes(packet); err != nil {
			t.Error(err)
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations an event", allocations)
	}
}
