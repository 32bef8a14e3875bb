package shadow_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/tap"
	"github.com/exgate/exgate/runtime/tap/shadow"
	"github.com/exgate/exgate/runtime/tap/taptest"
	"github.com/exgate/exgate/runtime/wasm"
	"github.com/exgate/exgate/runtime/wasm/enginetest"
	"github.com/exgate/exgate/wasm-examples/line"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stage is a gateway with a shadowed handler, its metrics and its log.
type stage struct {
	*taptest.Gate
	registry *prometheus.Registry
	log      *bytes.Buffer // to be read after Stop
}

// shadowed serves live with a shadow. Bounds, if any, are those of its queues.
func shadowed(t *testing.T, live gateway.HandlerFactory, cfg shadow.Config, bounds ...[2]int) *stage {
	t.Helper()
	s := &stage{registry: prometheus.NewRegistry(), log: new(bytes.Buffer)}
	cfg.Name, cfg.Metrics, cfg.Logger = "live", shadow.NewMetrics(s.registry), slog.New(slog.NewTextHandler(s.log, nil))
	beside, err := shadow.New(cfg)
	taptest.Must(t, err)
	for _, b := range bounds {
		beside.SetBounds(b[0], b[1])
	}
	s.Gate = taptest.Serve(t, tap.Around(live, beside))
	return s
}

// counted is each counter that is not 0, without the events.
func (s *stage) counted(t *testing.T) string {
	t.Helper()
	families, err := s.registry.Gather()
	taptest.Must(t, err)
	var all []string
	for _, f := range families {
		name := strings.TrimSuffix(strings.TrimPrefix(f.GetName(), "exgate_shadow_"), "_total")
		for _, m := range f.GetMetric() {
			last := m.GetLabel()[len(m.GetLabel())-1]
			if last.GetName() != "handler" {
				all = append(all, fmt.Sprintf("%s %s %v", name, last.GetValue(), m.GetCounter().GetValue()))
			} else if name != "events" {
				all = append(all, fmt.Sprintf("%s %v", name, m.GetCounter().GetValue()))
			}
		}
	}
	return strings.Join(all, ", ")
}

// greeting is the line protocol with another greeting.
func greeting(t *testing.T, text string) *wasm.Engine {
	e, err := wasm.New(t.Context(), wasm.Config{
		Name: "shadow", Module: line.Module, GuestConfig: []byte(text),
		Logger: taptest.Quiet,
	})
	taptest.Must(t, err)
	return e
}

// converse plays a device that logs in, subscribes and publishes.
func converse(g *taptest.Gate, name string) {
	d := g.Dial()
	d.Hear("")
	d.Ask("pub a too early", "error: login first")
	d.Ask("login "+name+" u wrong-s3cret", "")
	d.Say("login " + name + " u p4s")
	d.Say("sw0rd\n")
	d.Hear("ok")
	d.Ask("sub demo/"+name, "ok")
	d.Say("pub1 demo/" + name + " hello\n")
	d.Hear("")
	d.Hear("") // ok, and the message
	d.Ask("frobnicate p4ssw0rd", "")
	d.Leave()
}

func TestSameModuleDoesTheSame(t *testing.T) {
	s := shadowed(t, enginetest.Line(t), shadow.Config{Factory: enginetest.Line(t), Posts: true})
	for i := range 20 {
		converse(s.Gate, fmt.Sprint("dev", i))
	}
	s.Stop()
	if got := s.counted(t); got != "connections 20" || s.log.Len() > 0 {
		t.Errorf("%s\n%s", got, s.log)
	}
}

// A thousand devices at once, all shadowed.
func TestThousandConnections(t *testing.T) {
	s := shadowed(t, enginetest.Line(t), shadow.Config{Factory: enginetest.Line(t), Posts: true})
	devices := make([]*taptest.Device, 1000)
	for i := range devices {
		devices[i] = s.Dial()
	}
	each := func(use func(i int, d *taptest.Device)) {
		var all sync.WaitGroup
		for worker := range 20 {
			all.Go(func() {
				for i := worker; i < len(devices); i += 20 {
					use(i, devices[i])
				}
			})
		}
		all.Wait()
	}
	each(func(i int, d *taptest.Device) {
		d.Hear("")
		d.Ask(fmt.Sprintf("login dev%d u p4ssw0rd", i), "ok")
	})
	for range 3 {
		each(func(i int, d *taptest.Device) {
			d.Say("pub a x\nping\n")
			d.Hear("pong")
			d.Ask(fmt.Sprintf("pub1 demo/%d hello", i), "ok")
		})
	}
	each(func(_ int, d *taptest.Device) { d.Leave() })
	s.Stop()
	if got := s.counted(t); got != "connections 1000" || s.log.Len() > 0 {
		t.Errorf("%s\n%.2000s", got, s.log)
	}
}

