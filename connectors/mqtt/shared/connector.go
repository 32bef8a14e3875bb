package shared

import (
	"cmp"
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
	"github.com/exgate/exgate/connectors/mqtt/client"
	"github.com/exgate/exgate/runtime/gateway"
)

// Config configures a Connector. Only Authenticator is required.
type Config struct {
	// Connections is the number of connections that devices share. If zero, 4.
	Connections int

	// Authenticator decides which devices may log in, since the broker sees only the gateway's account. Required.
	Authenticator access.Authenticator

	// ACL decides what devices may publish and subscribe to, unless the Authenticator's answer does. If nil,
	// everything.
	ACL access.ACL
}

// Reasons for messages that shared sessions drop.
const (
	dropUnroutable  = "unroutable"
	dropGatewayFull = "gateway_queue_full"
	dropClaim       = "bad_claim"
)

// Connector gives devices sessions that share a few connections to the broker. The gateway authenticates devices,
// applies the access rules, and delivers each message to the devices that subscribed to its topic.
type Connector struct {
	broker  *client.Broker
	cfg     Config
	control *control
	conns   []*conn
	mode    splitMode
	status  bool // devices have a status

	mu       sync.Mutex
	closed   bool                // guarded by mu, like the fields below
	sessions map[string]*session // not ended, by client id
}

var _ gateway.Connector = (*Connector)(nil)

// New returns a connector for shared sessions. There can be one for each broker. It does not wait for
// the broker.
func New(b *client.Broker, cfg Config) (*Connector, error) {
	cfg.Connections = cmp.Or(cfg.Connections, 4)
	switch {
	case cfg.Authenticator == nil:
		return nil, errors.New("shared sessions need an authenticator (upstream.authentication)")
	case cfg.Connections < 0:
		return nil, errors.New("shared sessions: the number of connections is negative (upstream.connections)")
	}
	s := &Connector{
		broker: b, cfg: cfg, status: b.Config().DeviceStatus.Topic != "", sessions: map[string]*session{},
	}
	s.mode.known = make(chan struct{})
	s.control = newControl(s)
	if err := b.Join(s.control); err != nil {
		return nil, err
	}
	return s, nil
}

// start connects at the first login: earlier, another process may still use the client ids.
func (s *Connector) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return client.ErrClosed
	}
	for i := len(s.conns); i < s.cfg.Connections; i++ {
		c, err := newConn(s, "shared-"+strconv.Itoa(i+1))
		if err != nil {
			return err
		}
		s.conns = append(s.conns, c)
	}
	return nil
}

// connFor returns the connection for a client id or a filter.
func (s *Connector) connFor(key string) *conn {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key))
	return s.conns[h.Sum32()%uint32(len(s.conns))]
}

// Connect authenticates a device and opens its session. Without a spool, it waits until ctx ends for the gateway's
// connections to have been up once.
func (s *Connector) Connect(ctx context.Context, device gateway.Device, password string,
	down gateway.Downlink,
) (gateway.Session, error) {
	answer, err := s.admit(ctx, device, password)
	s.broker.CountLogin(err)
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
		old.lose(client.DiscardedBy(device.ClientID))
	}
	session.begin()
	return session, nil
}

// admit decides whether the device may log in.
func (s *Connector) admit(ctx context.Context, device gateway.Device, password string) (access.Answer, error) {
	if err := s.broker.CheckDevice(device, password); err != nil {
		return access.Answer{}, err
	}
	answer, err := s.cfg.Authenticator.Authenticate(ctx, device, password)
	if err != nil {
		return access.Answer{}, err
	}
	if answer.Decision != access.Allow {
		return access.Answer{}, &gateway.ResultError{Result: gateway.Refuse(gateway.CodePermissionDeny,
			"the client may not log in: %s", answer.Reason)}
	}
	if !answer.Expires.IsZero() && !answer.Expires.After(time.Now()) {
		return access.Answer{}, &gateway.ResultError{Result: gateway.Refuse(gateway.CodePermissionDeny,
			"the client may not log in: its credentials have expired")}
	}
	if err := s.broker.SpoolOpened(ctx); err != nil {
		return access.Answer{}, err
	}
	if err := s.start(); err != nil {
		return access.Answer{}, err
	}
	return answer, s.ready(ctx, device.ClientID)
}

// ready waits until messages can be routed, and those of the client id can be published.
func (s *Connector) ready(ctx context.Context, id string) error {
	own, c := s.broker.GatewayClient(), s.connFor(id)
	if own == nil {
		return client.ErrClosed
	}
	if s.broker.HasSpool() {
		return nil
	}
	if err := await(ctx, s.mode.known, own); err != nil {
		return err
	}
	return await(ctx, c.up, c.client)
}

// await waits for done, which the gateway's client c closes.
func await(ctx context.Context, done <-chan struct{}, c *client.Client) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the gateway's own connection to the broker is not up (upstream.username): %w",
			errors.Join(c.LastFailure(), ctx.Err()))
	}
}

func (s *Connector) register(session *session) (old *session, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, client.ErrClosed
	}
	session.epoch = s.control.nextEpoch()
	old = s.sessions[session.device.ClientID]
	s.sessions[session.device.ClientID] = session
	if old == nil {
		s.broker.CountSessions(1)
	}
	return old, nil
}

// forget removes session and reports whether it was the current one with its client id.
func (s *Connector) forget(session *session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions[session.device.ClientID] != session {
		return false
	}
	delete(s.sessions, session.device.ClientID)
	s.broker.CountSessions(-1)
	return true
}

func (s *Connector) all() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.sessions))
}

func (s *Connector) session(id string) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[id]
}

// Close ends the remaining sessions.
func (s *Connector) Close(ctx context.Context) error {
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
	for _, c := range s.conns {
		c.client.Leave()
	}
	return s.broker.Leave(ctx)
}

// settleTimeout bounds the wait for the statuses of devices that left when shared sessions close.
const settleTimeout = 2 * time.Second

// settle waits until the statuses of devices that left are published.
func (s *Connector) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	for _, c := range s.conns {
		c.client.Settle(ctx)
	}
}
