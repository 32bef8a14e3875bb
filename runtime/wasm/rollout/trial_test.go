package rollout

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/exgate/exgate/internal/wasmtest"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/wasm"
)

// visit connects, makes the guest fault or not, and leaves.
func visit(t *testing.T, m *Module, fault bool) {
	t.Helper()
	d := gatewaytest.Connect(t, m)
	reason := gateway.ReasonNormal
	if fault {
		err := d.Receive("t")
		if err == nil {
			t.Fatal("the guest lives")
		}
		reason = gateway.ReasonOf(err)
	}
	must(t, d.Handler.OnSocketClosed(reason))
	if fault {
		eventually(t, "an instance of each version", func() bool {
			m.mu.Lock()
			defer m.mu.Unlock()
			return instances(t) >= len(m.versions()) // more where a connection has one apart
		})
	}
}

func TestCanaryGetsItsShareEvenly(t *testing.T) {
	m := newModule(t)
	files, _ := guests(t, "echo", "a", "b")
	swap(t, m, files["a"], SwapOptions{})
	swap(t, m, files["b"], SwapOptions{Canary: &Canary{Percent: 30}})
	var order strings.Builder
	for range 20 {
		d := gatewaytest.Connect(t, m)
		if d.Handler.(*conn).version == m.serving {
			order.WriteByte('a')
		} else {
			order.WriteByte('b')
		}
		leave(t, d)
	}
	if got := order.String(); got != "aaabaabaabaaabaabaab" {
		t.Error(got)
	}
	if s := m.Status().Versions; s[0].Percent != 30 || s[1].Percent != 70 || s[0].State != VersionCanary {
		t.Errorf("%+v", s)
	}
}

// Options that change during a trial apply from its beginning, be they shorter or longer.
func TestOptionsChangeDuringATrial(t *testing.T) {
	files, names := guests(t, "echo", "a", "b")
	canary := func(after time.Duration) SwapOptions {
		return SwapOptions{
			Canary: &Canary{Percent: 50, After: after, Connections: 1}, Guard: Guard{Period: time.Hour},
			DrainTimeout: time.Hour,
		}
	}
	trial := func(test func(m *Module, at func(d time.Duration, want string))) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			m, err := New(Config{Name: "test", Logger: quiet})
			must(t, err)
			swap(t, m, files["a"], SwapOptions{})
			began := time.Now()
			test(m, func(d time.Duration, want string) {
				t.Helper()
				time.Sleep(time.Until(began.Add(d)))
				synctest.Wait()
				if got := states(m, names); got != want {
					t.Errorf("after %v: %s; want %s", d, got, want)
				}
			})
			must(t, m.Close(t.Context()))
		})
	}
	trial(func(m *Module, at func(time.Duration, string)) { // the canary's time is cut
		swap(t, m, files["b"], canary(10*time.Hour))
		visit(t, m, false)
		visit(t, m, false)
		at(time.Minute, "b canary, a serving")
		swap(t, m, files["b"], canary(2*time.Minute))
		at(2*time.Minute-time.Second, "b canary, a serving")
		at(2*time.Minute, "b serving, a warm")
	})
	trial(func(m *Module, at func(time.Duration, string)) { // it is over already
		swap(t, m, files["b"], canary(10*time.Hour))
		visit(t, m, false)
		visit(t, m, false)
		at(time.Minute, "b canary, a serving")
		swap(t, m, files["b"], canary(time.Second))
		at(time.Minute, "b serving, a warm")
	})
	trial(
		// it is made longer, also when it was over and connections were missing
		func(m *Module, at func(time.Duration, string)) {
			swap(t, m, files["b"], canary(time.Minute))
			at(2*time.Minute, "b canary, a serving")
			swap(t, m, files["b"], canary(time.Hour))
			visit(t, m, false)
			visit(t, m, false)
			at(time.Hour-time.Second, "b canary, a serving")
			at(time.Hour, "b serving, a warm")
		},
	)
	trial(func(m *Module, at func(time.Duration, string)) { // the guard's period is cut
		swap(t, m, files["b"], SwapOptions{Guard: Guard{Period: 10 * time.Hour}})
		at(time.Minute, "b serving, a warm")
		swap(t, m, files["b"], SwapOptions{Guard: Guard{Period: 2 * time.Minute}})
		at(2*time.Minute-time.Second, "b serving, a warm")
		at(2*time.Minute, "b serving")
	})
}

