package mqtt

import (
	"sync"

	"github.com/eclipse/paho.golang/paho"
)

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
// is, and where that one has ended, the copy is for nobody; of one that sends a single copy with several identifiers paho tells only the last, so there
// the topic decides.
func (r *routes) targets(p *paho.Publish) *[]target {
	list := targetLists.Get().(*[]target)
	r.mu.Lock()
	defer r.mu.Unlock()
	id := subscriptionID(p)
	switch q := r.ids[id]; {
	case id == 0 || (!p.Retain && r.carrier.shared.mode.merges()):
		r.byTopic(p, list)
	case q == nil:
		r.carrier.broker.metrics.dropped.WithLabelValues(dropUnroutable).Inc()
	default:
		*list = q.route.targetsOf(p, q, *list)
	}
	return list
}

// matching lists the routes that a topic is for. It needs mu.
func (r *routes) matching(name string) []*route {
	matching := r.wild.Match(name, nil)
	if to := r.by[name]; to != nil {
		matching = append(matching, to)
	}
	return matching
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
