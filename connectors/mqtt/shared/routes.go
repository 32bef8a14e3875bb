package shared

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"github.com/exgate/exgate/connectors/mqtt/client"
	"github.com/exgate/exgate/internal/topic"
	"github.com/exgate/exgate/runtime/gateway"
)

const (
	maxFilters      = 1024      // per device
	maxSubscription = 268435455 // the largest Subscription Identifier, MQTT 5, section 3.8.2.1.2
)

// routes holds the devices' subscriptions on one shared connection. Calls are submitted with mu held, so that the
// broker gets them in the order of the changes here.
type routes struct {
	conn *conn

	mu     sync.Mutex
	by     map[string]*route            // by filter; guarded by mu, like all fields below
	ids    map[uint32]*subscribeRequest // by Subscription Identifier
	wild   topic.Index[*route]          // routes whose filter has wildcards
	stale  map[string]struct{}          // unused filters from a lost connection that the broker may still have
	lastID uint32
}

// join subscribes a device and calls done with the broker's answer.
func (r *routes) join(filter string, sub *subscription, qos byte, done gateway.Done) {
	r.mu.Lock()
	if sub.ended {
		r.mu.Unlock()
		client.Finish(done, client.ResultEnded)
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
	to.waiting = append(to.waiting, waiter{sub, fresh, done})
	cb := r.subscribe(to)
	r.mu.Unlock()
	cb.Run()
}

func (r *routes) open(filter string) *route {
	if r.by == nil {
		r.by, r.ids = map[string]*route{}, map[uint32]*subscribeRequest{}
	}
	to := &route{filter: filter}
	r.by[filter] = to
	if isWild(filter) {
		r.wild.Add(filter, to)
	}
	return to
}

// subscribe sends a SUBSCRIBE for the waiters, unless one is in flight. Each waiter needs a new one to get the retained
// messages. While the connection is lost, waiters keep waiting. mu must be held.
func (r *routes) subscribe(to *route) (cb client.Callbacks) {
	if to.requesting || to.closed || len(to.waiting) == 0 {
		return nil
	}
	q := &subscribeRequest{id: r.nextID(), route: to, waiters: to.waiting}
	result, sent := r.conn.client.TrySubscribe(to.filter, to.highest(), q.id, q.waiters[0].device(),
		func(result gateway.Result) { r.subscribed(q, result) })
	switch {
	case sent:
		to.waiting, to.requesting = nil, true
		to.requests = append(to.requests, q)
		r.ids[q.id] = q
		delete(r.stale, to.filter)
		r.prune(to, time.Now())
	case !result.Ok():
		to.waiting = nil
		cb = r.refuse(q, result)
	}
	return cb
}

// prune forgets requests that were replaced too long ago to matter.
func (r *routes) prune(to *route, now time.Time) {
	old := max(0, len(to.requests)-maxRequests)
	for i, q := range to.requests {
		if !q.granted.IsZero() && now.Sub(q.granted) > memory {
			old = max(old, i)
		}
	}
	for _, q := range to.requests[:old] {
		delete(r.ids, q.id)
	}
	to.requests = slices.Delete(to.requests, 0, old)
}

func isWild(filter string) bool { return strings.ContainsAny(filter, "+#") }

func (r *routes) nextID() uint32 {
	for {
		r.lastID = r.lastID%maxSubscription + 1
		if _, taken := r.ids[r.lastID]; !taken {
			return r.lastID
		}
	}
}

// subscribed handles the broker's answer to a SUBSCRIBE.
func (r *routes) subscribed(q *subscribeRequest, result gateway.Result) {
	r.mu.Lock()
	to := q.route
	to.requesting = false
	var cb client.Callbacks
	if result.Ok() {
		q.granted = time.Now()
		to.active = true
		cb = answerAll(q.waiters, result)
	} else {
		if result.Code == gateway.CodeUnknown { // no answer in time: the broker may still have the subscription
			to.active = true
		} else {
			r.disregard(q)
		}
		cb = r.refuse(q, result)
	}
	if to.closed && r.by[to.filter] == nil {
		r.conn.client.DropFilter(to.filter)
	}
	cb = append(cb, r.subscribe(to)...)
	r.mu.Unlock()
	cb.Run()
}

// refuse passes the result to the waiters and ends new subscriptions that are not already requested again. mu must be
// held.
func (r *routes) refuse(q *subscribeRequest, result gateway.Result) (cb client.Callbacks) {
	to := q.route
	for _, a := range q.waiters {
		if sub := a.sub; a.fresh && !sub.ended && !to.waitsAgain(sub) {
			sub.ended = true
			to.remove(sub)
			cb.Then(func() { sub.session.forget(sub, to.filter) }) // before done is called, which may subscribe again
		}
	}
	cb = append(cb, answerAll(q.waiters, result)...)
	if len(to.members) == 0 && !to.closed {
		cb = append(cb, r.shut(to, nil)...)
	}
	return cb
}

// disregard forgets a request that the broker refused.
func (r *routes) disregard(q *subscribeRequest) {
	delete(r.ids, q.id)
	q.route.requests = slices.DeleteFunc(q.route.requests, func(other *subscribeRequest) bool { return other == q })
}

// part ends a device's subscription, and unsubscribes if it was the last one of the route.
func (r *routes) part(sub *subscription, done gateway.Done) {
	r.mu.Lock()
	var cb client.Callbacks
	to := sub.route
	first := !sub.ended
	sub.ended = true
	if first && to != nil {
		to.remove(sub)
	}
	if first && to != nil && len(to.members) == 0 && !to.closed {
		cb = r.shut(to, done)
	} else {
		cb.Finish(done, gateway.OK)
	}
	r.mu.Unlock()
	cb.Run()
}

// shut removes an unused route. mu must be held.
func (r *routes) shut(to *route, done gateway.Done) (cb client.Callbacks) {
	to.closed = true
	delete(r.by, to.filter)
	if isWild(to.filter) {
		r.wild.Remove(to.filter, to)
	}
	for _, q := range to.requests {
		delete(r.ids, q.id)
	}
	cb = answerAll(to.waiting, client.ResultEnded)
	to.waiting = nil
	if to.active || to.requesting {
		result, sent := r.conn.client.TryUnsubscribe(to.filter, done)
		r.conn.client.DropFilter(to.filter)
		if sent {
			return cb
		}
		if result.Code != client.ResultEnded.Code {
			r.leaveStale(to.filter)
		}
	}
	cb.Finish(done, gateway.OK)
	return cb
}

// leaveStale records a filter to unsubscribe from after the reconnect.
func (r *routes) leaveStale(filter string) {
	if r.stale == nil {
		r.stale = map[string]struct{}{}
	}
	r.stale[filter] = struct{}{}
}

// resuming routes the retained messages of resubscriptions to all members: if the broker lost the session, they may be
// new.
func (r *routes) resuming(present bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if present {
		return
	}
	for _, q := range r.ids {
		to := q.route
		q.forAll = !to.requesting || q != to.requests[len(to.requests)-1]
	}
}

// connected sends the requests that had to wait for the connection.
func (r *routes) connected(bool) {
	r.mu.Lock()
	var cb client.Callbacks
	for _, to := range r.by {
		cb = append(cb, r.subscribe(to)...)
	}
	for filter := range r.stale {
		if _, sent := r.conn.client.TryUnsubscribe(filter, nil); sent {
			delete(r.stale, filter)
		}
	}
	r.mu.Unlock()
	cb.Run()
}

// route is a filter that devices subscribed to; the gateway subscribes once for all of them. Guarded by routes.mu.
type route struct {
	filter     string
	members    []*subscription
	requests   []*subscribeRequest // requests whose Subscription Identifiers are known, newest last
	requesting bool                // the newest request is unanswered
	active     bool                // the broker has granted a request
	closed     bool                // unused; another route may have the filter
	waiting    []waiter            // waiters for the next request
}

// subscription is a device's membership in a route.
type subscription struct {
	session *session
	route   *route // guarded by routes.mu, like all fields below; nil until joined
	qos     byte
	at      int // index in route.members
	ended   bool
}

// waiter is a device's Subscribe call that waits for SUBACK.
type waiter struct {
	sub   *subscription
	fresh bool // the subscription is new
	done  gateway.Done
}

// device returns the device that called Subscribe.
func (a waiter) device() *gateway.Device {
	if a.sub.session == nil {
		return nil
	}
	return &a.sub.session.device
}

// subscribeRequest is one SUBSCRIBE. Its id is the Subscription Identifier, which identifies the retained messages sent
// in reply.
type subscribeRequest struct {
	id      uint32
	route   *route
	waiters []waiter
	granted time.Time // zero: unanswered
	forAll  bool      // its retained messages go to all members: the broker had lost the subscription
}

// memory is how long a replaced request is kept: messages with its Subscription Identifier may still arrive.
const memory = time.Minute

// maxRequests bounds the requests kept per filter.
const maxRequests = 1000

func (r *route) add(sub *subscription) {
	sub.route, sub.at = r, len(r.members)
	r.members = append(r.members, sub)
}

func (r *route) remove(sub *subscription) {
	last := len(r.members) - 1
	r.members[sub.at] = r.members[last]
	r.members[sub.at].at = sub.at
	r.members[last] = nil
	r.members = r.members[:last]
	sub.route = nil
}

// waitsAgain reports whether sub waits for another request, which then counts as its first.
func (r *route) waitsAgain(sub *subscription) bool {
	for i := range r.waiting {
		if a := &r.waiting[i]; a.sub == sub {
			a.fresh = true
			return true
		}
	}
	return false
}

func answerAll(waiters []waiter, result gateway.Result) (cb client.Callbacks) {
	for _, a := range waiters {
		cb.Finish(a.done, result)
	}
	return cb
}

// highest returns the highest QoS of the members.
func (r *route) highest() (qos byte) {
	for _, m := range r.members {
		qos = max(qos, m.qos)
	}
	return qos
}

// targetsOf appends the members that p is for.
func (r *route) targetsOf(p *paho.Publish, q *subscribeRequest, to []target) []target {
	if p.Retain && q != nil && !q.forAll {
		for _, a := range q.waiters {
			if !a.sub.ended {
				to = append(to, target{a.sub.session, a.sub.qos})
			}
		}
		return to
	}
	for _, m := range r.members {
		to = append(to, target{m.session, m.qos})
	}
	return to
}

// target is a recipient of a message.
type target struct {
	session *session
	qos     byte
}

var targetLists = sync.Pool{New: func() any { return new([]target) }}

func recycleTargets(list *[]target) {
	clear(*list)
	*list = (*list)[:0]
	targetLists.Put(list)
}

// targets returns the recipients of a message. If the broker sends a copy for each subscription, the Subscription
// Identifier selects the route; a copy for a route that has ended is dropped. If the broker sends one copy with several
// identifiers, paho reports only the last, so the topic selects the routes.
func (r *routes) targets(p *paho.Publish) *[]target {
	list := targetLists.Get().(*[]target)
	r.mu.Lock()
	defer r.mu.Unlock()
	id := subscriptionID(p)
	switch q := r.ids[id]; {
	case id == 0 || (!p.Retain && r.conn.shared.mode.merges()):
		r.byTopic(p, list)
	case q == nil:
		r.conn.shared.broker.CountDropped(dropUnroutable)
	default:
		*list = q.route.targetsOf(p, q, *list)
	}
	return list
}

// matching returns the routes that match a topic. mu must be held.
func (r *routes) matching(name string) []*route {
	matching := r.wild.Match(name, nil)
	if to := r.by[name]; to != nil {
		matching = append(matching, to)
	}
	return matching
}

// byTopic appends each matching device once, with the highest QoS of its matching filters.
func (r *routes) byTopic(p *paho.Publish, list *[]target) {
	matching := r.matching(p.Topic)
	for _, to := range matching {
		var q *subscribeRequest
		if n := len(to.requests); p.Retain && n > 0 { // no identifier selects the request
			q = to.requests[n-1]
		}
		*list = to.targetsOf(p, q, *list)
	}
	if len(matching) > 1 {
		*list = onceEach(*list)
	}
}

func onceEach(list []target) []target {
	seen := make(map[*session]int, len(list))
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

// subscriptionID returns the Subscription Identifier of a message, or 0.
func subscriptionID(p *paho.Publish) uint32 {
	if p.Properties == nil || p.Properties.SubscriptionIdentifier == nil {
		return 0
	}
	return uint32(*p.Properties.SubscriptionIdentifier)
}
