package wasm

import (
	"strings"
	"testing"
	"time"

	"github.com/exgate/exgate/internal/wasmtest"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestModuleIsBounded(t *testing.T) {
	echo := file(t, "echo")
	for want, limits := range map[string]Limits{
		"bytes: the limit is 100":        {ModuleBytes: 100},
		"functions: at most 2":           {Functions: 2},
		"bytes of code: the limit is 10": {CodeBytes: 10},
	} {
		for _, dir := range []string{"", t.TempDir()} {
			_, err := New(t.Context(), Config{Name: "test", Module: echo, Limits: limits, Logger: quiet, CacheDir: dir})
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %s", err, want)
			}
		}
	}
}

// Limits that do not end the event are counted too.
func TestLimitsAreCounted(t *testing.T) {
	growTable := unless(join([]byte{0xd0, 0x70}, number(1000), []byte{0xfc, 15, 0, 0x1a})...)
	growTable.Table = 1
	receive := func(packet string) func(t *testing.T, d *gatewaytest.Device) {
		return func(t *testing.T, d *gatewaytest.Device) { must(t, d.Receive(packet)) }
	}
	large := func(t *testing.T, d *gatewaytest.Device) {
		must(t, d.Handler.OnReceivedMessages([]gateway.Message{{Topic: "t", Payload: make([]byte, 70_000)}}))
	}
	for limit, c := range map[string]struct {
		module []byte
		limits Limits
		event  func(t *testing.T, d *gatewaytest.Device)
	}{
		limitMemoryPages:   {file(t, "hostile"), Limits{MemoryPages: 64}, receive("g")},
		limitTableElements: {growTable.Bytes(), Limits{TableElements: 100}, receive("y")},
		limitCallBytes:     {file(t, "scenario"), Limits{CallBytes: 200_000}, receive("F")},
		limitEventBytes:    {file(t, "scenario"), Limits{}, large},
		limitLogLines:      {file(t, "scenario"), Limits{LogLines: 1}, receive("Lx")},
	} {
		set := NewMetrics(prometheus.NewRegistry())
		d := gatewaytest.Connect(t, engine(t, Config{Module: c.module, Shards: 1, Limits: c.limits, Metrics: set}))
		c.event(t, d)
		if got := testutil.ToFloat64(set.limits.WithLabelValues("test", limit)); got < 1 {
			t.Errorf("%s is not counted", limit)
		}
		must(t, d.Receive("x"))
	}
}

// The error of a start that reaches a limit names the limit.
func TestLimitsOfTheStart(t *testing.T) {
	loop := wasmtest.Guest().With("exproto_v1_init", append(spin[:len(spin)-1:len(spin)-1], 0, 0x0b)...).Bytes()
	for _, c := range []struct {
		module []byte
		limits Limits
		limit  string
	}{
		{loop, Limits{}, limitStartFuel},
		{initCalling(), Limits{StartTime: 1}, limitHostCalls},
		{initCalling(), Limits{StartTime: time.Hour}, limitHostCalls},
	} {
		set := NewMetrics(prometheus.NewRegistry())
		_, err := New(
			t.Context(),
			Config{Name: "test", Module: c.module, Shards: 1, Limits: c.limits, Metrics: set, Logger: quiet},
		)
		if err == nil || !strings.Contains(err.Error(), c.limit) {
			t.Errorf("%v, want %s", err, c.limit)
		}
		if got := testutil.ToFloat64(set.limits.WithLabelValues("test", c.limit)); got != 1 {
			t.Errorf("%s: %v hits", c.limit, got)
		}
	}
}

// initCalling calls the log in exproto_v1_init forever.
func initCalling() []byte {
	s := signature("exproto_v1", "log")
	m := wasmtest.Guest()
	m.Imports = []wasmtest.Import{{Module: "exproto_v1", Name: "log", Params: s.Params, Results: s.Results}}
	return m.With("exproto_v1_init", append(forever(call(s, 8, 1024, 1)...), 0x41, 0, 0x0b)...).Bytes()
}
