package adapter

import (
	"fmt"
	"slices"
	"sync"

	"github.com/exgate/exgate/internal/topic"
	"github.com/exgate/exgate/runtime/gateway"
)

// RawPublisher publishes without a connection, access control or mountpoint. [gateway.RawPublisher] implements it.
type RawPublisher interface {
	RawPublish(topic string, qos uint32, payload []byte, done gateway.Done) gateway.Result
}

// Limits on the raw publishes that wait for the broker.
const (
	maxRawPublishes = 1000
	maxRawBytes     = 64 << 20
)

// rawPublishes admits raw publishes to the configured topics, within the limits.
type rawPublishes struct {
	publisher RawPublisher // nil: RawPublish is off
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

func (p *rawPublishes) publish(name string, qos uint32, payload []byte, done gateway.Done) gateway.Result {
	if r := p.admit(name); !r.Ok() {
		return r
	}
	if !p.take(len(payload)) {
		return gateway.Refuse(gateway.CodeLimit,
			"too many raw publishes wait for the broker: at most %d, of %d bytes in all", maxRawPublishes, maxRawBytes)
	}
	r := p.publisher.RawPublish(name, qos, payload, func(r gateway.Result) {
		p.give(len(payload))
		done(r)
	})
	if !r.Ok() {
		p.give(len(payload))
	}
	return r
}

func (p *rawPublishes) admit(name string) gateway.Result {
	switch {
	case p.publisher == nil:
		return gateway.Refuse(gateway.CodePermissionDeny,
			"RawPublish is off: the gateway's setting adapter.raw_publish allows it")
	case len(p.topics) > 0 && !slices.ContainsFunc(p.topics, func(f topicFilter) bool { return f.matches(name) }):
		return gateway.Refuse(gateway.CodePermissionDeny,
			"the gateway's setting adapter.raw_publish_topics does not allow this topic")
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

// topicFilter is a topic filter without a share.
type topicFilter string

func parseTopicFilter(s string) (topicFilter, error) {
	if err := topic.CheckFilter(s); err != nil {
		return "", err
	}
	if _, shared := topic.Unshare(s); shared {
		return "", fmt.Errorf("filter %.100q: must not be a shared subscription", s)
	}
	return topicFilter(s), nil
}

// matches reports whether a subscriber to f would receive name.
func (f topicFilter) matches(name string) bool { return topic.Matches(string(f), name) }
