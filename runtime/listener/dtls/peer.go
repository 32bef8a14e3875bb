package dtls

import (
	"sync"

	"github.com/exgate/exgate/runtime/listener/udp"
)

// peer is one address that datagrams come from, and the sessions behind it: one that lives, and one in its handshake.
// The second is beside the first where a device rebooted, or somebody says hello in its name: the first ends only if
// the second completes (RFC 6347, section 4.2.8).
type peer struct {
	listener *Listener
	path     *path

	mu      sync.Mutex // guards the fields below
	live    *session
	pending *session
	roaming *session // of another address, which came here
	closed  bool
}

var _ udp.Receiver = (*peer)(nil)

// receive runs on the goroutine that reads the socket.
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
	if pending != nil { // what is not for it, it cannot decrypt and ignores
		if w := pending.take(b, p.path); w == passed || live == nil || hello {
			why = w
		}
	}
	p.listener.drop(why)
	if live == nil && pending == nil {
		p.forget(nil)
	}
}

// drop counts a datagram that did not pass. What waits for a handler is counted as with UDP.
func (l *Listener) drop(why drop) {
	switch why {
	case passed:
	case dropPipeFull:
		l.mux.QueueFull()
	default:
		l.counters.drop(why)
	}
}

// sessions returns those behind p; a hello starts one where none is in its handshake.
func (p *peer) sessions(b []byte, hello bool) (live, pending *session, started bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if hello && p.pending == nil && !p.closed && (p.live == nil || p.listener.takesHello(p.path.peer.Addr(), b)) {
		p.pending = newSession(p)
		started = true
	}
	return p.live, p.pending, started
}

// roam hands s what came from this address instead of its own. The library moves there if it is authentic and new.
func (p *peer) roam(s *session, b []byte) {
	p.listener.drop(s.take(b, p.path))
	p.mu.Lock()
	if s != p.live && s != p.pending && s != p.roaming && !p.closed && s.addPath(p) {
		p.roaming = s
	}
	p.mu.Unlock()
	p.forget(nil)
}

// promote makes s the live session, and returns the one that it replaces.
func (p *peer) promote(s *session) (replaced *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	replaced, p.live, p.pending = p.live, s, nil
	return replaced
}

// hasLive reports whether a session lives here.
func (p *peer) hasLive() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.live != nil
}

// forget takes s out; nil takes nothing out. An address without a session is closed.
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

// Idle comes from the mux after a minute without datagrams: an address that a session has roamed away from is closed.
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
