package rollout

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/wasm"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// variant returns a guest of testdata with a custom section: another file with the same behavior.
func variant(t *testing.T, guest, name string) []byte {
	t.Helper()
	section := append([]byte{byte(len(name))}, name...)
	return append(append(file(t, guest), 0, byte(len(section))), section...)
}

// newModule creates a module that the test closes after its devices have left.
func newModule(t *testing.T) *Module {
	t.Helper()
	m, err := New(Config{Name: "test", Logger: quiet, Guests: guestMetrics})
	must(t, err)
	t.Cleanup(func() { must(t, m.Close(t.Context())) })
	return m
}

var (
	registry     = prometheus.NewRegistry()
	guestMetrics = wasm.NewMetrics(registry)
)

// instances returns how many instances of the module's guests are live.
func instances(t *testing.T) int {
	t.Helper()
	return int(gatewaytest.Metric(t, registry, "exgate_wasm_instances", "test"))
}

// swap swaps to a guest on one shard.
func swap(t *testing.T, m *Module, module []byte, o SwapOptions) {
	t.Helper()
	must(t, m.Swap(t.Context(), wasm.Config{Module: module, Shards: 1}, o))
}

// states lists the versions by the given names, newest first.
func states(m *Module, names map[string]string) string {
	var all []string
	for _, v := range m.Status().Versions {
		all = append(all, names[v.Digest]+" "+string(v.State))
	}
	return strings.Join(all, ", ")
}

// guests returns variants of one guest, and their names by digest.
func guests(t *testing.T, guest string, names ...string) (modules map[string][]byte, byDigest map[string]string) {
	t.Helper()
	modules, byDigest = map[string][]byte{}, map[string]string{}
	for _, name := range names {
		modules[name] = variant(t, guest, name)
		byDigest[digest(modules[name])] = name
	}
	return modules, byDigest
}

func expectStates(t *testing.T, m *Module, names map[string]string, want string) {
	t.Helper()
	var got string
	eventually(t, "versions "+want, func() bool {
		got = states(m, names)
		return got == want
	})
}

func leave(t *testing.T, d *gatewaytest.Device) {
	t.Helper()
	must(t, d.Handler.OnSocketClosed(gateway.ReasonNormal))
}

func TestModuleWithoutAVersionRefuses(t *testing.T) {
	m := newModule(t)
	_, err := m.NewHandler(gatewaytest.NewDevice())
	if err == nil || !gateway.ReasonOf(err).Is(gateway.ReasonHandlerUnavailable) {
		t.Error(err)
	}
	if m.Serving() != "" {
		t.Error(m.Serving())
	}
}

func TestSwapDrainsTheVersionBefore(t *testing.T) {
	m := newModule(t)
	files, names := guests(t, "scenario", "a", "b")
	swap(t, m, files["a"], SwapOptions{})
	old := gatewaytest.Connect(t, m)
	old.Take()
	swap(t, m, files["b"], SwapOptions{Guard: Guard{Period: time.Nanosecond}})
	expectStates(t, m, names, "b serving, a draining")
	must(t, old.Next(t))
	if got := old.Take(); got != `send "6\x00"` {
		t.Errorf("told %q", got)
	}
	must(t, old.Receive("still here"))
	if got := old.Take(); got != `send "b\x00still here"` {
		t.Errorf("got %q", got)
	}
	// its timers stay with it too
	must(t, old.Handler.(gateway.AlarmHandler).OnAlarm(3))
	if got := old.Take(); got != `send "7\x03"` {
		t.Errorf("the alarm got %q", got)
	}
	young := gatewaytest.Connect(t, m)
	if v := m.Status().Versions; v[0].Connections != 1 || v[1].Connections != 1 || v[1].DrainsUntil.IsZero() ||
		v[0].Served != 1 {
		t.Errorf("%+v", v)
	}
	leave(t, old)
	expectStates(t, m, names, "b serving")
	leave(t, young)
}

func TestDrainComesOnce(t *testing.T) {
	m := newModule(t)
	files, _ := guests(t, "scenario", "a", "b")
	swap(t, m, files["a"], SwapOptions{})
	d := gatewaytest.Connect(t, m)
	swap(t, m, files["b"], SwapOptions{})
	must(t, d.Next(t))
	d.Take()
	must(t, d.Handler.(gateway.Drainer).OnDrain())
	if got := d.Take(); got != "" {
		t.Errorf("told again: %q", got)
	}
	leave(t, d)
}

