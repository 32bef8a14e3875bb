package conformance

import (
	"context"
	"fmt"
	"slices"

	"github.com/exgate/exgate/hostabi"
)

// Host runs the guest under test.
type Host interface {
	// Start makes a fresh instance with a configuration. Its calls go to calls. An error says how the start failed, and
	// holds a [*hostabi.RefusedError] where exproto_v1_init did not return 0.
	Start(ctx context.Context, config []byte, calls hostabi.Host) (Guest, error)
}

// Guest is one instance. An error of an event is a fault: a trap, an exit, a limit that was passed. Nothing is called
// after it but Close.
type Guest interface {
	Bytes(conn int64, b []byte) (hostabi.Action, error)
	// Event delivers a body as it is. One that is larger than the receive buffer is offered, and dropped where the
	// guest refuses.
	Event(kind hostabi.Kind, conn, arg int64, body []byte) (hostabi.Action, error)
	// Memory is the size of the memory, in bytes.
	Memory() uint64
	// Fuel is what the last event used and what it might use. It is not ok where the host does not meter.
	Fuel() (used, allowed uint64, ok bool)
	Close(ctx context.Context) error
}

// Options are how a guest is looked at.
type Options struct {
	// Config is the guest's configuration in all checks but the one of an empty configuration. If zero, empty.
	Config []byte
	// Samples are what devices send: frames or whole sessions. If zero, text lines, JSON and binary frames that few
	// protocols take.
	Samples [][]byte
	// Only names the scenarios to run. If zero, all.
	Only []string
	// Progress is called before each check. If zero, nothing is.
	Progress func(check string)
}

// Run looks at a guest in every way that a gateway can treat it. It ends early where the guest does not start.
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

// run is one report in the making.
type run struct {
	ctx     context.Context
	host    Host
	options Options
	report  Report
	seen    sightings
}

// sightings are what is looked for in all scenarios.
type sightings struct {
	events    int
	badAction string // the first
	foreign   string // the first call for a connection that was never given
	late      string // the first call for a connection after its CLOSED
	inClosed  string // the first call for a connection inside its CLOSED
	fuel      uint64 // of the event that used most of what it might
	allowed   uint64 // by it
	fuelOf    string // that event
	metered   bool
}

func (r *run) add(name string, v Verdict, format string, args ...any) {
	r.report.Checks = append(r.report.Checks, Check{Name: name, Verdict: v, Why: fmt.Sprintf(format, args...)})
}

// check runs a scenario in an instance of its own.
func (r *run) check(s scenario) {
	r.options.Progress(s.name)
	if err := r.ctx.Err(); err != nil {
		r.add(s.name, Fail, "it was not run: %v", err)
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
