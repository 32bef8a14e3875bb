package rollout

import (
	"cmp"
	"errors"
	"net/netip"
	"time"
)

// Guard rolls a new version back if too many of its connections end by a fault of their own (a trap, an exit, a limit),
// during its trial as a canary and for a while after it has got all new connections.
//
// Each source, an IPv4 address or an IPv6 /64, has one vote, divided among its connections. The source with the most
// faults is left out, so that no single device can have a version rolled back. Where all connections of the module come
// from one source, as behind a proxy, connections are counted.
type Guard struct {
	// Period is how long the previous version is kept ready. If zero, 5 minutes.
	Period time.Duration

	// FaultPercent is the percentage of votes for a fault that is tolerated. If zero, 10. With 100, no version is
	// rolled back.
	FaultPercent int

	// MinConnections is the number of connections that a version must have had before it is judged. If zero, 20.
	MinConnections int
}

func (g Guard) withDefaults() Guard {
	return Guard{
		Period:         cmp.Or(g.Period, 5*time.Minute),
		FaultPercent:   cmp.Or(g.FaultPercent, 10),
		MinConnections: cmp.Or(g.MinConnections, 20),
	}
}

func (g Guard) check() error {
	if g.Period < 0 || g.FaultPercent < 0 || g.FaultPercent > 100 || g.MinConnections < 0 {
		return errors.New("a guard needs a period, a percentage and a number that are not negative")
	}
	return nil
}

// maxSources bounds the sources of a trial that are told apart. The others count as one.
const maxSources = 100_000

// sourceCount counts the connections of one source, and those that a fault of their own ended.
type sourceCount struct{ connections, faults int }

// votes counts the connections of a trial by source. Guarded by Module.mu.
type votes struct {
	connections int
	faults      int
	sources     map[netip.Prefix]*sourceCount
	faulty      map[netip.Prefix]*sourceCount // those of sources with a fault
}

func newVotes() votes {
	return votes{sources: make(map[netip.Prefix]*sourceCount), faulty: make(map[netip.Prefix]*sourceCount)}
}

func (v *votes) connected(source netip.Prefix) {
	source = v.known(source)
	if v.sources[source] == nil {
		v.sources[source] = new(sourceCount)
	}
	v.connections++
	v.sources[source].connections++
}

// faulted counts a fault of a connection that connected has counted.
func (v *votes) faulted(source netip.Prefix) {
	source = v.known(source)
	c := v.sources[source]
	v.faults++
	c.faults++
	v.faulty[source] = c
}

// known returns the source to count, which is the zero prefix for a new one if there are too many.
func (v *votes) known(source netip.Prefix) netip.Prefix {
	if v.sources[source] == nil && len(v.sources) >= maxSources {
		return netip.Prefix{}
	}
	return source
}

// exceed reports whether more than percent of the votes are for a fault. If the trial has seen one source only, alone
// says whether that is the only source of the module.
func (v *votes) exceed(percent int, alone func(source netip.Prefix) bool) bool {
	if len(v.faulty) == 0 {
		return false
	}
	if len(v.sources) == 1 {
		for source, c := range v.faulty {
			return c.faults*100 > percent*c.connections && alone(source)
		}
	}
	sum, most := 0.0, 0.0
	for _, c := range v.faulty {
		vote := float64(c.faults) / float64(c.connections)
		sum += vote
		most = max(most, vote)
	}
	return (sum-most)*100 > float64(percent*(len(v.sources)-1))
}
