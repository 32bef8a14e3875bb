package dtls

import (
	"sync"

	"github.com/exgate/exgate/runtime/listener/udp"
)

// peer is one source address and its sessions: a live one, and one in its handshake. Both exist if a device rebooted,
// or if an attacker sends a hello in its name: the first ends only if the second completes (RFC 6347, section 4.2.8).
type peer struct {
	listener *Listener
	path     *path

	mu      sync.Mutex // guards the fields below
	live    *session
	pending *session
	roaming *session // of another address, which roamed here
	closed  bool
}

var _ udp.Receiver = (*peer)(nil)

// Ready reports true: Receive never waits.
func (p *peer) Ready(func()) bool { return true }

func (p *peer) Receive(b []byte) {
	if s := p.listener.roamer(b); s != nil {
		p.roam(s, b)
		return
	}
	hello := isHello(b)
	live, pending, started := p.sessions(b, hello)
	if started {
		go pending.run()
	}
	why := dropNotHello
	if live != nil && !hello {
		why = live.take(b, p.path)
	}
	if pending != nil { // it ignores what it cannot decrypt
		if w := pending.take(b, p.path); w == passed || live == nil || hello {
			why = w
		}
	}
	p.listener.drop(why)
	if live == nil && pending == nil {
		p.forget(nil)
	}
}

// drop counts a dropped datagram. A full queue is counted as with UDP.
func (l *Listener) drop(why drop) {
	switch why {
	case passed:
	case dropPipeFull:
		l.mux.QueueFull()
	default:
		l.counters.drop(why)
	}
}

// sessions returns the sessions of p. A hello starts one unless a handshake is pending.
func (p *peer) sessions(b []byte, hello bool) (live, pending *session, started bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if hello && p.pending == nil && !p.closed && (p.live == nil || p.listener.takesHello(p.path.peer.Addr(), b)) {
		p.pending = newSession(p)
		started = true
	}
	return p.live, p.pending, started
}

// roam passes s a datagram that came from this address instead of its own. The library switches to it if the record is
// authentic and new.
func (p *peer) roam(s *session, b []byte) {
	p.listener.drop(s.take(b, p.path))
	p.mu.Lock()
	if s != p.live && s != p.pending && s != p.roaming && !p.closed && s.addPath(p) {
		p.roaming = s
	}
	p.mu.Unlock()
	p.forget(nil)
}

// promote makes s the live session and returns the session it replaces.
func (p *peer) promote(s *session) (replaced *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	replaced, p.live, p.pending = p.live, s, nil
	return replaced
}

// hasLive reports whether p has a live session.
func (p *peer) hasLive() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.live != nil
}

// forget removes s, which may be nil. An address without a session is closed.
func (p *peer) forget(s *session) {
	p.mu.Lock()
	for _, slot := range []**session{&p.live, &p.pending, &p.roaming} {
		if *slot == s {
			*slot = nil
		}
	}
	empty := p.live == nil && p.pending == nil && p.roaming == nil
	p.closed = p.closed || empty
	p.mu.Unlock()
	if empty {
		p.path.peer.Close()
	}
}

// Idle is called after a minute without datagrams. It closes an address that a session has roamed away from.
func (p *peer) Idle() {
	p.mu.Lock()
	s := p.roaming
	p.mu.Unlock()
	if s != nil && s.path.Load() != p.path {
		s.leavePath(p)
		p.forget(s)
	}
}

func (p *peer) Ended() {}
