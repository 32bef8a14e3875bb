package mqtt

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/exgate/exgate/connectors/access"
	"github.com/exgate/exgate/runtime/gateway"
)

// SharedConfig is what a Shared is made with. Only Authenticator is required.
type SharedConfig struct {
	// Connections is how many the devices share. If zero, 4.
	Connections int

	// Authenticator decides which device may log in: the broker sees the gateway's own account only. If zero, Connector.Shared fails.
	Authenticator access.Authenticator

	// ACL decides what devices may publish and subscribe to, where the Authenticator's answer does not say. If zero, everything.
	ACL access.ACL
}

// sharedReceiveMaximum is Config.ReceiveMaximum of a connection that many devices share, unless that is larger: messages are acknowledged once they are
// queued, so it bounds what is between broker and queue and not what is in the queues.
const sharedReceiveMaximum = 1000

// Shared gives devices sessions that share a few connections to the broker. The gateway logs devices in, knows what they may do, and hands each message
// to those that subscribed to its topic.
type Shared struct {
	broker   *broker
	cfg      SharedConfig
	control  *control
	carriers []*carrier
	mode     splitMode

	mu       sync.Mutex
	closed   bool                      // guarded by mu, as all below
	sessions map[string]*sharedSession // not ended, by client id
}

var _ gateway.Connector = (*Shared)(nil)

// Shared returns a connector for shared sessions at the same broker, with the same spool. Both are to be closed. There can be one. It does not wait
// for the broker.
func (c *Connector) Shared(cfg SharedConfig) (*Shared, error) {
	setDefault(&cfg.Connections, 4)
	switch {
	case cfg.Authenticator == nil:
		return nil, errors.New("shared sessions: nobody decides who may log in (upstream.authentication)")
	case cfg.Connections < 0:
		return nil, errors.New("shared sessions: the number of connections is negative (upstream.connections)")
	}
	s := &Shared{broker: c.broker, cfg: cfg, sessions: map[string]*sharedSession{}}
	s.mode.known = make(chan struct{})
	s.control = newControl(s)
	if !c.use() {
		return nil, errClosed
	}
	if !c.shared.CompareAndSwap(nil, s) {
		return nil, errors.Join(errors.New("shared sessions: there is a connector for them already"), c.broker.leave(context.Background()))
	}
	if house := c.existingHouse(); house != nil && house.hasBegun() { // it was there first, for a status or the spool
		s.control.connected(false)
	}
	return s, nil
}

// start connects, at the first login: before, another process may still use the client ids.
func (s *Shared) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	for i := len(s.carriers); i < s.cfg.Connections; i++ {
		c, err := newCarrier(s, "shared-"+strconv.Itoa(i+1))
		if err != nil {
			return err
		}
		s.carriers = append(s.carriers, c)
	}
	return nil
}

// carrier is the connection for a client id or a filter.
func (s *Shared) carrier(key string) *carrier {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key))
	return s.carriers[h.Sum32()%uint32(len(s.carriers))]
}

// Connect asks the Authenticator and opens the session of a device. It waits, bounded by ctx, until the gateway's own connections were up once, unless
// there is a spool to keep what devices publish until then.
func (s *Shared) Connect(ctx context.Context, device gateway.Device, password string, down gateway.Downlink) (gateway.Session, error) {
	answer, err := s.admit(ctx, device, password)
	s.broker.metrics.connected(err)
	if err != nil {
		return nil, err
	}
	session, err := s.newSession(device, answer, down)
	if err != nil {
		return nil, err
	}
	old, err := s.register(session)
	if err != nil {
		return nil, err
	}
	if old != nil {
		old.lose(discardedBy(device.ClientID))
	}
	session.begin()
	return session, nil
}

// admit decides whether the device may log in.
func (s *Shared) admit(ctx context.Context, device gateway.Device, password string) (access.Answer, error) {
	if err := s.broker.checkLogin(device, password); err != nil {
		return access.Answer{}, err
	}
	if err := s.broker.offenders.refuse(device); err != nil {
		return access.Answer{}, err
	}
	if err := s.broker.checkUserProperties(device); err != nil {
		return access.Answer{}, err
	}
	answer, err := s.cfg.Authenticator.Authenticate(ctx, device, password)
	if err != nil {
		return access.Answer{}, err
	}
	if answer.Decision != access.Allow {
		return access.Answer{}, &gateway.ResultError{Result: gateway.Refuse(gateway.CodePermissionDeny, "the client may not log in: %s", answer.Reason)}
	}
	if !answer.Expires.IsZero() && !answer.Expires.After(time.Now()) {
		return access.Answer{}, &gateway.ResultError{Result: gateway.Refuse(gateway.CodePermissionDeny, "the client may not log in: its credentials have expired")}
	}
	if err := s.broker.spoolOpened(ctx); err != nil {
		return access.Answer{}, err
	}
	if err := s.start(); err != nil {
		return access.Answer{}, err
	}
	return answer, s.ready(ctx, device.ClientID)
}

// ready waits until messages can be handed out, and those of the client id can be published.
func (s *Shared) ready(ctx context.Context, id string) error {
	house, c := s.broker.houseClient(), s.carrier(id)
	if house == nil {
		return errClosed
	}
	if s.broker.spool.spool != nil {
		return nil
	}
	if err := await(ctx, s.mode.known, house); err != nil {
		return err
	}
	return await(ctx, c.up, &c.client)
}

// await waits for what one of the gateway's own clients brings about.
func await(ctx context.Context, done <-chan struct{}, c *client) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the gateway's own connection to the broker is not up (upstream.username): %w", errors.Join(c.lastFailure(), ctx.Err()))
	}
}

func (s *Shared) register(session *sharedSession) (old *sharedSession, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	session.epoch = s.control.nextEpoch()
	old = s.sessions[session.device.ClientID]
	s.sessions[session.device.ClientID] = session
	if old == nil {
		s.broker.metrics.sessions.Inc()
	}
	return old, nil
}

// forget reports whether session was the one with its client id.
func (s *Shared) forget(session *sharedSession) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions[session.device.ClientID] != session {
		return false
	}
	delete(s.sessions, session.device.ClientID)
	s.broker.metrics.sessions.Dec()
	return true
}

func (s *Shared) all() []*sharedSession {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.sessions))
}

func (s *Shared) session(id string) *sharedSession {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[id]
}

// Close ends the sessions that are left.
func (s *Shared) Close(ctx context.Context) error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	s.mu.Unlock()
	if !first {
		return nil
	}
	for _, session := range s.all() {
		session.lose(gateway.ReasonShutdown)
	}
	s.settle(ctx)
	for _, c := range s.carriers {
		c.leave()
	}
	return s.broker.leave(ctx)
}
