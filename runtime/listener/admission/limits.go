package admission

import (
	"sync"
	"sync/atomic"
)

// TotalLimit bounds the connections of all listeners that share it. A nil *TotalLimit is unlimited.
type TotalLimit struct{ connLimit }

// NewTotalLimit allows maximum connections. If maximum is zero or less, it is unlimited.
func NewTotalLimit(maximum int) *TotalLimit {
	return &TotalLimit{connLimit{maximum: int64(maximum)}}
}

func (t *TotalLimit) enter() bool { return t == nil || t.connLimit.enter() }

func (t *TotalLimit) leave() {
	if t != nil {
		t.connLimit.leave()
	}
}

// connLimit counts connections up to a maximum; without a maximum it only counts.
type connLimit struct {
	maximum int64
	taken   atomic.Int64
}

func (p *connLimit) enter() bool {
	for {
		taken := p.taken.Load()
		if p.maximum > 0 && taken >= p.maximum {
			return false
		}
		if p.taken.CompareAndSwap(taken, taken+1) {
			return true
		}
	}
}

func (p *connLimit) leave() { p.taken.Add(-1) }

// sourceLimit counts the connections of each source. It uses 35 bytes for each source connected at once.
type sourceLimit struct {
	maximum int
	shards  [1 << sourceShardBits]sourceShard
}

// sourceShardBits: many shards reduce lock contention between sources.
const sourceShardBits = 5

type sourceShard struct {
	mu    sync.Mutex // guards taken
	taken map[source]int
}

// newSourceLimit returns nil, which is unlimited, for a maximum of zero.
func newSourceLimit(maximum int) *sourceLimit {
	if maximum == 0 {
		return nil
	}
	p := &sourceLimit{maximum: maximum}
	for i := range p.shards {
		p.shards[i].taken = make(map[source]int)
	}
	return p
}

// shard spreads neighbouring addresses. Sources of one shard share a lock, which is held briefly.
func (p *sourceLimit) shard(s source) *sourceShard {
	const golden = 0x9e3779b97f4a7c15 // 2^64 over the golden ratio
	return &p.shards[s.bits*golden>>(64-sourceShardBits)]
}

func (p *sourceLimit) enter(s source) bool {
	if p == nil || s.kind == sourceNone {
		return true
	}
	shard := p.shard(s)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	taken := shard.taken[s]
	if taken >= p.maximum {
		return false
	}
	shard.taken[s] = taken + 1
	return true
}

func (p *sourceLimit) leave(s source) {
	if p == nil || s.kind == sourceNone {
		return
	}
	shard := p.shard(s)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if taken := shard.taken[s]; taken > 1 {
		shard.taken[s] = taken - 1
		return
	}
	delete(shard.taken, s)
}
