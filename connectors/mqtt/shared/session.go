package shared

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"github.com/exgate/exgate/connectors/access"
	"github.com/exgate/exgate/connectors/mqtt/client"
	"github.com/exgate/exgate/internal/topic"
	"github.com/exgate/exgate/runtime/gateway"
)

// session is a device's session on shared connections: a publish queue and its subscriptions.
type session struct {
	shared *Connector
	conn   *conn // publishes go over it
	device gateway.Device
	answer access.Answer
	down   gateway.Downlink
	status client.Status
	epoch  uint64
	expiry *time.Timer // nil if the login does not expire
	queue  *client.PublishQueue
	over   atomic.Bool

	mu   sync.Mutex
	subs []*subscribed // guarded by mu; nil once the session has ended
}

// subscribed is a filter of a device.
type subscribed struct {
	filter string
	part   *subscription
}

var _ gateway.Session = (*session)(nil)

func (s *Connector) newSession(device gateway.Device, answer access.Answer, down gateway.Downlink) (*session,
	error,
) {
	status, err := s.broker.DeviceStatus(device)
	if err != nil {
		return nil, err
	}
	session := &session{
		shared: s, conn: s.connFor(device.ClientID), device: device, answer: answer, down: down, status: status,
	}
	session.queue = session.conn.client.NewQueue(&session.device, session.lose)
	return session, nil
}

// begin announces the device to the other gateways and publishes its status.
func (s *session) begin() {
	s.shared.control.claim(s.device.ClientID, s.epoch)
	s.announce()
	s.queue.UseSpool()
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := s.answer.Expires; !at.IsZero() && !s.over.Load() {
		s.expiry = time.AfterFunc(time.Until(at), func() { s.lose(gateway.ReasonAuthExpired) })
	}
}

// announce publishes the online status, unless the session has ended.
func (s *session) announce() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.over.Load() {
		s.publishStatus(s.status.Online)
	}
}

// publishStatus publishes the device's status, if it has one.
func (s *session) publishStatus(payload string) {
	s.conn.client.PublishStatus(s.status, payload, &s.device, func(r gateway.Result) {
		if r.Code == gateway.CodeLimit {
			s.shared.broker.CountDropped(dropGatewayFull)
		}
	})
}

// allows reports whether the device may use a topic name or filter. It always denies the control topic.
func (s *session) allows(action access.Action, name string) bool {
	return !s.shared.broker.IsControl(name) && s.answer.Allows(s.device, action, name, s.shared.cfg.ACL)
}

// Publish implements [gateway.Session]. Without a spool, QoS 1 and 2 wait while the connection is lost. QoS 0 is
// refused then.
func (s *session) Publish(name string, qos byte, payload []byte, props *gateway.Properties, done gateway.Done) {
	if r := s.mayPublish(name, props); !r.Ok() {
		client.Finish(done, r)
		return
	}
	s.queue.Publish(name, qos, payload, props, done)
}

func (s *session) mayPublish(name string, props *gateway.Properties) gateway.Result {
	switch {
	case !s.allows(access.PublishOf(props), name):
		return access.Refused(props, name)
	case props != nil && props.ResponseTopic != "" && !s.allows(access.Subscribe, props.ResponseTopic):
		return access.ResponseRefused(props.ResponseTopic)
	}
	return gateway.OK
}

// Subscribe implements [gateway.Session].
func (s *session) Subscribe(filter string, qos byte, done gateway.Done) {
	r := client.CheckFilter(filter, qos)
	if r.Ok() {
		r = s.maySubscribe(filter)
	}
	if r.Ok() {
		var sub *subscription
		if sub, r = s.subscription(filter); r.Ok() {
			s.shared.connFor(filter).routes.join(filter, sub, qos, done)
			return
		}
	}
	client.Finish(done, r)
}

func (s *session) maySubscribe(filter string) gateway.Result {
	if _, shared := topic.Unshare(filter); shared {
		return gateway.Refuse(gateway.CodeUnsupported,
			"%.100q: a shared subscription needs a session of its own (session: device)", filter)
	}
	if !s.allows(access.Subscribe, filter) {
		return gateway.Refuse(gateway.CodePermissionDeny, "subscribing to %.100q is not allowed", filter)
	}
	return gateway.OK
}

// subscription returns the subscription of a filter and creates it if needed.
func (s *session) subscription(filter string) (*subscription, gateway.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over.Load() {
		return nil, client.ResultEnded
	}
	if i := s.find(filter); i >= 0 {
		return s.subs[i].part, gateway.OK
	}
	if len(s.subs) >= maxFilters {
		return nil, gateway.Refuse(gateway.CodeLimit, "a device may have %d subscriptions", maxFilters)
	}
	sub := &subscription{session: s}
	s.subs = append(s.subs, &subscribed{filter, sub})
	return sub, gateway.OK
}

// find must be called with mu held.
func (s *session) find(filter string) int {
	return slices.IndexFunc(s.subs, func(sub *subscribed) bool { return sub.filter == filter })
}

// Unsubscribe implements [gateway.Session].
func (s *session) Unsubscribe(filter string, done gateway.Done) {
	if r := client.CheckFilter(filter, 0); !r.Ok() {
		client.Finish(done, r)
		return
	}
	if s.over.Load() {
		client.Finish(done, client.ResultEnded)
		return
	}
	s.mu.Lock()
	i := s.find(filter)
	if i < 0 {
		s.mu.Unlock()
		client.Finish(done, gateway.OK)
		return
	}
	sub := s.subs[i].part
	s.subs = slices.Delete(s.subs, i, i+1)
	s.mu.Unlock()
	s.shared.connFor(filter).routes.part(sub, done)
}

// forget removes a subscription that the broker refused.
func (s *session) forget(sub *subscription, filter string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.find(filter); i >= 0 && s.subs[i].part == sub {
		s.subs = slices.Delete(s.subs, i, i+1)
	}
}

// deliver delivers a message to the device.
func (s *session) deliver(p *paho.Publish, qos byte, payload []byte) {
	switch {
	case s.over.Load():
	case !s.allows(access.Subscribe, p.Topic):
		s.shared.broker.CountDropped(client.DropDenied)
	default:
		s.shared.broker.Deliver(s.down, p, qos, payload)
	}
}

// Close implements [gateway.Session].
func (s *session) Close() { s.end(gateway.ReasonNormal) }

// lose ends the session and notifies the device.
func (s *session) lose(reason gateway.CloseReason) {
	if s.end(reason) {
		s.down.SessionLost(reason)
	}
}

// end reports false if the session had already ended. A discarded device is connected elsewhere, so it is not reported
// offline.
func (s *session) end(reason gateway.CloseReason) bool {
	if !s.over.CompareAndSwap(false, true) {
		return false
	}
	s.mu.Lock()
	subs := s.subs
	s.subs = nil
	if s.expiry != nil {
		s.expiry.Stop()
	}
	s.mu.Unlock()
	cb := s.conn.client.Forget(s.queue)
	s.shared.control.withdraw(s.device.ClientID, s.epoch)
	for _, sub := range subs {
		s.shared.connFor(sub.filter).routes.part(sub.part, nil)
	}
	if s.shared.forget(s) && !reason.Is(gateway.ReasonDiscarded) {
		s.publishStatus(s.status.Offline)
	}
	cb.Run()
	return true
}
