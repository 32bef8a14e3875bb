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

// tailCalling is a guest that cannot be metered, because it has a tail call. The packet "x" does nothing, others loop
// forever.
func tailCalling() wasmtest.Module {
	m := unless(spin[:len(spin)-1]...)
	m.Funcs = append(m.Funcs, wasmtest.Func{Code: []byte{0x12, 4, 0x0b}})
	return m
}

func TestUnmeteredModulesAreRefused(t *testing.T) {
	for _, unmetered := range []Unmetered{"", UnmeteredRefuse} {
		_, err := New(
			t.Context(),
			Config{Name: "test", Module: tailCalling().Bytes(), Unmetered: unmetered, Logger: quiet},
		)
		if err == nil || !strings.Contains(err.Error(), "instruction 0x12 is not one of WebAssembly 2.0") {
			t.Errorf("%q: %v", unmetered, err)
		}
	}
	_, err := New(t.Context(), Config{Name: "test", Module: file(t, "echo"), Unmetered: "ignore", Logger: quiet})
	if err == nil || !strings.Contains(err.Error(), `unmetered is "ignore": it must be "refuse" or "context"`) {
		t.Errorf("got %v", err)
	}
}

// A module that cannot be metered runs under a context, which ends it.
func TestUnmeteredModulesEndByContext(t *testing.T) {
	for _, isolation := range []Isolation{IsolationShared, IsolationConnection} {
		set := NewMetrics(prometheus.NewRegistry())
		e := engine(t, Config{
			Module: tailCalling().Bytes(), Unmetered: UnmeteredContext, Shards: 2, Isolation: isolation, Metrics: set,
			Limits: Limits{WallTime: 20 * time.Millisecond},
		})
		if ok, why := e.StartImage(); ok {
			t.Errorf("an image: %s", why)
		}
		expectDeath(t, e, func(d *gatewaytest.Device) error { return d.Receive("loop") }, gateway.ReasonGuestTime)
		if got := testutil.ToFloat64(set.limits.WithLabelValues("test", limitWallTime)); got != 1 {
			t.Errorf("%s: %v hits of wall_time", isolation, got)
		}
	}
}

// The start of an unmetered module has a deadline too.
func TestUnmeteredStartEnds(t *testing.T) {
	start, initialize, early := tailCalling(), tailCalling(), tailCalling()
	start.Funcs = append(start.Funcs, wasmtest.Func{Code: spin})
	start.Start = len(start.Funcs) - 1
	initialize.Funcs = append(initialize.Funcs, wasmtest.Func{Export: "_initialize", Code: spin})
	early = early.With("exproto_v1_init", append(spin[:len(spin)-1:len(spin)-1], 0, 0x0b)...)
	for name, m := range map[string]wasmtest.Module{
		"start": start, "_initialize": initialize,
		"exproto_v1_init": early,
	} {
		_, err := New(t.Context(), Config{
			Name: "test", Module: m.Bytes(), Unmetered: UnmeteredContext, Shards: 1, Logger: quiet,
			Limits: Limits{StartTime: 20 * time.Millisecond},
		})
		if err == nil || !strings.Contains(err.Error(), "more than 20ms (limit start_time)") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A module that can be metered is, whatever the setting for others.
func TestMeteredModulesStayMetered(t *testing.T) {
	e := engine(t, Config{Module: file(t, "hostile"), Unmetered: UnmeteredContext, Shards: 2})
	expectDeath(t, e, func(d *gatewaytest.Device) error { return d.Receive("l") }, gateway.ReasonGuestOutOfFuel)
}
