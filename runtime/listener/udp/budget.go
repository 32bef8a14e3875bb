package udp

import (
	"hash/maphash"
	"net/netip"
	"time"
)

// prefixSlots is how many buckets the source prefixes share. Collisions are rare, and the hash seed is secret.
const prefixSlots = 8192

// peerBudget bounds how many peers are made a second, in all and from one /24 (IPv4) or /64 (IPv6). It uses a fixed
// amount of memory, however many sources a flood claims.
type peerBudget struct {
	seed     maphash.Seed
	all      leakyBucket
	prefixes []leakyBucket
	rate     float64
	perSlot  float64
}

func newPeerBudget(rate, perPrefix float64) peerBudget {
	return peerBudget{
		seed: maphash.MakeSeed(), prefixes: make([]leakyBucket, prefixSlots), rate: rate,
		perSlot: perPrefix,
	}
}

// take counts a new peer of source, or refuses it. A prefix over its budget does not use up that of others.
func (b *peerBudget) take(source netip.Addr, now time.Duration) bool {
	return b.slot(source).take(now, b.perSlot) && b.all.take(now, b.rate)
}

func (b *peerBudget) slot(source netip.Addr) *leakyBucket {
	prefix := prefixOf(source)
	return &b.prefixes[maphash.Bytes(b.seed, prefix[:])%prefixSlots]
}

// prefixOf returns the /24 or /64 of an address.
func prefixOf(source netip.Addr) (prefix [9]byte) {
	ip := source.As16()
	if source.Is4() {
		prefix[0] = 4
		copy(prefix[1:], ip[12:15])
		return prefix
	}
	prefix[0] = 6
	copy(prefix[1:], ip[:8])
	return prefix
}

// leakyBucket holds at most one second's allowance. The zero value is empty.
type leakyBucket struct {
	level float64
	at    time.Duration
}

func (b *leakyBucket) take(now time.Duration, rate float64) bool {
	b.level = max(0, b.level-rate*(now-b.at).Seconds())
	b.at = now
	if b.level+1 > max(rate, 1) {
		return false
	}
	b.level++
	return true
}
