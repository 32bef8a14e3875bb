package conformance

import (
	"errors"

	"github.com/exgate/exgate/hostabi"
)

// start creates an instance for the check name.
func (r *run) start(name string, config []byte) (*trial, error) {
	t := &trial{run: r, name: name, calls: newWitness(&r.seen), lastConn: firstConn}
	guest, err := r.host.Start(r.ctx, config, t.calls)
	if err != nil {
		return nil, err
	}
	t.guest = guest
	return t, nil
}

// starts checks that the guest starts with and without a configuration. It reports false if no other check can run.
func (r *run) starts() bool {
	r.options.Progress("start")
	t, err := r.start("start", r.options.Config)
	if err != nil {
		r.add("start", Fail, "%v", err)
		return false
	}
	r.add("start", Pass, "starts with %d bytes of configuration", len(r.options.Config))
	t.end()
	if len(r.options.Config) > 0 {
		r.startsEmpty()
	}
	return true
}

// startsEmpty checks that the guest starts without a configuration, if the other checks use one.
func (r *run) startsEmpty() {
	const name = "start_without_configuration"
	t, err := r.start(name, nil)
	var refused *hostabi.RefusedError
	switch {
	case errors.As(err, &refused):
		r.add(name, Pass, "refuses to start without a configuration, with %d", refused.Code)
	case err != nil:
		r.add(name, Fail, "%v: to refuse a configuration, return a number from exproto_v1_init instead of failing", err)
	default:
		t.end()
		r.add(name, Pass, "starts without a configuration too")
	}
}
