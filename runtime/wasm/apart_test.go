package wasm

import (
	"fmt"
	"testing"

	"github.com/exgate/exgate/hostabi"
	"github.com/exgate/exgate/internal/wasmtest"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/wasm/internal/suspects"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// fail connects a device from an address, which ends its instance.
func fail(t *testing.T, e *Engine, address, packet string) *gatewaytest.Device {
	t.Helper()
	d := gatewaytest.ConnectFrom(t, e, address)
	end(t, d, packet)
	return d
}

func end(t *testing.T, d *gatewaytest.Device, packet string) {
	t.Helper()
	err := d.Receive(packet)
	if err == nil {
		t.Fatal("no fault")
	}
	must(t, d.Handler.OnSocketClosed(gateway.ReasonOf(err)))
}

// lostOf counts the devices that a fault of another one closed, and closes them.
func lostOf(t *testing.T, all []*gatewaytest.Device) (lost int, left []*gatewaytest.Device) {
	t.Helper()
	for _, d := range all {
		if err := d.Receive("x"); err == nil {
			left = append(left, d)
			continue
		} else if !gateway.ReasonOf(err).Is(gateway.ReasonGuestShardLost) {
			t.Errorf("a bystander: %v", err)
		}
		lost++
		must(t, d.Handler.OnSocketClosed(gateway.ReasonGuestShardLost))
	}
	return lost, left
}

// A source that repeats a fault, of whatever kind, ends one shared instance and then none.
func TestRepeatedFaultHurtsItsSourceAlone(t *testing.T) {
	for _, m := range catalogue() {
		t.Run(m.name, func(t *testing.T) {
			module := m.module
			if module == nil {
				module = file(t, "hostile")
			}
			e := engine(t, Config{Module: module, Shards: 2, Limits: m.limits})
			fail(t, e, "198.51.100.1", m.packet)
			var others []*gatewaytest.Device
			for range 4 {
				others = append(others, gatewaytest.Connect(t, e))
			}
			for range 3 {
				fail(t, e, "198.51.100.1", m.packet)
				others = append(others, gatewaytest.Connect(t, e))
			}
			if lost, _ := lostOf(t, others); lost != 0 {
				t.Errorf("%d of %d others lost their connection", lost, len(others))
			}
		})
	}
}

// Faults in every kind of event count.
func TestFaultOfEveryEventSetsApart(t *testing.T) {
	kinds := map[hostabi.Kind]func(h gateway.ConnectionHandler) error{
		hostabi.KindTimer: func(h gateway.ConnectionHandler) error { return h.OnTimerTimeout(gateway.TimerKeepalive) },
		hostabi.KindMessages: func(h gateway.ConnectionHandler) error {
			return h.OnReceivedMessages([]gateway.Message{{Topic: "t"}})
		},
		hostabi.KindClosed: func(h gateway.ConnectionHandler) error {
			return h.OnSocketClosed(gateway.ReasonTCPClosed)
		},
		hostabi.KindDrain: func(h gateway.ConnectionHandler) error { return h.(gateway.Drainer).OnDrain() },
	}
	for kind, event := range kinds {
		e := engine(t, Config{Module: trapsAt(kind), Shards: 1})
		bad := gatewaytest.ConnectFrom(t, e, "198.51.100.1")
		if event(bad.Handler) == nil {
			t.Fatalf("%v: no fault", kind)
		}
		again := gatewaytest.ConnectFrom(t, e, "198.51.100.1")
		if _, ok := instanceOf(again).pool.(*apart); !ok {
			t.Errorf("%v: the next connection of the source is not set apart", kind)
		}
		eventually(t, "the shard has an instance", func() bool { return live(e) == 1 })
		if !instanceOf(gatewaytest.Connect(t, e)).shared() {
			t.Errorf("%v: another source is set apart", kind)
		}
	}
}

// trapsAt makes a guest that traps in an event of one kind.
func trapsAt(kind hostabi.Kind) []byte {
	code := join([]byte{0x20, 0}, number(int64(kind)), []byte{0x46, 0x04, 0x40, 0x00, 0x0b, 0x41, 0, 0x0b})
	return wasmtest.Guest().With("exproto_v1_event", code...).Bytes()
}

// However many sources fault, and however many connections they had before, each shard is lost once, and one of them
// once more.
func TestManyFaultySources(t *testing.T) {
	const shards = 3
	e := engine(t, Config{Module: file(t, "hostile"), Shards: shards})
	var bad, good []*gatewaytest.Device
	for n := range 20 {
		bad = append(bad, gatewaytest.ConnectFrom(t, e, fmt.Sprintf("198.51.100.%d", n)))
		good = append(good, gatewaytest.ConnectFrom(t, e, fmt.Sprintf("203.0.113.%d", n)))
	}
	total := 0
	for n, d := range bad {
		if d.Receive("t") == nil {
			t.Fatal("no fault")
		}
		must(t, d.Handler.OnSocketClosed(gateway.ReasonGuestTrap))
		fail(t, e, fmt.Sprintf("100.64.0.%d", n), "t") // a source that was never seen
		lost, left := lostOf(t, good)
		total += lost
		good = left
		for range lost { // they come again
			good = append(good, gatewaytest.ConnectFrom(t, e, fmt.Sprintf("203.0.113.%d", total)))
		}
	}
	if most := 20 + 20/shards + 1; total > most {
		t.Errorf("20 devices lost %d connections in 40 faults, at most %d are to be", total, most)
	}
	if lost, _ := lostOf(t, good); lost != 0 {
		t.Errorf("%d are lost at the end", lost)
	}
}

// A lost shard gets the spare instance at once.
func TestSpareIsReady(t *testing.T) {
	set := NewMetrics(prometheus.NewRegistry())
	e := engine(t, Config{Module: file(t, "hostile"), Shards: 1, Metrics: set})
	eventually(t, "a spare", func() bool {
		e.spares.mu.Lock()
		defer e.spares.mu.Unlock()
		return e.spares.ready != nil
	})
	fail(t, e, "198.51.100.1", "t")
	if live(e) != 1 {
		t.Error("the shard is empty")
	}
	must(t, gatewaytest.Connect(t, e).Receive("x"))
	if got := testutil.ToFloat64(set.instances.WithLabelValues("test")); got != 1 {
		t.Errorf("%v instances serve", got)
	}
}

// A device that connects while no instance is live is not refused if the next one is starting, but it is if the guest
// does not start.
func TestConnectionWhileTheInstanceStarts(t *testing.T) {
	e := engine(t, Config{Module: file(t, "hostile"), Shards: 1})
	eventually(t, "a spare", func() bool {
		e.spares.mu.Lock()
		defer e.spares.mu.Unlock()
		return e.spares.ready != nil
	})
	s := e.shards[0]
	in := s.current.Swap(nil)
	e.spares.mu.Lock()
	e.spares.empty = append(e.spares.empty, s)
	e.spares.mu.Unlock()
	must(t, gatewaytest.Connect(t, e).Receive("x"))
	e.spares.fail()
	if _, err := e.NewHandler(gatewaytest.NewDevice()); !gateway.ReasonOf(err).Is(gateway.ReasonHandlerUnavailable) {
		t.Errorf("got %v", err)
	}
	s.current.Store(in)
}

// A device that connects just when the shard gets its next instance is not refused.
func TestConnectionWhenTheInstanceHasStarted(t *testing.T) {
	e := engine(t, Config{Module: file(t, "hostile"), Shards: 1})
	eventually(t, "a spare", func() bool {
		e.spares.mu.Lock()
		defer e.spares.mu.Unlock()
		return e.spares.ready != nil
	})
	s := e.shards[0]
	for range 20 {
		e.spares.mu.Lock()
		in, looks := s.current.Swap(nil), e.next.Load()
		e.spares.empty = append(e.spares.empty, s)
		refused := make(chan error)
		go func() {
			_, err := e.NewHandler(gatewaytest.NewDevice())
			refused <- err
		}()
		eventually(t, "a look for an instance", func() bool { return e.next.Load() > looks })
		s.current.Store(in)
		e.spares.empty = nil
		e.spares.mu.Unlock()
		must(t, <-refused)
	}
}

// Connections kept apart have an instance each, up to a bound, and share beyond it. Nothing is left when they close.
func TestApartIsBounded(t *testing.T) {
	set := NewMetrics(prometheus.NewRegistry())
	e := engine(t, Config{Module: file(t, "hostile"), Shards: 1, Metrics: set})
	a := e.apart[0]
	a.maxInstances = 2
	fail(t, e, "198.51.100.1", "t")
	eventually(t, "the shard has an instance", func() bool { return live(e) == 1 })
	devices := make([]*gatewaytest.Device, 5)
	for i := range devices {
		devices[i] = gatewaytest.ConnectFrom(t, e, "198.51.100.1")
	}
	if len(a.live) != 2 {
		t.Errorf("%d instances", len(a.live))
	}
	end(t, devices[0], "t")
	lost, left := lostOf(t, devices[1:])
	if lost < 1 || lost > 2 {
		t.Errorf("%d of 4 shared the instance of one", lost)
	}
	for _, d := range left {
		must(t, d.Handler.OnSocketClosed(gateway.ReasonTCPClosed))
	}
	if len(a.live) != 0 {
		t.Errorf("%d instances are left", len(a.live))
	}
	if got := testutil.ToFloat64(set.instances.WithLabelValues("test")); got != 1 {
		t.Errorf("%v instances are counted", got)
	}
	if got := testutil.ToFloat64(set.apart.WithLabelValues("test", suspects.Suspect)); got != 5 {
		t.Errorf("%v connections are counted as apart", got)
	}
}

// Connections of a suspect whose instances grow do not take more memory than the bound and one instance, but share.
func TestApartMemoryIsBounded(t *testing.T) {
	e := engine(t, Config{Module: file(t, "hostile"), Shards: 1})
	a := e.apart[0]
	a.maxBytes = 5 * 16 << 20
	fail(t, e, "198.51.100.1", "t")
	var devices []*gatewaytest.Device
	for range 10 {
		d := gatewaytest.ConnectFrom(t, e, "198.51.100.1")
		must(t, d.Receive("g")) // to 16 MiB
		devices = append(devices, d)
	}
	if n := len(a.live); n >= len(devices) || a.memory() > a.maxBytes+16<<20 {
		t.Errorf("%d instances for %d connections hold %d bytes, the bound is %d", n, len(devices), a.memory(),
			a.maxBytes)
	}
	for _, d := range devices {
		must(t, d.Handler.OnSocketClosed(gateway.ReasonTCPClosed))
	}
}

// The memory of a dead instance is freed before its connections have closed.
func TestDeadInstanceHoldsNoMemory(t *testing.T) {
	e := engine(t, Config{Module: file(t, "hostile"), Shards: 1})
	d := gatewaytest.Connect(t, e)
	in := instanceOf(d)
	end(t, d, "t")
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.module != nil || in.memory != nil || in.fuel != nil || in.refused != nil {
		t.Error("it refers to its module")
	}
}

// blocking is an adapter whose Resume waits.
type blocking struct {
	*gatewaytest.Device
	entered, release chan struct{}
}

func (b blocking) Resume() gateway.Result {
	close(b.entered)
	<-b.release
	return gateway.OK
}

// A connection that is opened while another's event ends the instance gets the next instance.
func TestConnectionAtADyingInstance(t *testing.T) {
	resume := signature("exproto_v1", "resume")
	e := engine(t, Config{Module: importing("exproto_v1", "resume", append(call(resume), 0x00)), Shards: 1})
	b := blocking{&gatewaytest.Device{Name: "bad"}, make(chan struct{}), make(chan struct{})}
	h, err := e.NewHandler(b)
	must(t, err)
	must(t, h.OnSocketCreated(gatewaytest.Info))
	in := h.(*connection).instance
	fault := make(chan error)
	go func() { fault <- h.OnReceivedBytes([]byte("y")) }()
	<-b.entered
	come := make(chan *gatewaytest.Device)
	go func() { come <- gatewaytest.ConnectFrom(t, e, "203.0.113.1") }()
	eventually(t, "the connection waits", func() bool { return in.waiting.Load() == 2 })
	close(b.release)
	if err := <-fault; !gateway.ReasonOf(err).Is(gateway.ReasonGuestTrap) {
		t.Errorf("got %v", err)
	}
	if d := <-come; instanceOf(d) == in || d.Receive("x") != nil {
		t.Error("the connection is at the dead instance")
	}
}
