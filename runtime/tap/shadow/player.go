package shadow

import (
	"fmt"
	"runtime/debug"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/tap"
	"github.com/exgate/exgate/runtime/tap/internal/calldiff"
	"github.com/exgate/exgate/runtime/tap/internal/comparison"
	"github.com/exgate/exgate/runtime/tap/internal/redact"
)

// player plays a connection to its shadow.
type player struct {
	conn         *comparison.Conn // nil before the first record
	secrets      redact.Secrets
	loggedIn     bool // the device has logged in, so its password is known
	unredactable bool // its password cannot be covered
	broken       bool // the handler panicked
	differs      bool
	failed       bool
	closed       bool
}

// play plays a batch of records. It returns why the shadow must be dropped, or "".
func (p *player) play(s *Shadow, id string, batch []tap.Record) (giveUp string) {
	defer p.recoverPanic(s, id)
	if p.broken || len(batch) == 0 {
		return ""
	}
	if p.conn == nil {
		p.conn = comparison.Open(s.cfg.Factory, &batch[0], comparison.Config{ID: id, Posts: s.cfg.Posts, Wait: true})
	}
	for i := range batch {
		p.conn.Plan(&batch[i])
		p.learn(&batch[i])
	}
	for i := range batch {
		r := &batch[i]
		if r.Kind.Event() && r.Kind != tap.Posted {
			s.metrics.events.Inc()
		}
		p.closed = p.closed || r.Kind == tap.Closed
		p.conn.Play(r)
	}
	p.report(s, id)
	if p.conn.Apart() {
		return droppedApart
	}
	return ""
}

// learn adds the password of a login to the secrets.
func (p *player) learn(r *tap.Record) {
	if r.Kind == tap.Authenticate {
		p.loggedIn = true
		p.unredactable = p.unredactable || !p.secrets.Add(r.Password)
	}
}

// recoverPanic turns a panic of the shadow into a failure.
func (p *player) recoverPanic(s *Shadow, id string) {
	if thrown := recover(); thrown != nil {
		p.broken = true
		s.log("the shadow panicked", "conn", id, "panic", fmt.Sprint(thrown), "stack", string(debug.Stack()))
		p.fail(s, id, fmt.Errorf("panic: %v", thrown))
	}
}

// report reports a new failure or difference.
func (p *player) report(s *Shadow, id string) {
	p.fail(s, id, p.conn.Failure())
	p.differ(s, id, p.conn.Found())
}

func (p *player) fail(s *Shadow, id string, err error) {
	if err == nil || p.failed {
		return
	}
	p.failed = true
	reason := gateway.ReasonOf(err)
	s.metrics.failed(reason.Name)
	s.log("the shadow failed", "conn", id, "reason", reason.Name, "error", p.secrets.Text(reason.Detail))
}

// differ reports the first difference of the connection. Before a login it shows no bytes, which may contain a
// password.
func (p *player) differ(s *Shadow, id string, d *calldiff.Difference) {
	if d == nil || p.differs {
		return
	}
	p.differs = true
	s.metrics.differ(d.Kind)
	live, shadow := "not shown before a login", "not shown before a login"
	if p.loggedIn && !p.unredactable {
		live, shadow = d.Texts(&p.secrets)
	}
	s.log("the shadow made a different call", "conn", id, "kind", d.Kind, "live", live, "shadow", shadow)
}

// end ends a shadow that was dropped or whose connection has closed.
func (p *player) end(s *Shadow, id string, dropped string) {
	defer p.recoverPanic(s, id)
	if p.conn == nil {
		return
	}
	if dropped == "" && p.closed && !p.broken {
		p.differ(s, id, p.conn.Compare())
		p.fail(s, id, p.conn.Failure())
	}
	p.conn.Abandon(gateway.ReasonNormal)
}
