package dtls

import (
	"hash/maphash"
	"net/netip"
	"time"
)

// greylist remembers first ClientHellos by source and random, so that under a flood only repeated ones are accepted: a
// client repeats its hello after about a second, a sender of forged addresses does not. It uses 8 bytes a hello and
// never grows; see RATIONALE.md, "Why must a DTLS hello come twice under a flood?". It is not safe for concurrent use.
type greylist struct {
	seed  maphash.Seed
	start time.Time
	sets  [][greyWays]greyEntry // nil until it is needed
}

// greyEntry is one hello: 32 bits of its hash and its time of arrival in milliseconds.
type greyEntry struct {
	tag uint32
	at  uint32
}

const (
	// greySets and greyWays make 262,144 entries in 2 MiB: at 50,000 new hellos a second, 99% are kept for more than
	// two seconds.
	greySets = 1 << 15
	greyWays = 8
	// greyMin is the minimum time between a hello and its repetition: a datagram duplicated by the network counts once.
	greyMin = 200 * time.Millisecond
	// greyMax is how long a hello is remembered. Clients on slow radio links wait up to 9 s before they repeat it.
	greyMax = 15 * time.Second
)

func newGreylist() *greylist { return &greylist{seed: maphash.MakeSeed(), start: time.Now()} }

// repeated reports whether this hello was seen before, and records it if not.
func (g *greylist) repeated(source netip.AddrPort, hello []byte, now time.Time) bool {
	if g.sets == nil {
		g.sets = make([][greyWays]greyEntry, greySets)
	}
	hash := g.hash(source, hello)
	set, tag := &g.sets[hash%greySets], uint32(hash>>32)
	// no entry is zero; wrapping after 49 days is harmless
	ms := uint32(now.Sub(g.start).Milliseconds()) + 1
	oldest := 0
	for i := range set {
		age := time.Duration(ms-set[i].at) * time.Millisecond
		if set[i].tag == tag && set[i].at != 0 && age <= greyMax {
			return age >= greyMin
		}
		if set[i].at == 0 || set[oldest].at != 0 && ms-set[i].at > ms-set[oldest].at {
			oldest = i
		}
	}
	set[oldest] = greyEntry{tag, ms}
	return false
}

// hash covers the source and the client's random, which a repetition does not change. hello has passed isHello.
func (g *greylist) hash(source netip.AddrPort, hello []byte) uint64 {
	const random = recordHeader + handshakeHeader + 2
	var h maphash.Hash
	h.SetSeed(g.seed)
	ip := source.Addr().As16()
	_, _ = h.Write(ip[:])
	_, _ = h.Write([]byte{byte(source.Port() >> 8), byte(source.Port())})
	_, _ = h.Write(hello[random : random+32])
	return h.Sum64()
}
