package probe

import (
	"slices"
	"strings"
	"testing"

	"github.com/exgate/exgate/hostabi"
	"github.com/exgate/exgate/hostabi/guesttest"
)

// conn does not fit 32 bits.
const conn = 1<<40 + 7

// suite is a module under test.
type suite struct {
	module []byte
	cfg    guesttest.Config
}

// Run runs a probe through every scenario. cfg sets its memory; each scenario sets cfg.Config.
func Run(t *testing.T, module []byte, cfg guesttest.Config) { RunExcept(t, module, cfg) }

// RunExcept is Run without some scenarios, for guests that cannot make all calls of the contract yet.
func RunExcept(t *testing.T, module []byte, cfg guesttest.Config, except ...string) {
	s := suite{module, cfg}
	for _, scenario := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"configuration", s.configuration},
		{"created", s.created},
		{"commands", s.commands},
		{"usage", s.usage},
		{"calls", s.calls},
		{"refusals", s.refusals},
		{"results", s.results},
		{"actions", s.actions},
		{"messages", s.messages},
		{"properties", s.properties},
		{"timer and drain", s.timerAndDrain},
		{"state", s.state},
		{"lines", s.lines},
		{"framers", s.framers},
		{"refused framers", s.refusedFramers},
		{"vectors", s.vectors},
		{"unknown kinds", s.unknownKinds},
		{"many connections", s.manyConnections},
		{"trap", s.trap},
	} {
		if !slices.Contains(except, scenario.name) {
			t.Run(scenario.name, scenario.run)
		}
	}
}

// device is a connection to the probe.
type device struct {
	*guesttest.Guest
	t *testing.T
}

// start loads the probe and connects a device.
func (s suite) start(t *testing.T) device {
	t.Helper()
	d := device{guesttest.Load(t, s.module, s.cfg), t}
	d.Created(conn, hostabi.ConnInfo{})
	d.Sent(conn)
	return d
}

// sends delivers b and checks the output and the action.
func (d device) sends(b, answer string, action hostabi.Action) {
	d.t.Helper()
	got := d.Bytes(conn, b)
	d.answered(abbreviated(b), answer)
	if got != action {
		d.t.Errorf("%s got action %d, want %d", abbreviated(b), got, action)
	}
}

// says is sends for input after which the guest continues.
func (d device) says(lines, answer string) {
	d.t.Helper()
	d.sends(lines, answer, hostabi.ActionContinue)
}

// answered checks what the device was sent after an event.
func (d device) answered(because, answer string) {
	d.t.Helper()
	if got := d.Sent(conn); got != answer {
		d.t.Errorf("%s was answered\n%q, want\n%q", because, got, answer)
	}
}

// called checks the calls made by the probe; CONN in want stands for the connection.
func (d device) called(want string) {
	d.t.Helper()
	if got := strings.ReplaceAll(d.Calls(), "1099511627783", "CONN"); got != want {
		d.t.Errorf("the probe called\n%s\nwant\n%s", got, want)
	}
}

func abbreviated(b string) string {
	if len(b) > 60 {
		return b[:60] + "..."
	}
	return strings.TrimSuffix(b, "\n")
}
