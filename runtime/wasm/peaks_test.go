package wasm

import (
	"strconv"
	"strings"
	"testing"

	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// The peaks of open engines are metrics by handler and version, and end with the engine. Engines of a version share
// them.
func TestPeaks(t *testing.T) {
	registry := prometheus.NewRegistry()
	c := Config{
		Module: file(t, "hostile"), Shards: 1, Limits: Limits{MemoryPages: 64}, Metrics: NewMetrics(registry),
	}
	e, other := engine(t, c), engine(t, c)
	before := e.Peaks()
	must(t, gatewaytest.Connect(t, e).Receive("g")) // grows to the limit
	after := e.Peaks()
	if before.Memory == 0 || after.Memory <= before.Memory || after.Fuel <= before.Fuel || after.Fuel < 1024 {
		t.Errorf("%+v, then %+v", before, after)
	}
	must(t, gatewaytest.Connect(t, other).Receive("x"))
	want := `
# HELP exgate_wasm_memory_peak_bytes The most memory that an instance had, by the version of the guest.
# TYPE exgate_wasm_memory_peak_bytes gauge
exgate_wasm_memory_peak_bytes{handler="test",version="` + e.Digest()[:12] + `"} ` +
		strconv.FormatFloat(float64(after.Memory), 'e', -1, 64) + "\n"
	err := testutil.GatherAndCompare(registry, strings.NewReader(want), "exgate_wasm_memory_peak_bytes")
	if err != nil {
		t.Error(err)
	}
	must(t, e.Close(t.Context()))
	must(t, other.Close(t.Context()))
	if n, err := testutil.GatherAndCount(registry, "exgate_wasm_memory_peak_bytes"); err != nil || n != 0 {
		t.Errorf("%d series of closed engines, %v", n, err)
	}
}

// An event that runs out of fuel counts.
func TestPeakOfAFault(t *testing.T) {
	e := engine(t, Config{Module: file(t, "trace"), Shards: 1, Limits: Limits{Fuel: 20_000}})
	if err := gatewaytest.Connect(t, e).Receive("l"); err == nil {
		t.Fatal("no fault")
	}
	if got := e.Peaks().Fuel; got < 20_000 {
		t.Errorf("%d units", got)
	}
}
