package embedded

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/exgate/exgate/connectors/access"
	"github.com/exgate/exgate/internal/topic"
	"github.com/exgate/exgate/runtime/gateway"
)

// Limits for what the broker stores for one device or network client.
const (
	maxFilters     = 1024
	maxFilterBytes = 256 << 10 // total length of the filters
)

// Session is the session of a device. It has no goroutine and no buffer of its own.
type Session struct {
	broker *Broker
	device gateway.Device
	answer access.Answer
	down   gateway.Downlink
	closed atomic.Bool
	many   atomic.Bool // has had more than one filter, so that several may match one message

	mu          sync.Mutex
	filters     []subscription // guarded by mu
	filterBytes int            // guarded by mu
	shareID     string         // identifies the session in mochi's index of shared subscriptions; guarded by mu
	expiry      *time.Timer    // ends the session; nil if its login does not expire; guarded by mu
}

// subscription is a filter and the QoS requested by the device.
type subscription struct {
	filter string
	qos    byte
}

// subscriber is a subscription in the index of filters.
type subscriber struct {
	session *Session
	qos     byte
}

var _ gateway.Session = (*Session)(nil)

var (
	gone    = gateway.Refuse(gateway.CodeConnProcessNotAlive, "the session has ended")
	expired = gateway.ReasonAuthExpired.With("its login has expired")
)

func (s *Session) allows(action access.Action, name string) bool {
	return s.answer.Allows(s.device, action, name, s.broker.acl)
}

// Publish implements [gateway.Session]. done is called before it returns.
func (s *Session) Publish(
	name string, qos byte, payload []byte, props *gateway.Properties, done gateway.Done,
) {
	finish(done, s.publish(name, qos, payload, props))
}

func (s *Session) publish(name string, qos byte, payload []byte, props *gateway.Properties) gateway.Result {
	if s.closed.Load() {
		return gone
	}
	if err := topic.CheckName(name); err != nil {
		return gateway.Refuse(gateway.CodeParamsTypeError, "%v", err)
	}
	if qos > 2 {
		return gateway.Refuse(gateway.CodeParamsTypeError, "QoS %d is invalid", qos)
	}
	if isReserved(name) || !s.allows(access.PublishOf(props), name) {
		return access.Refused(props, name)
	}
	if props != nil && props.ResponseTopic != "" && !s.allows(access.Subscribe, props.ResponseTopic) {
		return access.ResponseRefused(props.ResponseTopic)
	}
	return s.broker.publish(s.device.ClientID, name, qos, payload, props)
}

// Subscribe implements [gateway.Session]. done is called before it returns; retained messages come before done.
func (s *Session) Subscribe(filter string, qos byte, done gateway.Done) {
	finish(done, s.subscribe(filter, qos))
}

func (s *Session) subscribe(filter string, qos byte) gateway.Result {
	if err := topic.CheckFilter(filter); err != nil {
		return gateway.Refuse(gateway.CodeParamsTypeError, "%v", err)
	}
	if qos > 2 {
		return gateway.Refuse(gateway.CodeParamsTypeError, "QoS %d is invalid", qos)
	}
	inner, shared := topic.Unshare(filter)
	if !s.allows(access.Subscribe, inner) {
		return gateway.Refuse(gateway.CodePermissionDeny, "subscribing to %q is not allowed", filter)
	}
	if r := s.add(subscription{filter, qos}, shared); !r.Ok() {
		return r
	}
	if !shared {
		s.broker.replay(s, filter, qos)
	}
	return gateway.OK
}

// add stores a subscription. A subscription with the same filter is replaced (MQTT 5, section 3.8.4).
func (s *Session) add(sub subscription, shared bool) gateway.Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() {
		return gone
	}
	if i := s.find(sub.filter); i >= 0 {
		s.forget(s.filters[i])
		s.filters[i] = sub
	} else {
		if len(s.filters) >= maxFilters {
			return gateway.Refuse(gateway.CodeLimit, "a device may have %d subscriptions", maxFilters)
		}
		if s.filterBytes+len(sub.filter) > maxFilterBytes {
			return gateway.Refuse(gateway.CodeLimit, "the filters of a device may have %d bytes in all", maxFilterBytes)
		}
		s.filters = append(s.filters, sub)
		s.filterBytes += len(sub.filter)
	}
	if len(s.filters) > 1 {
		s.many.Store(true)
	}
	if shared {
		s.joinGroup(sub)
	} else {
		s.broker.index.Add(sub.filter, subscriber{s, sub.qos})
	}
	return gateway.OK
}

// find returns the index of a filter, or -1. It requires mu.
func (s *Session) find(filter string) int {
	return slices.IndexFunc(s.filters, func(sub subscription) bool { return sub.filter == filter })
}

// Unsubscribe implements [gateway.Session]. done is called before it returns.
func (s *Session) Unsubscribe(filter string, done gateway.Done) {
	if s.closed.Load() {
		finish(done, gone)
		return
	}
	s.mu.Lock()
	if i := s.find(filter); i >= 0 {
		s.forget(s.filters[i])
		s.filters = slices.Delete(s.filters, i, i+1)
		s.filterBytes -= len(filter)
	}
	s.mu.Unlock()
	finish(done, gateway.OK)
}

// Close implements [gateway.Session].
func (s *Session) Close() { s.end() }

func (s *Session) end() (first bool) {
	if !s.closed.CompareAndSwap(false, true) {
		return false
	}
	s.broker.unregister(s)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sub := range s.filters {
		s.forget(sub)
	}
	s.filters = nil
	if s.expiry != nil {
		s.expiry.Stop()
	}
	s.leaveGroups()
	return true
}

// expireAt ends the session at the given time; zero: never.
func (s *Session) expireAt(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !at.IsZero() && !s.closed.Load() {
		s.expiry = time.AfterFunc(time.Until(at), func() { s.lose(expired) })
	}
}

// lose ends the session for a reason that does not come from the device.
func (s *Session) lose(reason gateway.CloseReason) {
	if s.end() {
		s.down.SessionLost(reason)
	}
}

// forget requires mu.
func (s *Session) forget(sub subscription) {
	if _, shared := topic.Unshare(sub.filter); shared {
		s.broker.server.Topics.Unsubscribe(sub.filter, s.shareID)
		return
	}
	s.broker.index.Remove(sub.filter, subscriber{s, sub.qos})
}

func finish(done gateway.Done, r gateway.Result) {
	if done != nil {
		done(r)
	}
}
