package wasm

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/exgate/exgate/internal/wasmtest"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// startCounter counts its starts in a global and its packets in memory, and sends both: exproto_v1_init adds 1 to
// global 0, exproto_v1_bytes adds 1 to the byte at 8, puts the global at 9 and sends the two.
func startCounter() wasmtest.Module {
	m := wasmtest.Guest()
	m.Imports = []wasmtest.Import{{
		Module: "exproto_v1", Name: "send", Params: []byte{wasmtest.I64, wasmtest.I32, wasmtest.I32},
		Results: []byte{wasmtest.I32},
	}}
	m.Globals = []byte{1, wasmtest.I32, 1, 0x41, 0, 0x0b}
	m.Data = []wasmtest.Data{{Offset: 8, Bytes: []byte("A")}}
	return m.With("exproto_v1_init", 0x23, 0, 0x41, 1, 0x6a, 0x24, 0, 0x41, 0, 0x0b).With("exproto_v1_bytes",
		0x41, 8, 0x41, 8, 0x2d, 0, 0, 0x41, 1, 0x6a, 0x3a, 0, 0, // the byte at 8
		0x41, 9, 0x23, 0, 0x41, 48, 0x6a, 0x3a, 0, 0, // the byte at 9: a digit
		0x20, 0, 0x41, 8, 0x41, 2, 0x10, 0, 0x0b)
}

func TestInstancesBeginAsTheTemplate(t *testing.T) {
	set := NewMetrics(prometheus.NewRegistry())
	e := engine(t, Config{Module: startCounter().Bytes(), Isolation: IsolationConnection, Metrics: set})
	if ok, why := e.StartImage(); !ok {
		t.Fatal(why)
	}
	for range 2 {
		d := gatewaytest.Connect(t, e)
		for _, want := range []string{`send "B1"`, `send "C1"`} {
			must(t, d.Receive("x"))
			expect(t, d, want)
		}
		must(t, d.Handler.OnSocketClosed(gateway.ReasonNormal))
	}
	if got := testutil.CollectAndCount(set.starts); got != 2 {
		t.Errorf("starts from %d sources, want from the module and from the image", got)
	}
	if got := testutil.ToFloat64(set.instances.WithLabelValues("test")); got != 0 {
		t.Errorf("%v instances live", got)
	}
}

// If a module cannot have an image, instances start from the module, which is logged once.
func TestModulesWithoutAnImage(t *testing.T) {
	with := func(change func(m *wasmtest.Module)) []byte {
		m := startCounter()
		m.Table = 4
		change(&m)
		return m.Bytes()
	}
	initialize := func(code ...byte) func(m *wasmtest.Module) {
		return func(m *wasmtest.Module) {
			m.Funcs = append(m.Funcs[:len(m.Funcs):len(m.Funcs)], wasmtest.Func{Export: "_initialize", Code: code})
		}
	}
	for _, c := range []struct {
		why    string
		module []byte
	}{
		{"table.set", with(initialize(0x41, 0, 0xd0, 0x70, 0x26, 0, 0x0b))},
		{"table.grow", with(initialize(0xd0, 0x70, 0x41, 1, 0xfc, 15, 0, 0x1a, 0x0b))},
		{"table.fill", with(initialize(0x41, 0, 0xd0, 0x70, 0x41, 1, 0xfc, 17, 0, 0x0b))},
		{"table.copy", with(initialize(0x41, 0, 0x41, 0, 0x41, 1, 0xfc, 14, 0, 0, 0x0b))},
		{"passive data", with(func(m *wasmtest.Module) {
			m.Data = append(m.Data,
				wasmtest.Data{Passive: true, Bytes: []byte("x")})
		})},
		{"a mutable global that is a reference", with(func(m *wasmtest.Module) {
			m.Globals = []byte{2, wasmtest.I32, 1, 0x41, 0, 0x0b, 0x70, 1, 0xd0, 0x70, 0x0b}
		})},
		{"a mutable global that is a vector", with(func(m *wasmtest.Module) {
			m.Globals = append([]byte{2, wasmtest.I32, 1, 0x41, 0, 0x0b, 0x7b, 1, 0xfd, 0x0c},
				append(make([]byte, 16), 0x0b)...)
		})},
	} {
		t.Run(c.why, func(t *testing.T) {
			var log syncBuffer
			e := engine(
				t,
				Config{
					Module: c.module, Isolation: IsolationConnection,
					Logger: slog.New(slog.NewTextHandler(&log, nil)),
				},
			)
			if ok, why := e.StartImage(); ok || !strings.Contains(why, c.why) {
				t.Errorf("an image %v: %s", ok, why)
			}
			for range 2 {
				d := gatewaytest.Connect(t, e)
				must(t, d.Receive("x"))
				expect(t, d, `send "B1"`)
			}
			if n := strings.Count(log.String(), "no start image"); n != 1 {
				t.Errorf("said %d times:\n%s", n, log.String())
			}
		})
	}
}

func TestSharedInstancesHaveNoImage(t *testing.T) {
	if ok, why := engine(t, Config{Module: file(t, "echo"), Shards: 1}).StartImage(); ok ||
		why != "instances are shared" {
		t.Errorf("%v: %s", ok, why)
	}
}

func TestNoStartImageWhereNoneIsWanted(t *testing.T) {
	e := engine(t, Config{Module: startCounter().Bytes(), Isolation: IsolationConnection, NoStartImage: true})
	if ok, why := e.StartImage(); ok || !strings.Contains(why, "disabled by the configuration") {
		t.Errorf("an image %v: %s", ok, why)
	}
	d := gatewaytest.Connect(t, e)
	must(t, d.Receive("x"))
	expect(t, d, `send "B1"`)
}

// Data outside the memory is refused, with and without an image.
func TestDataOutsideTheMemory(t *testing.T) {
	m := startCounter()
	m.Data = []wasmtest.Data{{Offset: 3<<16 - 1, Bytes: []byte("ab")}}
	for _, isolation := range []Isolation{IsolationShared, IsolationConnection} {
		_, err := New(t.Context(), Config{Name: "test", Module: m.Bytes(), Isolation: isolation, Logger: quiet})
		if err == nil || !strings.Contains(err.Error(), "instantiating") {
			t.Errorf("%s: %v", isolation, err)
		}
	}
}
