package udp

import "time"

const (
	// sweepRounds is how often each peer is checked within one idle timeout.
	sweepRounds = 8
	// sweepMin keeps short timeouts from making the sweep a busy loop.
	sweepMin = time.Millisecond
)

// sweep notifies idle peers, one shard a tick, and counts what the kernel dropped, until the mux has ended.
func (m *Mux) sweep() {
	tick := time.NewTicker(max(m.cfg.idleTimeout/sweepRounds/shardCount, sweepMin))
	defer tick.Stop()
	var found []*Peer
	var overflowed uint32
	for i := 0; ; i = (i + 1) % shardCount {
		select {
		case <-m.ended:
			return
		case <-tick.C:
			found = m.shards[i].idle(found[:0], m.Now()-m.cfg.idleTimeout)
			for _, p := range found {
				p.fallSilent()
			}
			clear(found)
			if i == 0 {
				now := m.socket.overflowed()
				m.cfg.losses[lostOverflow].Add(float64(now - overflowed))
				overflowed = now
			}
		}
	}
}

// idle appends the peers last heard before that time.
func (s *peerShard) idle(found []*Peer, before time.Duration) []*Peer {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.peers {
		if time.Duration(p.heard.Load()) <= before {
			found = append(found, p)
		}
	}
	return found
}

// fallSilent schedules a call of Idle, after the queued datagrams.
func (p *Peer) fallSilent() {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.silent = true
	if p.blocked {
		p.resumeUnlock()
		return
	}
	p.scheduleUnlock()
}
