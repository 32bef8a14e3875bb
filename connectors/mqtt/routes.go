package mqtt

import (
	"strings"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"github.com/exgate/exgate/connectors/internal/topic"
	"github.com/exgate/exgate/runtime/gateway"
)

const (
	maxFilters      = 1024      // of one device
	maxSubscription = 268435455 // the largest Subscription Identifier, MQTT 5, section 3.8.2.1.2
)

// routes are the subscriptions of devices on one carrier: who wants what, and what the broker was asked for. Calls are submitted with mu held, so that
// the broker gets them in the order of the changes here.
type routes struct {
	carrier *carrier

	mu     sync.Mutex
	by     map[string]*route    // by filter; guarded by mu, as all below
	ids    map[uint32]*question // by Subscription Identifier
	wild   topic.Index[*route]  // those of by with wildcards
	stale  map[string]struct{}  // filters that the broker may still have and nobody wants, from a lost connection
	lastID uint32
}

// join subscribes a device, and answers done when the broker has.
func (r *routes) join(filter string, sub *subscription, qos byte, done gateway.Done) {
	r.mu.Lock()
	if sub.gone {
		r.mu.Unlock()
		finish(done, gone)
		return
	}
	to := r.by[filter]
	if to == nil {
		to = r.open(filter)
	}
	fresh := sub.route == nil
	if fresh {
		to.add(sub)
	}
	sub.qos = qos
	to.waiting = append(to.waiting, asker{sub, fresh, done})
	told := r.ask(to)
	r.mu.Unlock()
	told.tell()
}

func (r *routes) open(filter string) *route {
	if r.by == nil {
		r.by, r.ids = map[string]*route{}, map[uint32]*question{}
	}
	to := &route{filter: filter}
	r.by[filter] = to
	if isWild(filter) {
		r.wild.Add(filter, to)
	}
	delete(r.stale, filter)
	return to
}

// ask sends a SUBSCRIBE for those who wait, unless one is under way. Each of them needs one, or it would not get the retained messages. While the
// connection is lost they go on waiting. It needs mu.
func (r *routes) ask(to *route) (told outcomes) {
	if to.asking || to.dead || len(to.waiting) == 0 {
		return nil
	}
	q := &question{id: r.nextID(), route: to, askers: to.waiting, at: time.Now()}
	k := call{
		kind: subscribing, topic: to.filter, qos: to.highest(), subID: q.id, lane: &r.carrier.house,
		done: func(result gateway.Result) { r.answered(q, result) },
	}
	switch result, sent := r.carrier.submitUp(&k); {
	case sent:
		to.waiting, to.asking = nil, true
		to.asked = append(to.asked, q)
		r.ids[q.id] = q
		r.prune(to, q.at)
	case !result.Ok():
		for _, a := range to.waiting {
			told = append(told, outcome{a.done, result})
		}
		to.waiting = nil
	}
	return told
}

// prune forgets the SUBSCRIBEs before the newest that are too old to matter.
func (r *routes) prune(to *route, now time.Time) {
	for len(to.asked) > 1 && now.Sub(to.asked[0].at) > memory {
		delete(r.ids, to.asked[0].id)
		to.asked = to.asked[1:]
	}
}

func isWild(filter string) bool { return strings.ContainsAny(filter, "+#") }

// matching lists the routes that a topic is for. It needs mu.
func (r *routes) matching(name string) []*route {
	matching := r.wild.Match(name, nil)
	if to := r.by[name]; to != nil {
		matching = append(matching, to)
	}
	return matching
}

func (r *routes) nextID() uint32 {
	for {
		r.lastID = r.lastID%maxSubscription + 1
		if _, taken := r.ids[r.lastID]; !taken {
			return r.lastID
		}
	}
}

// answered is called with the broker's answer to a SUBSCRIBE.
func (r *routes) answered(q *question, result gateway.Result) {
	r.mu.Lock()
	to := q.route
	to.asking = false
	var told outcomes
	for _, a := range q.askers {
		if a.done != nil {
			told = append(told, outcome{a.done, result})
		}
		if sub := a.sub; !result.Ok() && a.fresh && !sub.gone {
			sub.gone = true
			to.remove(sub)
			told.later(func() { sub.session.forget(sub, q.route.filter) })
		}
	}
	to.active = to.active || result.Ok()
	if len(to.members) == 0 && !to.dead {
		told = append(told, r.shut(to, nil)...)
	}
	told = append(told, r.ask(to)...)
	r.mu.Unlock()
	told.tell()
}