// A changed drain timeout applies to versions that already drain.
func TestDrainTimeoutChanges(t *testing.T) {
	files, _ := guests(t, "echo", "a", "b")
	synctest.Test(t, func(t *testing.T) {
		m, err := New(Config{Name: "test", Logger: quiet})
		must(t, err)
		swap(t, m, files["a"], SwapOptions{})
		d := gatewaytest.Connect(t, m)
		swap(t, m, files["b"], SwapOptions{DrainTimeout: 10 * time.Hour})
		began := time.Now()
		time.Sleep(time.Minute)
		swap(t, m, files["b"], SwapOptions{DrainTimeout: time.Hour})
		v := d.Handler.(*conn).version
		if got := v.until.Sub(began); got != time.Hour {
			t.Errorf("it drains for %v", got)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if !v.ended {
			t.Error("it still drains")
		}
		leave(t, d)
		must(t, m.Close(t.Context()))
	})
}

func TestCanaryIsPromoted(t *testing.T) {
	files, names := guests(t, "echo", "a", "b")
	synctest.Test(t, func(t *testing.T) {
		m, err := New(Config{Name: "test", Logger: quiet})
		must(t, err)
		swap(t, m, files["a"], SwapOptions{})
		swap(
			t,
			m,
			files["b"],
			SwapOptions{
				Canary: &Canary{Percent: 50, After: time.Minute, Connections: 3},
				Guard:  Guard{Period: time.Hour},
			},
		)
		for range 5 {
			visit(t, m, false)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if got := states(m, names); got != "b canary, a serving" {
			t.Errorf("after two of three connections: %s", got)
		}
		visit(t, m, false)
		if got := states(m, names); got != "b serving, a warm" {
			t.Error(got)
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if got := states(m, names); got != "b serving" {
			t.Error(got)
		}
		must(t, m.Close(t.Context()))
	})
}

func TestBadCanaryIsTakenBack(t *testing.T) {
	m := newModule(t)
	files, names := guests(t, "hostile", "a", "b")
	swap(t, m, files["a"], SwapOptions{})
	swap(t, m, files["b"], SwapOptions{Canary: &Canary{Percent: 50}, Guard: Guard{MinConnections: 4, FaultPercent: 50}})
	for i := range 8 { // each second one is the canary's
		visit(t, m, i == 1 || i == 3 || i == 5)
	}
	expectStates(t, m, names, "a serving")
	back := m.Status().RolledBack
	if back == nil || names[back.Version] != "b" || back.Connections != 4 || back.Faults != 3 {
		t.Errorf("%+v", back)
	}
}

func TestGuardTakesASwapBack(t *testing.T) {
	m := newModule(t)
	files, names := guests(t, "hostile", "a", "b")
	swap(t, m, files["a"], SwapOptions{})
	old := gatewaytest.Connect(t, m)
	swap(t, m, files["b"], SwapOptions{Guard: Guard{MinConnections: 5, FaultPercent: 20}})
	visit(t, m, false)
	leave(t, old)
	expectStates(t, m, names, "b serving, a warm")
	for range 3 {
		visit(t, m, false)
	}
	visit(t, m, true) // one of five is not more than 20 percent
	expectStates(t, m, names, "b serving, a warm")
	stays := gatewaytest.Connect(t, m)
	visit(t, m, true)
	expectStates(t, m, names, "a serving, b draining")
	visit(t, m, false)
	leave(t, stays)
	expectStates(t, m, names, "a serving")
}

// A fault in a posted event, such as a result, is counted when the connection closes.
func TestFaultOfAPostedEventCounts(t *testing.T) {
	m := newModule(t)
	swap(t, m, file(t, "echo"), SwapOptions{})
	d := gatewaytest.Connect(t, m)
	must(t, d.Handler.OnSocketClosed(gateway.ReasonGuestOutOfFuel))
	d = gatewaytest.Connect(t, m)
	must(t, d.Handler.OnSocketClosed(gateway.ReasonGuestShardLost)) // another's
	if got := m.Status().Versions[0].Faults; got != 1 {
		t.Errorf("%d faults", got)
	}
}

func TestNewerCanaryInsteadOfACanary(t *testing.T) {
	m := newModule(t)
	files, names := guests(t, "echo", "a", "b", "c")
	swap(t, m, files["a"], SwapOptions{})
	o := SwapOptions{Canary: &Canary{Percent: 99}}
	swap(t, m, files["b"], o)
	leave(t, gatewaytest.Connect(t, m))
	d := gatewaytest.Connect(t, m)
	swap(t, m, files["c"], o)
	expectStates(t, m, names, "c canary, a serving, b draining")
	leave(t, d)
	expectStates(t, m, names, "c canary, a serving")
	swap(t, m, files["c"], SwapOptions{}) // without a canary: it has passed
	expectStates(t, m, names, "c serving, a warm")
	swap(t, m, files["a"], SwapOptions{})
	expectStates(t, m, names, "a serving")
}

func TestPutTheOldFileBackDuringACanary(t *testing.T) {
	m := newModule(t)
	files, names := guests(t, "echo", "a", "b")
	swap(t, m, files["a"], SwapOptions{})
	swap(t, m, files["b"], SwapOptions{Canary: &Canary{}})
	swap(t, m, files["b"], SwapOptions{Canary: &Canary{Percent: 80}})
	if got := m.Status().Versions[0].Percent; got != 80 {
		t.Errorf("%d percent", got)
	}
	swap(t, m, files["a"], SwapOptions{})
	expectStates(t, m, names, "a serving")
}

func TestSmokeTest(t *testing.T) {
	m := newModule(t)
	trapping := wasmtest.Guest().With("exproto_v1_event", 0x00, 0x00, 0x0b).Bytes() // no locals, unreachable, end
	err := m.Swap(t.Context(), wasm.Config{Module: trapping}, SwapOptions{})
	if err == nil || !strings.Contains(err.Error(), "smoke test: the guest fails at a new connection: guest_trap") {
		t.Error(err)
	}
}

// A source that ended an instance of one version of a module is set apart in the next one from its first connection on.
func TestNextVersionKnowsSuspects(t *testing.T) {
	m := newModule(t)
	apart := func() float64 {
		return gatewaytest.Metric(t, registry, "exgate_wasm_connections_apart_total", "suspect")
	}
	swap(t, m, variant(t, "hostile", "a"), SwapOptions{})
	visit(t, m, true)
	swap(t, m, variant(t, "hostile", "b"), SwapOptions{})
	before := apart()
	other := gatewaytest.NewDevice()
	var err error
	other.Handler, err = m.NewHandler(other)
	must(t, err)
	from := gatewaytest.Info
	from.Peer = netip.MustParseAddrPort("203.0.113.1:1000")
	must(t, other.Handler.OnSocketCreated(from))
	if got := apart() - before; got != 0 {
		t.Errorf("another source: %v connections are apart", got)
	}
	bad := gatewaytest.Connect(t, m)
	if got := apart() - before; got != 1 {
		t.Errorf("the source that ended an instance: %v connections are apart", got)
	}
	leave(t, bad)
	leave(t, other)
}
