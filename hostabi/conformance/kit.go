package conformance

import (
	"context"
	"fmt"
	"slices"

	"github.com/exgate/exgate/hostabi"
)

// Host runs the guest under test.
type Host interface {
	// Start creates a new instance with a configuration. The instance calls calls. An error says why the start failed,
	// and wraps a [*hostabi.RefusedError] if exproto_v1_init did not return 0.
	Start(ctx context.Context, config []byte, calls hostabi.Host) (Guest, error)
}

// Guest is one instance. An error from an event is a fault: a trap, an exit, an exceeded limit. After an error, only
// Close is called.
type Guest interface {
	Bytes(conn int64, b []byte) (hostabi.Action, error)
	// Event delivers a body. If the body is larger than the receive buffer, the host requests a larger one, and drops
	// the event if the guest refuses.
	Event(kind hostabi.Kind, conn, arg int64, body []byte) (hostabi.Action, error)
	// Memory returns the size of the memory, in bytes.
	Memory() uint64
	// Fuel returns how much fuel the last event used and how much it was allowed. ok is false if the host does not
	// meter.
	Fuel() (used, allowed uint64, ok bool)
	Close(ctx context.Context) error
}

// Options select what Run checks.
type Options struct {
	// Config is the guest's configuration in all checks except that of an empty configuration. If zero, empty.
	Config []byte
	// Samples are inputs of devices: frames or whole sessions. If zero, text lines, JSON and binary frames that few
	// protocols accept.
	Samples [][]byte
	// Only lists the scenarios to run. If zero, all.
	Only []string
	// Progress is called before each check. Optional.
	Progress func(check string)
}

// Run tests a guest in every way that a gateway may use it. It ends early if the guest does not start.
func Run(ctx context.Context, host Host, o Options) Report {
	if o.Samples == nil {
		o.Samples = defaultSamples()
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	r := &run{ctx: ctx, host: host, options: o}
	if !r.starts() {
		return r.report
	}
	for _, s := range scenarios() {
		if o.Only == nil || slices.Contains(o.Only, s.name) {
			r.check(s)
		}
	}
	r.conclude()
	return r.report
}

// run builds one report.
type run struct {
	ctx     context.Context
	host    Host
	options Options
	report  Report
	seen    sightings
}

// sightings are the faults that are looked for in all scenarios.
type sightings struct {
	events    int
	badAction string // the first
	foreign   string // the first call for a connection that was never given
	late      string // the first call for a connection after its CLOSED event
	inClosed  string // the first call for a connection inside its CLOSED event
	fuel      uint64 // of the event that used the largest share of its allowance
	allowed   uint64 // that event's allowance
	fuelOf    string // that event
	metered   bool
}

func (r *run) add(name string, v Verdict, format string, args ...any) {
	r.report.Checks = append(r.report.Checks, Check{Name: name, Verdict: v, Why: fmt.Sprintf(format, args...)})
}

// check runs a scenario in a new instance.
func (r *run) check(s scenario) {
	r.options.Progress(s.name)
	if err := r.ctx.Err(); err != nil {
		r.add(s.name, Fail, "not run: %v", err)
		return
	}
	t, err := r.start(s.name, r.options.Config)
	if err != nil {
		r.add(s.name, Fail, "starting: %v", err)
		return
	}
	why := s.run(t)
	t.end()
	switch {
	case t.fault != "" && s.lenient:
		r.add(s.name, Warn, "%s", t.fault)
	case t.fault != "":
		r.add(s.name, Fail, "%s", t.fault)
	case t.problem != "":
		r.add(s.name, Fail, "%s", t.problem)
	case t.warning != "":
		r.add(s.name, Warn, "%s", t.warning)
	default:
		r.add(s.name, Pass, "%s", why)
	}
}
