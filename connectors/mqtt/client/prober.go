package client

import (
	"cmp"
	"slices"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"github.com/exgate/exgate/runtime/gateway"
)

// proberIdle, times Config.ReconnectDelay, is how long the prober stays connected when idle.
const proberIdle = 10

// proberPatience, times Config.ReconnectDelay, is how long a suspect may be overtaken by others.
const proberPatience = 60

// prober is the gateway's client that tries the suspects of its other clients, so that a connection that ends for a
// suspect carries nothing else.
type prober struct {
	Client
	idleSince time.Time // guarded by client.mu
}

var _ Owner = (*prober)(nil)

// tryElsewhere has the prober try a call and passes the outcome to f.
func (b *Broker) tryElsewhere(k call, f func(verdict)) {
	k.id, k.seq, k.stored, k.done, k.onTrial, k.alone, k.released, k.deadline = 0, 0, 0, nil, false, false, false,
		time.Time{}
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
		cb.Run()
		return
	}
}

// insert queues a call before those with more evidence against them, unless they have waited too long. mu must be held.
func (p *prober) insert(k *call) {
	k.onTrial, k.inserted = true, time.Now()
	at := len(p.trials)
	for at > 0 && k.mayOvertake(p.trials[at-1], proberPatience*p.broker.cfg.ReconnectDelay) {
		at--
	}
	p.trials = slices.Insert(p.trials, at, k)
}

func (k *call) mayOvertake(other *call, patience time.Duration) bool {
	less := cmp.Or(cmp.Compare(k.offences, other.offences), cmp.Compare(k.against(), other.against()),
		cmp.Compare(k.doubt(), other.doubt())) < 0
	return less && k.inserted.Sub(other.inserted) < patience
}

// against returns the evidence against a call of the prober. Calls of a queue that is diverted for its QoS 0 have no
// evidence of their own but must not overtake other suspects: a busy device would keep those waiting.
func (k *call) against() int { return max(k.ends, suspectAt) }

// doubt is 0 for calls of a proven queue.
func (k *call) doubt() int {
	if k.proven {
		return 0
	}
	return 1
}

// theProber returns the prober, or nil once the broker is closed.
func (b *Broker) theProber() *prober {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.isClosed() {
		return nil
	}
	if b.probing == nil {
		p := &prober{}
		p.prober = p
		b.initOwn(&p.Client, "suspects", p)
		b.probing = p
		p.reconnect()
	}
	return b.probing
}

// retire ends an idle prober.
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
		p.Leave()
	}
}

// refused hands back the prober's calls after the broker refused its CONNECT. From now on, clients try their own
// suspects.
func (p *prober) refused(err error) {
	p.broker.proberRefused.Store(true)
	p.broker.log.Warn("the broker does not let the gateway connect to try suspicious messages; they are tried on the "+
		"devices' own connections (upstream.username)", "client_id", p.id, "error", err)
	p.mu.Lock()
	cb := p.handBack()
	p.broker.mu.Lock()
	if p.broker.probing == p {
		p.broker.probing = nil
	}
	p.broker.mu.Unlock()
	p.mu.Unlock()
	cb.Run()
	p.Leave()
}

// handBack must be called with mu held.
func (p *prober) handBack() (cb Callbacks) {
	for _, k := range append(p.trying, p.trials...) {
		f := k.verdict
		cb.Then(func() { f(verdict{unavailable: true}) })
	}
	p.trying, p.trials = nil, nil
	return cb
}

func (*prober) Message(*paho.Publish)    {}
func (*prober) Resuming(bool)            {}
func (*prober) Connected(bool)           {}
func (*prober) Lost(gateway.CloseReason) {}
