package remote

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/exgate/exgate/runtime/gateway"
)

// RawPublisher publishes past connections, access control and mountpoints. [gateway.RawPublisher] is one.
type RawPublisher interface {
	RawPublish(topic string, qos uint32, payload []byte, done gateway.Done) gateway.Result
}

// Bounds of the raw publishes that wait for the broker.
const (
	maxRawPublishes = 1000
	maxRawBytes     = 64 << 20
)

// rawPublishes lets through what the configured topics allow, as much at a time as the bounds say.
type rawPublishes struct {
	publisher RawPublisher // nil: not allowed
	topics    []topicFilter

	mu    sync.Mutex // guards the fields below
	calls int
	bytes int
}

func newRawPublishes(publisher RawPublisher, topics []string) (*rawPublishes, error) {
	p := &rawPublishes{publisher: publisher}
	for _, t := range topics {
		filter, err := parseTopicFilter(t)
		if err != nil {
			return nil, fmt.Errorf("the topics of RawPublish (adapter.raw_publish_topics): %w", err)
		}
		p.topics = append(p.topics, filter)
	}
	return p, nil
}

func (p *rawPublishes) publish(topic string, qos uint32, payload []byte, done gateway.Done) gateway.Result {
	if r := p.admit(topic); !r.Ok() {
		return r
	}
	if !p.take(len(payload)) {
		return gateway.Refuse(gateway.CodeLimit, "too many raw publishes wait for the broker: at most %d, of %d bytes in all", maxRawPublishes, maxRawBytes)
	}
	r := p.publisher.RawPublish(topic, qos, payload, func(r gateway.Result) {
		p.give(len(payload))
		done(r)
	})
	if !r.Ok() {
		p.give(len(payload))
	}
	return r
}

func (p *rawPublishes) admit(topic string) gateway.Result {
	switch {
	case p.publisher == nil:
		return gateway.Refuse(gateway.CodePermissionDeny, "RawPublish is off: the gateway's setting adapter.raw_publish allows it")
	case len(p.topics) > 0 && !slices.ContainsFunc(p.topics, func(f topicFilter) bool { return f.match(topic) }):
		return gateway.Refuse(gateway.CodePermissionDeny, "the gateway's setting adapter.raw_publish_topics does not allow this topic")
	}
	return gateway.OK
}

func (p *rawPublishes) take(bytes int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.calls >= maxRawPublishes || p.bytes+bytes > maxRawBytes {
		return false
	}
	p.calls++
	p.bytes += bytes
	return true
}

func (p *rawPublishes) give(bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls--
	p.bytes -= bytes
}

// topicFilter is a topic filter of MQTT 5, section 4.7, split at its slashes.
type topicFilter []string

func parseTopicFilter(s string) (topicFilter, error) {
	levels := strings.Split(s, "/")
	for i, l := range levels {
		last := i == len(levels)-1
		if (strings.Contains(l, "#") && (l != "#" || !last)) || (strings.Contains(l, "+") && l != "+") {
			return nil, fmt.Errorf("topic filter %q: '#' must be the last level, '+' a whole level", s)
		}
	}
	if s == "" || levels[0] == "$share" {
		return nil, fmt.Errorf("topic filter %q is empty or a shared subscription", s)
	}
	return levels, nil
}

// match reports whether a subscriber to the filter would get topic. A wildcard at the start does not match topics that begin with '$'.
func (f topicFilter) match(topic string) bool {
	levels := strings.Split(topic, "/")
	if strings.HasPrefix(topic, "$") && (f[0] == "#" || f[0] == "+") {
		return false
	}
	for i, want := range f {
		switch {
		case want == "#":
			return true
		case i == len(levels), want != "+" && want != levels[i]:
			return false
		}
	}
	return len(levels) == len(f)
}
