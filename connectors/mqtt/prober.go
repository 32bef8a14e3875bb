package mqtt

import (
	"cmp"
	"slices"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"github.com/exgate/exgate/runtime/gateway"
)

// proberIdle, times Config.ReconnectDelay, is how long the prober stays connected without anything to try.
const proberIdle = 10

// proberPatience, times Config.ReconnectDelay, is how long a suspect lets others overtake it.
const proberPatience = 60

// prober is the gateway's client that tries suspects of its other clients, so that a connection that ends for one of them carries nothing else.
type prober struct {
	client
	idleSince time.Time // guarded by client.mu
}

var _ owner = (*prober)(nil)

// tryElsewhere has the prober try a call and passes on what came of it.
func (b *broker) tryElsewhere(k call, f func(verdict)) {
	k.id, k.seq, k.stored, k.done, k.onTrial, k.alone, k.released, k.deadline = 0, 0, 0, nil, false, false, false, time.Time{}
	if k.kind == resubscribing {
		k.kind = subscribing
	}
	k.verdict = f
	for {
		p := b.theProber()
		if p == nil || b.proberRefused.Load() {
			f(verdict{unavailable: true})
			return
		}
		k.queue = &p.ownQueue
		p.mu.Lock()
		if p.ended {
			p.mu.Unlock()
			continue
		}
		p.insert(&k)
		cb := p.try()
		p.mu.Unlock()
		cb.run()
		return
	}
}

// insert puts a call before those that more speaks against, unless they have waited for long: devices that offend, and calls that connections ended for,
// wait behind the others. mu must be held.
func (p *prober) insert(k *call) {
	k.onTrial, k.inserted = true, time.Now()
	at := len(p.trials)
	for at > 0 && k.mayOvertake(p.trials[at-1], proberPatience*p.broker.cfg.ReconnectDelay) {
		at--
	}
	p.trials = slices.Insert(p.trials, at, k)
}

func (c *call) mayOvertake(other *call, patience time.Duration) bool {
	less := cmp.Or(cmp.Compare(c.offences, other.offences), cmp.Compare(c.against(), other.against()), cmp.Compare(c.doubt(), other.doubt())) < 0
	return less && c.inserted.Sub(other.inserted) < patience
}

// against is what speaks against a call of the prober. Calls of a device that is held for its QoS 0 have no ends of their own, but they do not overtake
// the suspects of others: a device that sends without pause would keep those waiting.
func (c *call) against() int { return max(c.ends, suspectAt) }

// doubt is 0 for a call of a lane for which the broker has acknowledged something.
func (c *call) doubt() int {
	if c.proven {
		return 0
	}
	return 1
}

// theProber is nil once the broker is closed.
func (b *broker) theProber() *prober {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.isClosed() {
		return nil
	}
	if b.probing == nil {
		p := &prober{}
		p.prober = p
		b.initOwn(&p.client, "suspects", p)
		b.probing = p
		p.reconnect()
	}
	return b.probing
}

// retire ends a prober that has nothing to do.
func (p *prober) retire(now time.Time) {
	p.mu.Lock()
	if p.isTrying() || p.idleSince.IsZero() {
		p.idleSince = now
	}
	idle := now.Sub(p.idleSince) >= proberIdle*p.broker.cfg.ReconnectDelay
	if idle {
		p.broker.mu.Lock()
		if p.broker.probing == p {
			p.broker.probing = nil
		}
		p.broker.mu.Unlock()
	}
	p.mu.Unlock()
	if idle {
		p.leave()
	}
}

// refused hands back what the prober was to try: the broker does not let it connect. The other clients try their own suspects from now on.
func (p *prober) refused(err error) {
	p.broker.proberRefused.Store(true)
	p.broker.log.Warn("the broker does not let the gateway connect to try suspicious messages; they are tried on the connections of devices "+
		"(upstream.username)", "client_id", p.id, "error", err)
	p.mu.Lock()
	cb := p.handBack()
	p.broker.mu.Lock()
	if p.broker.probing == p {
		p.broker.probing = nil
	}
	p.broker.mu.Unlock()
	p.mu.Unlock()
	cb.run()
	p.leave()
}

// handBack must be called with mu held.
func (p *prober) handBack() (cb callbacks) {
	for _, k := range append(p.trying, p.trials...) {
		f := k.verdict
		cb.then(func() { f(verdict{unavailable: true}) })
	}
	p.trying, p.trials = nil, nil
	return cb
}

func (*prober) message(*paho.Publish)    {}
func (*prober) resuming(bool)            {}
func (*prober) connected(bool)           {}
func (*prober) lost(gateway.CloseReason) {}