// A handler whose version ended before its first event gets the serving version.
func TestHandlerOfAVersionThatIsGone(t *testing.T) {
	m := newModule(t)
	files, names := guests(t, "scenario", "a", "b")
	swap(t, m, files["a"], SwapOptions{})
	d := gatewaytest.NewDevice()
	var err error
	d.Handler, err = m.NewHandler(d)
	must(t, err)
	swap(t, m, files["b"], SwapOptions{Guard: Guard{Period: time.Nanosecond}})
	expectStates(t, m, names, "b serving")
	must(t, d.Handler.OnSocketCreated(gatewaytest.Info))
	if got := m.Status().Versions[0].Connections; got != 1 {
		t.Errorf("%d connections", got)
	}
	leave(t, d)
}

func TestHandlerOfARemovedModule(t *testing.T) {
	m := newModule(t)
	swap(t, m, file(t, "echo"), SwapOptions{})
	d := gatewaytest.NewDevice()
	h, err := m.NewHandler(d)
	must(t, err)
	m.Remove(0)
	if err := h.OnSocketCreated(gatewaytest.Info); err == nil ||
		!gateway.ReasonOf(err).Is(gateway.ReasonHandlerUnavailable) {
		t.Error(err)
	}
	must(t, h.OnSocketClosed(gateway.ReasonHandlerUnavailable))
}

