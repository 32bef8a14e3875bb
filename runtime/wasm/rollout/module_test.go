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

// variant is a guest of testdata with a custom section: another file that does the same.
func variant(t *testing.T, guest, name string) []byte {
	t.Helper()
	section := append([]byte{byte(len(name))}, name...)
	return append(append(file(t, guest), 0, byte(len(section))), section...)
}

// newModule makes a module that the test closes after its devices have left.
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

// guests are variants of one guest, and their names by digest.
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

func (d *device) leave(t *testing.T) {
	t.Helper()
	must(t, d.handler.OnSocketClosed(gateway.ReasonNormal))
}

func TestModuleWithoutAVersionRefuses(t *testing.T) {
	m := newModule(t)
	_, err := m.NewHandler(&device{})
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
	old := connect(t, m)
	old.take()
	swap(t, m, files["b"], SwapOptions{Guard: Guard{Period: time.Nanosecond}})
	expectStates(t, m, names, "b serving, a draining")
	must(t, old.next(t))
	if got := old.take(); got != `send "6\x00"` {
		t.Errorf("told %q", got)
	}
	must(t, old.receive("still here"))
	if got := old.take(); got != `send "b\x00still here"` {
		t.Errorf("got %q", got)
	}
	young := connect(t, m)
	if v := m.Status().Versions; v[0].Connections != 1 || v[1].Connections != 1 || v[1].DrainsUntil.IsZero() || v[0].Served != 1 {
		t.Errorf("%+v", v)
	}
	old.leave(t)
	expectStates(t, m, names, "b serving")
	young.leave(t)
}

func TestDrainComesOnce(t *testing.T) {
	m := newModule(t)
	files, _ := guests(t, "scenario", "a", "b")
	swap(t, m, files["a"], SwapOptions{})
	d := connect(t, m)
	swap(t, m, files["b"], SwapOptions{})
	must(t, d.next(t))
	d.take()
	must(t, d.handler.(gateway.Drainer).OnDrain())
	if got := d.take(); got != "" {
		t.Errorf("told again: %q", got)
	}
	d.leave(t)
}

// A handler that got no event before its version was gone becomes one of the version that serves then.
func TestHandlerOfAVersionThatIsGone(t *testing.T) {
	m := newModule(t)
	files, names := guests(t, "scenario", "a", "b")
	swap(t, m, files["a"], SwapOptions{})
	d := &device{name: "late", posted: make(chan func() error, 1)}
	var err error
	d.handler, err = m.NewHandler(d)
	must(t, err)
	swap(t, m, files["b"], SwapOptions{Guard: Guard{Period: time.Nanosecond}})
	expectStates(t, m, names, "b serving")
	must(t, d.handler.OnSocketCreated(info))
	if got := m.Status().Versions[0].Connections; got != 1 {
		t.Errorf("%d connections", got)
	}
	d.leave(t)
}

