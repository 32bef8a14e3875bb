package conformance

import (
	"errors"

	"github.com/exgate/exgate/hostabi"
)

// start makes an instance for the check name.
func (r *run) start(name string, config []byte) (*trial, error) {
	t := &trial{run: r, name: name, calls: newWitness(&r.seen), lastConn: firstConn}
	guest, err := r.host.Start(r.ctx, config, t.calls)
	if err != nil {
		return nil, err
	}
	t.guest = guest
	return t, nil
}

// starts looks at the start with the configuration and without one. It reports false where nothing else can be looked
// at.
func (r *run) starts() bool {
	r.options.Progress("start")
	t, err := r.start("start", r.options.Config)
	if err != nil {
		r.add("start", Fail, "%v", err)
		return false
	}
	r.add("start", Pass, "it starts and takes %d bytes of configuration", len(r.options.Config))
	t.end()
	if len(r.options.Config) > 0 {
		r.startsEmpty()
	}
	return true
}

// startsEmpty looks at the start without a configuration, where the other checks have one.
func (r *run) startsEmpty() {
	const name = "start_without_configuration"
	t, err := r.start(name, nil)
	var refused *hostabi.RefusedError
	switch {
	case errors.As(err, &refused):
		r.add(name, Pass, "it refuses to start without a configuration, with %d", refused.Code)
	case err != nil:
		r.add(name, Fail, "%v: a refusal is a result of exproto_v1_init and not a fault", err)
	default:
		t.end()
		r.add(name, Pass, "it starts without a configuration too")
	}
}
