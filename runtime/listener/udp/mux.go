package udp

import (
	"context"
	"errors"
	"hash/maphash"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/exgate/exgate/runtime/listener/admission"
)

const shardCount = 64

// How long to wait after a failed read: doubled at each failure in a row.
const (
	readPauseMin = 5 * time.Millisecond
	readPauseMax = time.Second
)

// Mux creates a peer for each source of datagrams on one UDP socket. A peer has no goroutine of its own: a worker runs
// it while it has datagrams.
type Mux struct {
	socket  datagrams
	cfg     muxConfig
	started time.Time
	seed    maphash.Seed
	shards  [shardCount]peerShard
	peers   atomic.Int64
	workers workers
	stopped chan struct{} // closed by stop
	ended   chan struct{} // closed when the socket is

	budget peerBudget // owned by serve

	mu      sync.Mutex // guards the fields below
	serving bool
	closed  bool // the socket
}

type peerShard struct {
	mu    sync.Mutex
	peers map[netip.AddrPort]*Peer
}

func newMux(socket datagrams, cfg muxConfig) *Mux {
	m := &Mux{
		socket: socket, cfg: cfg, started: time.Now(), seed: maphash.MakeSeed(), stopped: make(chan struct{}),
		ended:  make(chan struct{}),
		budget: newPeerBudget(cfg.newPeers, cfg.newPeersPrefix),
	}
	m.workers.init(cfg.workers)
	for i := range m.shards {
		m.shards[i].peers = make(map[netip.AddrPort]*Peer)
	}
	return m
}

// NewMux opens the socket of cfg, with defaults for zero fields. Nothing is read before Serve. cfg.Admission admits
// peers.
func NewMux(ctx context.Context, cfg Config, hooks Hooks) (*Mux, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	cfg.setDefaults()
	socket, err := openSocket(ctx, cfg)
	if err != nil {
		return nil, err
	}
	admit := func(source netip.AddrPort) (admission.Ticket, bool) { return cfg.Admission.Admit(source.Addr()) }
	return newMux(socket, muxConfig{
		Hooks: hooks, admit: admit, idleTimeout: cfg.IdleTimeout, maxPeers: cfg.MaxPeers,
		newPeers: cfg.NewPeersPerSecond, newPeersPrefix: cfg.NewPeersPerPrefix,
		queueDatagrams: cfg.QueueDatagrams, queueBytes: queueBytes, workers: maxWorkers,
		losses: newLossCounters(cfg.Metrics, cfg.Name), log: cfg.Logger,
	}), nil
}

// Addr returns the address that the socket is bound to.
func (m *Mux) Addr() net.Addr { return net.UDPAddrFromAddrPort(m.socket.addr()) }

// Peers returns the number of peers.
func (m *Mux) Peers() int { return int(m.peers.Load()) }

// QueueLimit returns how much may wait for the receiver of one peer.
func (m *Mux) QueueLimit() (datagrams, bytes int) { return m.cfg.queueDatagrams, m.cfg.queueBytes }

// QueueFull counts a datagram for which a queue behind its receiver had no room.
func (m *Mux) QueueFull() { m.cfg.losses.add(lostQueueFull) }

// Serve reads the socket until Stop.
func (m *Mux) Serve() {
	m.mu.Lock()
	m.serving = true
	m.mu.Unlock()
	if m.cfg.idleTimeout > 0 {
		go m.sweep()
	}
	pause := readPauseMin
	for !m.isStopped() {
		n, err := m.socket.read()
		if err == nil {
			pause = readPauseMin
			m.dispatchAll(n)
		} else if !errors.Is(err, net.ErrClosed) {
			m.cfg.log.Error("reading UDP socket failed, retrying", "address", m.socket.addr(), "error", err)
			m.wait(pause)
			pause = min(2*pause, readPauseMax)
		}
	}
	m.mu.Lock()
	m.serving = false
	m.mu.Unlock()
	_ = m.closeIfDone()
}

func (m *Mux) wait(d time.Duration) {
	select {
	case <-time.After(d):
	case <-m.stopped:
	}
}

func (m *Mux) dispatchAll(n int) {
	now := m.Now()
	for i := range n {
		m.dispatch(m.socket.at(i), now)
	}
}

// dispatch queues one datagram for its peer.
func (m *Mux) dispatch(a arrival, now time.Duration) {
	if a.truncated {
		m.cfg.losses.add(lostTruncated)
		return
	}
	if p := m.find(a.source); p != nil && p.push(a, now) {
		return
	}
	if p := m.open(a, now); p != nil {
		p.push(a, now)
	}
}

// open makes the peer of an unknown source, or refuses and returns nil.
func (m *Mux) open(a arrival, now time.Duration) *Peer {
	ticket, reason, ok := m.admit(a, now)
	if !ok {
		m.cfg.losses.add(reason)
		return nil
	}
	p := &Peer{mux: m, addr: a.source, ticket: ticket, local: a.local}
	s := m.shard(a.source)
	s.mu.Lock()
	s.peers[a.source] = p
	s.mu.Unlock()
	m.peers.Add(1)
	return p
}

// admit runs every check that may refuse a new peer, the cheapest first.
func (m *Mux) admit(a arrival, now time.Duration) (ticket admission.Ticket, reason loss, ok bool) {
	if m.cfg.Screen != nil && !m.cfg.Screen(a.source, a.b) {
		return ticket, lostScreened, false
	}
	if m.peers.Load() >= int64(m.cfg.maxPeers) {
		return ticket, lostTooManyPeers, false
	}
	if !m.budget.take(a.source.Addr(), now) {
		return ticket, lostNewPeerRate, false
	}
	if m.cfg.admit != nil {
		ticket, ok = m.cfg.admit(a.source)
		return ticket, lostNotAdmitted, ok
	}
	return ticket, 0, true
}

func (m *Mux) find(source netip.AddrPort) *Peer {
	s := m.shard(source)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peers[source]
}

// forget removes p, so that the next datagram of its source makes another peer.
func (m *Mux) forget(p *Peer) {
	s := m.shard(p.addr)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.peers[p.addr] == p {
		delete(s.peers, p.addr)
	}
}

func (m *Mux) shard(source netip.AddrPort) *peerShard {
	ip := source.Addr().As16()
	b := [18]byte{16: byte(source.Port() >> 8), 17: byte(source.Port())}
	copy(b[:], ip[:])
	return &m.shards[maphash.Bytes(m.seed, b[:])%shardCount]
}

func (m *Mux) Now() time.Duration { return time.Since(m.started) }

func (m *Mux) isStopped() bool {
	select {
	case <-m.stopped:
		return true
	default:
		return false
	}
}

// Stop ends the reading. Peers stay and may write; the socket is closed when the last of them has ended. Calling it
// again does nothing.
func (m *Mux) Stop() error {
	m.mu.Lock()
	if m.isStopped() {
		m.mu.Unlock()
		return nil
	}
	close(m.stopped)
	m.mu.Unlock()
	m.socket.stop()
	return m.closeIfDone()
}

// peerEnded notes that a peer's receiver has seen its last call.
func (m *Mux) peerEnded() {
	if m.peers.Add(-1) == 0 {
		_ = m.closeIfDone()
	}
}

// closeIfDone closes the socket if it is no longer in use.
func (m *Mux) closeIfDone() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || m.serving || !m.isStopped() || m.peers.Load() > 0 {
		return nil
	}
	m.closed = true
	close(m.ended)
	return m.socket.close()
}