func TestOtherModuleDiffers(t *testing.T) {
	s := shadowed(t, enginetest.Line(t), shadow.Config{Factory: greeting(t, "hi"), Posts: true})
	converse(s.Gate, "a")
	converse(s.Gate, "b")
	s.Stop()
	if got := s.counted(t); got != "connections 2, differences send 2" {
		t.Error(got)
	}
	log := s.log.String()
	if strings.Count(log, `msg="the shadow made a different call" handler=live conn=`) != 2 || strings.Contains(log,
		"s3cret") || strings.Contains(log, "p4ssw0rd") {
		t.Errorf("logged\n%s", log)
	}
}

// talker is a handler that logs in by itself and then answers as the test says.
type talker struct {
	gateway.ConnectionAdapter
	says  func(t *talker, b []byte) error
	block <-chan struct{}
}

func (h *talker) NewHandler(a gateway.ConnectionAdapter) (gateway.ConnectionHandler, error) {
	return &talker{a, h.says, h.block}, nil
}
func (h *talker) Close(context.Context) error                { return nil }
func (h *talker) OnSocketCreated(gateway.ConnInfo) error     { return nil }
func (h *talker) OnReceivedBytes(b []byte) error             { return h.says(h, b) }
func (h *talker) OnTimerTimeout(gateway.TimerType) error     { return nil }
func (h *talker) OnReceivedMessages([]gateway.Message) error { return nil }
func (h *talker) OnSocketClosed(gateway.CloseReason) error   { return nil }

// echo answers with a line, and logs in with it.
func echo(suffix string) *talker {
	return &talker{says: func(t *talker, b []byte) error {
		t.Authenticate(gateway.ClientInfo{ClientID: "x"}, "p4ssw0rd", nil)
		t.Send([]byte(string(b[:len(b)-1]) + suffix + "\n"))
		return nil
	}}
}

func TestDifferencesAreShownWithoutThePassword(t *testing.T) {
	s := shadowed(t, echo(""), shadow.Config{Factory: echo("!")})
	d := s.Dial()
	d.Ask("my p4ssw0rd", "my p4ssw0rd")
	taptest.Must(t, d.Close())
	s.Stop()
	want := `kind=send live="send \"my ********\\n\"" shadow="send \"my ********!\\n\""`
	if !strings.Contains(s.log.String(), want) || strings.Contains(s.log.String(), "p4ssw0rd") {
		t.Errorf("logged\n%s\nwant\n%s", s.log, want)
	}
}

// Faults of the shadow do not affect the device.
func TestShadowThatFails(t *testing.T) {
	hostile, err := os.ReadFile("../../wasm/testdata/hostile.wasm")
	taptest.Must(t, err)
	for text, reason := range map[string]string{
		"t": "guest_trap", "l": "guest_out_of_fuel", "h": "guest_host_calls",
		"a": "guest_bad_action", "m": "guest_memory",
	} {
		live := &talker{says: func(t *talker, b []byte) error { t.Send(b); return nil }}
		s := shadowed(t, live, shadow.Config{Factory: enginetest.New(t, hostile)})
		d := s.Dial()
		for range 3 {
			d.Ask(text, text)
		}
		taptest.Must(t, d.Close())
		s.Stop()
		if got := s.counted(t); !strings.Contains(got, "failures "+reason+" 1") || !strings.Contains(got,
			"differences ") {
			t.Errorf("%s: %s\n%s", text, got, s.log)
		}
	}
}

func TestShadowThatPanics(t *testing.T) {
	s := shadowed(t, enginetest.Line(t), shadow.Config{Factory: &talker{says: func(*talker,
		[]byte,
	) error {
		panic("oh")
	}}, Posts: true})
	converse(s.Gate, "a")
	s.Stop()
	if got := s.counted(t); got != "connections 1, failures handler_failed 1" {
		t.Error(got)
	}
}

// A shadow that lags behind is dropped, and its device stays.
func TestShadowThatLags(t *testing.T) {
	for want, bounds := range map[string][2]int{"queue": {8 << 10, 1 << 20}, "total": {1 << 20, 8 << 10}} {
		block := make(chan struct{})
		factory := &talker{block: block, says: func(t *talker, _ []byte) error { <-t.block; return nil }}
		s := shadowed(t, enginetest.Line(t), shadow.Config{Factory: factory, Posts: true}, bounds)
		d := s.Dial()
		d.Hear("")
		for range 100 {
			d.Ask("ping", "pong")
		}
		if got := s.counted(t); got != "connections 1, dropped "+want+" 1" {
			t.Error(got)
		}
		d.Leave()
		close(block)
		s.Stop()
	}
}

// Connections outside of the sample cost nothing.
func TestSample(t *testing.T) {
	s := shadowed(t, enginetest.Line(t), shadow.Config{Factory: enginetest.Line(t), Posts: true, Sample: 1e-9})
	converse(s.Gate, "a")
	s.Stop()
	if got := s.counted(t); got != "connections 0" {
		t.Error(got)
	}
}

func TestWhatAShadowNeeds(t *testing.T) {
	for _, cfg := range []shadow.Config{
		{},
		{Name: "a"},
		{Name: "a", Factory: echo(""), Sample: 101},
		{Name: "a", Factory: echo(""), Sample: -1},
	} {
		if _, err := shadow.New(cfg); err == nil {
			t.Errorf("%+v", cfg)
		}
	}
}
