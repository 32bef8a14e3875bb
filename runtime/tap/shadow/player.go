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

// player plays a connection to the handler that shadows it.
type player struct {
	conn         *comparison.Conn // nil before the first record
	secrets      redact.Secrets
	loggedIn     bool // the password is known
	unredactable bool // and cannot be covered
	broken       bool // the handler panicked
	differs      bool
	failed       bool
	closed       bool
}

// play gives the handler a part of what happened. It returns why that cannot go on.
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

// learn takes the password out of a login.
func (p *player) learn(r *tap.Record) {
	if r.Kind == tap.Authenticate {
		p.loggedIn = true
		p.unredactable = p.unredactable || !p.secrets.Add(r.Password)
	}
}

// survive makes a panic of the second handler a failure of it.
func (p *player) recoverPanic(s *Shadow, id string) {
	if thrown := recover(); thrown != nil {
		p.broken = true
		s.log("the shadow panicked", "conn", id, "panic", fmt.Sprint(thrown), "stack", string(debug.Stack()))
		p.fail(s, id, fmt.Errorf("panic: %v", thrown))
	}
}

// look reports what is new.
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

// differ reports the first difference of the connection. Before a login nothing of it is shown: a password could be in there.
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
	s.log("the shadow calls something else", "conn", id, "kind", d.Kind, "live", live, "shadow", shadow)
}

// end is the last that happens, to a shadow that was given up or whose connection has closed.
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
