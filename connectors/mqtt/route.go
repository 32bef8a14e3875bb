package mqtt

import (
	"time"

	"github.com/eclipse/paho.golang/paho"

	"github.com/exgate/exgate/runtime/gateway"
)

// route is a filter that devices subscribed to, and that the broker has once for all of them. Guarded by routes.mu.
type route struct {
	filter  string
	members []*subscription
	asked   []*question // the SUBSCRIBEs whose numbers are known, the newest last
	asking  bool        // the newest is not answered
	active  bool        // the broker has answered one
	dead    bool        // nobody is left, and another route may have the filter
	waiting []asker     // for the next SUBSCRIBE
}

// subscription is a device's part in a route.
type subscription struct {
	session *sharedSession
	route   *route // guarded by routes.mu, as below; nil before it has one
	qos     byte
	at      int // in route.members
	gone    bool
}

// asker is a call of a device that waits for SUBACK.
type asker struct {
	sub   *subscription
	fresh bool // the device had no such subscription before
	done  gateway.Done
}

// device is who asks.
func (a asker) device() *gateway.Device {
	if a.sub.session == nil {
		return nil
	}
	return &a.sub.session.device
}

// question is one SUBSCRIBE. Its number is the Subscription Identifier, so that the retained messages which answer it are known from others.
type question struct {
	id      uint32
	route   *route
	askers  []asker
	granted time.Time // zero: not yet
	all     bool      // its retained messages are for all: the broker had forgotten the subscription
}

// memory is how long the number of a SUBSCRIBE is known that a later one replaced: the broker may still have messages on their way with it.
const memory = time.Minute

// maxAsked bounds the numbers that are known of one filter. Each of them is one answer of the broker older than the next.
const maxAsked = 1000

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

// isAskedAgain reports whether sub waits for another SUBSCRIBE. That is its first then.
func (r *route) isAskedAgain(sub *subscription) bool {
	for i := range r.waiting {
		if a := &r.waiting[i]; a.sub == sub {
			a.fresh = true
			return true
		}
	}
	return false
}

func tellAskers(askers []asker, result gateway.Result) (told outcomes) {
	for _, a := range askers {
		if a.done != nil {
			told = append(told, outcome{a.done, result})
		}
	}
	return told
}

// highest is the QoS to ask the broker for.
func (r *route) highest() (qos byte) {
	for _, m := range r.members {
		qos = max(qos, m.qos)
	}
	return qos
}

// targetsOf adds those whom p is for.
func (r *route) targetsOf(p *paho.Publish, q *question, to []target) []target {
	if p.Retain && q != nil && !q.all {
		for _, a := range q.askers {
			if !a.sub.gone {
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
