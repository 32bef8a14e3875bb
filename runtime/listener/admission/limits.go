package admission

import (
	"sync"
	"sync/atomic"
)

// TotalLimit bounds the connections of all listeners that share it. A nil *TotalLimit is unlimited.
type TotalLimit struct{ connLimit }

// NewTotalLimit allows maximum connections. If maximum is zero or less, it is unlimited.
func NewTotalLimit(maximum int) *TotalLimit {
	t := new(TotalLimit)
	t.Set(maximum)
	return t
}

// Set changes the maximum. Open connections beyond it stay.
func (t *TotalLimit) Set(maximum int) { t.maximum.Store(int64(maximum)) }

func (t *TotalLimit) enter() bool { return t == nil || t.connLimit.enter() }

func (t *TotalLimit) leave() {
	if t != nil {
		t.connLimit.leave()
	}
}

// connLimit counts connections up to a maximum; without a maximum it only counts.
type connLimit struct {
	maximum atomic.Int64
	taken   atomic.Int64
}

func (p *connLimit) enter() bool {
	for {
		taken, maximum := p.taken.Load(), p.maximum.Load()
		if maximum > 0 && taken >= maximum {
			return false
		}
		if p.taken.CompareAndSwap(taken, taken+1) {
			return true
		}
	}
}

func (p *connLimit) leave() { p.taken.Add(-1) }

// sourceLimit counts the connections of each source. It uses 35 bytes for each source connected at once. Without a
// maximum it counts nothing.
type sourceLimit struct {
	maximum atomic.Int64
	shards  [1 << sourceShardBits]sourceShard
}

// sourceShardBits: many shards reduce lock contention between sources.
const sourceShardBits = 5

type sourceShard struct {
	mu    sync.Mutex // guards taken
	taken map[source]int
}

// shard spreads neighbouring addresses. Sources of one shard share a lock, which is held briefly.
func (p *sourceLimit) shard(s source) *sourceShard {
	const golden = 0x9e3779b97f4a7c15 // 2^64 over the golden ratio
	return &p.shards[s.bits*golden>>(64-sourceShardBits)]
}

// enter reports whether s was counted, and whether it may connect.
func (p *sourceLimit) enter(s source) (counted, ok bool) {
	maximum := int(p.maximum.Load())
	if maximum == 0 || s.kind == sourceNone {
		return false, true
	}
	shard := p.shard(s)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	taken := shard.taken[s]
	if taken >= maximum {
		return false, false
	}
	if shard.taken == nil {
		shard.taken = make(map[source]int)
	}
	shard.taken[s] = taken + 1
	return true, true
}

// leave must be called once for each source that enter has counted.
func (p *sourceLimit) leave(s source) {
	shard := p.shard(s)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if taken := shard.taken[s]; taken > 1 {
		shard.taken[s] = taken - 1
		return
	}
	delete(shard.taken, s)
}
