package mqtt

import "time"

const (
	outageWindow = 250 * time.Millisecond // how far apart the losses of one outage may be
	outageLosses = 8                      // fewer are no outage: two gateways may have the same few devices
)

// outage is a moment in which connections were lost without a reason. One that takes most of many connections is the broker's or the network's: another
// client with a client id of ours takes one at a time.
type outage struct {
	at        time.Time // of the first loss
	connected int       // connections at that time; guarded by broker.mu, as below
	lost      int       // clients that were cut off
}

// outageAt returns the outage that a client's loss is part of, and counts the client there; last is that of the loss before.
func (b *broker) outageAt(now time.Time, last *outage) *outage {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.outage == nil || now.Sub(b.outage.at) > outageWindow {
		b.outage = &outage{at: now, connected: len(b.links)}
	}
	if b.outage != last {
		b.outage.lost++
	}
	return b.outage
}

// loneLosses is how many of the outages were of few connections: in any other outageLosses clients were cut off, and more than half of all.
func (b *broker) loneLosses(outages []*outage) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, o := range outages {
		if o.lost < outageLosses || 2*o.lost <= o.connected {
			n++
		}
	}
	return n
}