func TestDrainTimeout(t *testing.T) {
	files, names := guests(t, "scenario", "a", "b")
	synctest.Test(t, func(t *testing.T) {
		m, err := New(Config{Name: "test", Logger: quiet})
		must(t, err)
		swap(t, m, files["a"], SwapOptions{})
		d := gatewaytest.Connect(t, m)
		swap(t, m, files["b"], SwapOptions{DrainTimeout: time.Hour, Guard: Guard{Period: 2 * time.Hour}})
		time.Sleep(time.Hour - time.Second)
		synctest.Wait()
		if d.Reason() != "" {
			t.Error("closed early: ", d.Reason())
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if d.Reason() != "module_drained" {
			t.Errorf("reason %q", d.Reason())
		}
		leave(t, d)
		synctest.Wait()
		if got := states(m, names); got != "b serving, a warm" {
			t.Error(got)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := states(m, names); got != "b serving" {
			t.Error(got)
		}
		must(t, m.Close(t.Context()))
	})
}

func TestOldestVersionEndsBeyondTheBound(t *testing.T) {
	m := newModule(t)
	letters := strings.Split("abcdefghijk", "")
	files, names := guests(t, "scenario", letters...)
	var devices []*gatewaytest.Device
	for _, name := range letters {
		swap(t, m, files[name], SwapOptions{Guard: Guard{Period: time.Nanosecond}})
		devices = append(devices, gatewaytest.Connect(t, m))
	}
	eventually(t, "two are cut",
		func() bool { return devices[0].Reason() == "module_drained" && devices[1].Reason() == "module_drained" })
	for _, d := range devices[2:] {
		if d.Reason() != "" {
			t.Error(d.Reason())
		}
	}
	for _, d := range devices {
		leave(t, d)
	}
	expectStates(t, m, names, "k serving")
}

// The previous file, put back, serves again with its connections: nothing is compiled.
func TestTakingAVersionBackByHand(t *testing.T) {
	m := newModule(t)
	files, names := guests(t, "scenario", "a", "b")
	swap(t, m, files["a"], SwapOptions{})
	d := gatewaytest.Connect(t, m)
	first := m.serving.engine
	swap(t, m, files["b"], SwapOptions{})
	swap(t, m, files["a"], SwapOptions{Canary: &Canary{}})
	expectStates(t, m, names, "a serving")
	if m.serving.engine != first || m.Status().Versions[0].Connections != 1 {
		t.Errorf("%+v", m.Status())
	}
	leave(t, d)
}

func TestSameFileWithOtherSettingsIsAnotherVersion(t *testing.T) {
	m := newModule(t)
	a := file(t, "scenario")
	swap(t, m, a, SwapOptions{})
	swap(t, m, a, SwapOptions{})
	must(t, m.Swap(t.Context(), wasm.Config{Module: a, Shards: 1, GuestConfig: []byte("new")}, SwapOptions{}))
	if got := m.Status().Versions; len(got) != 2 || got[0].Digest != got[1].Digest ||
		got[0].Settings == got[1].Settings {
		t.Errorf("%+v", got)
	}
	d := gatewaytest.Connect(t, m)
	d.Take()
	must(t, d.Receive("n"))
	if got := d.Take(); got != `send "n@new"` {
		t.Error(got)
	}
	leave(t, d)
}

func TestBadGuestChangesNothing(t *testing.T) {
	m := newModule(t)
	files, names := guests(t, "scenario", "a")
	swap(t, m, files["a"], SwapOptions{})
	for what, c := range map[string]wasm.Config{
		"module":  {Module: []byte("\x00asm")},
		"refused": {Module: files["a"], GuestConfig: []byte("!")},
		"limit":   {Module: files["a"], Limits: wasm.Limits{WallTime: -1}},
	} {
		if err := m.Swap(t.Context(), c, SwapOptions{}); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := m.Swap(t.Context(), wasm.Config{Module: files["a"]},
		SwapOptions{Canary: &Canary{Percent: 100}}); err == nil {
		t.Error("a canary of 100 percent was taken")
	}
	expectStates(t, m, names, "a serving")
}

func TestRemoveAndPutBack(t *testing.T) {
	m := newModule(t)
	files, names := guests(t, "scenario", "a", "b")
	swap(t, m, files["a"], SwapOptions{})
	swap(t, m, files["b"], SwapOptions{Canary: &Canary{Percent: 50}})
	d := gatewaytest.Connect(t, m)
	m.Remove(time.Hour)
	expectStates(t, m, names, "a draining")
	must(t, d.Next(t))
	swap(t, m, files["a"], SwapOptions{})
	expectStates(t, m, names, "a serving")
	leave(t, d)
}

func TestSwapOfAClosedModule(t *testing.T) {
	m, err := New(Config{Name: "test", Logger: quiet})
	must(t, err)
	must(t, m.Close(t.Context()))
	if err := m.Swap(t.Context(), wasm.Config{Module: file(t, "echo")}, SwapOptions{}); err != errClosed {
		t.Error(err)
	}
	m.Remove(0)
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	m, err := New(Config{Name: "test", Logger: quiet, Metrics: NewMetrics(reg)})
	must(t, err)
	files, _ := guests(t, "scenario", "a", "b")
	swap(t, m, files["a"], SwapOptions{})
	d := gatewaytest.Connect(t, m)
	swap(t, m, files["b"], SwapOptions{})
	want := `# HELP exgate_wasm_module_connections Connections now open, by the version of the module.
# TYPE exgate_wasm_module_connections gauge
exgate_wasm_module_connections{module="test",version="A"} 1
# HELP exgate_wasm_module_info 1 for each loaded version of a module, by its digest and state.
# TYPE exgate_wasm_module_info gauge
exgate_wasm_module_info{module="test",state="draining",version="A"} 1
exgate_wasm_module_info{module="test",state="serving",version="B"} 1
# HELP exgate_wasm_module_swaps_total Versions that became the serving one, except by a rollback.
# TYPE exgate_wasm_module_swaps_total counter
exgate_wasm_module_swaps_total{module="test"} 2
`
	for name, letter := range map[string]string{"a": "A", "b": "B"} {
		want = strings.ReplaceAll(want, `version="`+letter+`"`, `version="`+digest(files[name])[:12]+`"`)
	}
	names := []string{"exgate_wasm_module_connections", "exgate_wasm_module_info", "exgate_wasm_module_swaps_total"}
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
	leave(t, d)
	must(t, m.Close(t.Context()))
	if n, err := testutil.GatherAndCount(reg, names[:2]...); n != 0 || err != nil {
		t.Errorf("%d series are left of a closed module, %v", n, err)
	}
}

// The memory of a version is freed with its last connection, whatever the garbage collector does.
func TestVersionIsFreed(t *testing.T) {
	m := newModule(t)
	files, names := guests(t, "scenario", "a", "b")
	swap(t, m, files["a"], SwapOptions{})
	old := m.serving.engine
	d := gatewaytest.Connect(t, m)
	swap(t, m, files["b"], SwapOptions{Guard: Guard{Period: time.Nanosecond}})
	leave(t, d)
	expectStates(t, m, names, "b serving")
	m.tasks.Wait()
	if _, err := old.NewHandler(gatewaytest.NewDevice()); err == nil || instances(t) != 1 {
		t.Errorf("the engine lives: %d instances, %v", instances(t), err)
	}
}