func TestHandlerOfARemovedModule(t *testing.T) {
	m := newModule(t)
	swap(t, m, file(t, "echo"), SwapOptions{})
	d := &device{}
	h, err := m.NewHandler(d)
	must(t, err)
	m.Remove(0)
	if err := h.OnSocketCreated(info); err == nil || !gateway.ReasonOf(err).Is(gateway.ReasonHandlerUnavailable) {
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
		d := connect(t, m)
		swap(t, m, files["b"], SwapOptions{DrainTimeout: time.Hour, Guard: Guard{Period: 2 * time.Hour}})
		time.Sleep(time.Hour - time.Second)
		synctest.Wait()
		if d.reason() != "" {
			t.Error("closed early: ", d.reason())
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if d.reason() != "module_drained" {
			t.Errorf("reason %q", d.reason())
		}
		d.leave(t)
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
	var devices []*device
	for _, name := range letters {
		swap(t, m, files[name], SwapOptions{Guard: Guard{Period: time.Nanosecond}})
		devices = append(devices, connect(t, m))
	}
	eventually(t, "two are cut", func() bool { return devices[0].reason() == "module_drained" && devices[1].reason() == "module_drained" })
	for _, d := range devices[2:] {
		if d.reason() != "" {
			t.Error(d.reason())
		}
	}
	for _, d := range devices {
		d.leave(t)
	}
	expectStates(t, m, names, "k serving")
}

// The file of before, put back, serves again with what it had: nothing is compiled.
func TestTakingAVersionBackByHand(t *testing.T) {
	m := newModule(t)
	files, names := guests(t, "scenario", "a", "b")
	swap(t, m, files["a"], SwapOptions{})
	d := connect(t, m)
	first := m.serving.engine
	swap(t, m, files["b"], SwapOptions{})
	swap(t, m, files["a"], SwapOptions{Canary: &Canary{}})
	expectStates(t, m, names, "a serving")
	if m.serving.engine != first || m.Status().Versions[0].Connections != 1 {
		t.Errorf("%+v", m.Status())
	}
	d.leave(t)
}

func TestSameFileWithOtherSettingsIsAnotherVersion(t *testing.T) {
	m := newModule(t)
	a := file(t, "scenario")
	swap(t, m, a, SwapOptions{})
	swap(t, m, a, SwapOptions{})
	must(t, m.Swap(t.Context(), wasm.Config{Module: a, Shards: 1, GuestConfig: []byte("new")}, SwapOptions{}))
	if got := m.Status().Versions; len(got) != 2 || got[0].Digest != got[1].Digest || got[0].Settings == got[1].Settings {
		t.Errorf("%+v", got)
	}
	d := connect(t, m)
	d.take()
	must(t, d.receive("n"))
	if got := d.take(); got != `send "n@new"` {
		t.Error(got)
	}
	d.leave(t)
}

func TestBadGuestChangesNothing(t *testing.T) {
	m := newModule(t)
	files, names := guests(t, "scenario", "a")
	swap(t, m, files["a"], SwapOptions{})
	for what, c := range map[string]wasm.Config{
		"module":  {Module: []byte("\x00asm")},
		"refuses": {Module: files["a"], GuestConfig: []byte("!")},
		"limit":   {Module: files["a"], Limits: wasm.Limits{WallTime: -1}},
	} {
		if err := m.Swap(t.Context(), c, SwapOptions{}); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := m.Swap(t.Context(), wasm.Config{Module: files["a"]}, SwapOptions{Canary: &Canary{Percent: 100}}); err == nil {
		t.Error("a canary of 100 percent was taken")
	}
	expectStates(t, m, names, "a serving")
}

func TestRemoveAndPutBack(t *testing.T) {
	m := newModule(t)
	files, names := guests(t, "scenario", "a", "b")
	swap(t, m, files["a"], SwapOptions{})
	swap(t, m, files["b"], SwapOptions{Canary: &Canary{Percent: 50}})
	d := connect(t, m)
	m.Remove(time.Hour)
	expectStates(t, m, names, "a draining")
	must(t, d.next(t))
	swap(t, m, files["a"], SwapOptions{})
	expectStates(t, m, names, "a serving")
	d.leave(t)
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
	d := connect(t, m)
	swap(t, m, files["b"], SwapOptions{})
	want := `# HELP exgate_wasm_module_connections Connections now open, by the version of the module that they keep.
# TYPE exgate_wasm_module_connections gauge
exgate_wasm_module_connections{module="test",version="A"} 1
# HELP exgate_wasm_module_info 1 for each version of a module that is there, by its digest and state.
# TYPE exgate_wasm_module_info gauge
exgate_wasm_module_info{module="test",state="draining",version="A"} 1
exgate_wasm_module_info{module="test",state="serving",version="B"} 1
# HELP exgate_wasm_module_swaps_total Versions that came to serve, rollbacks not counted.
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
	d.leave(t)
	must(t, m.Close(t.Context()))
	if n, err := testutil.GatherAndCount(reg, names[:2]...); n != 0 || err != nil {
		t.Errorf("%d series are left of a closed module, %v", n, err)
	}
}

// What a version had is free when its last connection has left, whatever the collector does.
func TestVersionIsFreed(t *testing.T) {
	m := newModule(t)
	files, names := guests(t, "scenario", "a", "b")
	swap(t, m, files["a"], SwapOptions{})
	old := m.serving.engine
	d := connect(t, m)
	swap(t, m, files["b"], SwapOptions{Guard: Guard{Period: time.Nanosecond}})
	d.leave(t)
	expectStates(t, m, names, "b serving")
	m.tasks.Wait()
	if _, err := old.NewHandler(&device{}); err == nil || instances(t) != 1 {
		t.Errorf("the engine lives: %d instances, %v", instances(t), err)
	}
}