// part ends a device's subscription, and the broker's where it was the last.
func (r *routes) part(sub *subscription, done gateway.Done) {
	r.mu.Lock()
	var told outcomes
	to := sub.route
	first := !sub.gone
	sub.gone = true
	if first && to != nil {
		to.remove(sub)
	}
	if first && to != nil && len(to.members) == 0 && !to.dead {
		told = r.shut(to, done)
	} else if done != nil {
		told = append(told, outcome{done, gateway.OK})
	}
	r.mu.Unlock()
	told.tell()
}

// shut takes a route away that nobody uses. It needs mu.
func (r *routes) shut(to *route, done gateway.Done) (told outcomes) {
	to.dead = true
	delete(r.by, to.filter)
	if isWild(to.filter) {
		r.wild.Remove(to.filter, to)
	}
	for _, q := range to.asked {
		delete(r.ids, q.id)
	}
	for _, a := range to.waiting {
		if a.done != nil {
			told = append(told, outcome{a.done, gone})
		}
	}
	to.waiting = nil
	if to.active || to.asking {
		k := call{kind: unsubscribing, topic: to.filter, done: done, lane: &r.carrier.house}
		result, sent := r.carrier.submitUp(&k)
		if sent {
			return told
		}
		if result.Ok() {
			r.leaveStale(to.filter)
		}
	}
	if done != nil {
		told = append(told, outcome{done, gateway.OK})
	}
	return told
}

// leaveStale notes a filter to be unsubscribed from when the connection is back.
func (r *routes) leaveStale(filter string) {
	r.carrier.disown(filter)
	if r.stale == nil {
		r.stale = map[string]struct{}{}
	}
	r.stale[filter] = struct{}{}
}

// resuming makes the retained messages of what is subscribed anew for everybody: the broker has lost the session, and they may be news.
func (r *routes) resuming(present bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if present {
		return
	}
	for _, q := range r.ids {
		to := q.route
		q.all = !to.asking || q != to.asked[len(to.asked)-1]
	}
}

// connected asks for what could not be asked while the connection was lost.
func (r *routes) connected(bool) {
	r.mu.Lock()
	var told outcomes
	for filter := range r.stale {
		k := call{kind: unsubscribing, topic: filter, lane: &r.carrier.house}
		if _, sent := r.carrier.submitUp(&k); sent {
			delete(r.stale, filter)
		}
	}
	for _, to := range r.by {
		told = append(told, r.ask(to)...)
	}
	r.mu.Unlock()
	told.tell()
}

// target is a device that a message is for.
type target struct {
	session *sharedSession
	qos     byte
}

var targetLists = sync.Pool{New: func() any { return new([]target) }}

func recycleTargets(list *[]target) {
	clear(*list)
	*list = (*list)[:0]
	targetLists.Put(list)
}

// targets are the devices that a message is for. A broker that sends a copy for each subscription says with the Subscription Identifier which one this
// is; of one that sends a single copy with several identifiers paho tells only the last, so there the topic decides.
func (r *routes) targets(p *paho.Publish) *[]target {
	list := targetLists.Get().(*[]target)
	r.mu.Lock()
	defer r.mu.Unlock()
	q := r.ids[subscriptionID(p)]
	switch {
	case q != nil && (p.Retain || !r.carrier.shared.mode.merges()):
		*list = q.route.targetsOf(p, q, *list)
	case q == nil && subscriptionID(p) > 0 && !r.carrier.shared.mode.merges():
		r.byTopicAlone(p, list)
	default:
		r.byTopic(p, list)
	}
	return list
}

// byTopicAlone is for a message whose number is forgotten: who else gets a copy cannot be known, unless one filter matches only.
func (r *routes) byTopicAlone(p *paho.Publish, list *[]target) {
	if matching := r.matching(p.Topic); len(matching) == 1 && !p.Retain {
		*list = matching[0].targetsOf(p, nil, *list)
		return
	}
	r.carrier.broker.metrics.dropped.WithLabelValues(dropUnroutable).Inc()
}

// byTopic finds each device once, with the highest QoS of its filters that match.
func (r *routes) byTopic(p *paho.Publish, list *[]target) {
	matching := r.matching(p.Topic)
	for _, to := range matching {
		var q *question
		if n := len(to.asked); p.Retain && n > 0 { // no identifier says whose it is
			q = to.asked[n-1]
		}
		*list = to.targetsOf(p, q, *list)
	}
	if len(matching) > 1 {
		*list = onceEach(*list)
	}
}

func onceEach(list []target) []target {
	seen := make(map[*sharedSession]int, len(list))
	kept := list[:0]
	for _, t := range list {
		if at, again := seen[t.session]; again {
			kept[at].qos = max(kept[at].qos, t.qos)
			continue
		}
		seen[t.session] = len(kept)
		kept = append(kept, t)
	}
	clear(list[len(kept):])
	return kept
}
