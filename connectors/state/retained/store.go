package retained

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/exgate/exgate/internal/lograte"
	"github.com/exgate/exgate/runtime/gateway"
)

// grace is how long a login waits for the retained message of a device that may have none: MQTT does not say that
// there is none. A device has one from its first login on.
const grace = time.Second

// Config configures a Store. Connector, Client and Topic are required.
type Config struct {
	// Connector reaches the broker. Close closes it.
	Connector gateway.Connector
	// Client and Password are the gateway's own account. The client id must be used by no other process.
	Client   gateway.ClientInfo
	Password string
	// Topic is the prefix of the topics. All gateways of a fleet need the same. Nobody else may use them.
	Topic string
	// ValueBytes bounds one value.
	ValueBytes int
	// Logger receives log messages. If nil, slog.Default().
	Logger *slog.Logger
}

// Store keeps the state of devices at the broker. Its methods are safe for concurrent use.
type Store struct {
	cfg      Config
	failures lograte.Limiter

	connecting sync.Mutex // one Connect at a time

	mu      sync.Mutex
	session gateway.Session   // nil until the first login, and after it was lost; guarded by mu
	owned   map[string]*owned // by topic, until its last save is done; guarded by mu
	closed  bool              // guarded by mu
}

var (
	_ gateway.StateStore = (*Store)(nil)
	_ gateway.Downlink   = (*Store)(nil)
)

// New returns a Store. It connects at the first login.
func New(cfg Config) *Store {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return &Store{cfg: cfg, owned: make(map[string]*owned)}
}

// MaxBytes implements [gateway.StateStore].
func (s *Store) MaxBytes() int { return s.cfg.ValueBytes }

// Open implements [gateway.StateStore]. It waits for the last save of the previous owner in this gateway, reads the
// retained message, and writes it again as the new owner.
func (s *Store) Open(ctx context.Context, key gateway.StateKey) (gateway.OwnedState, []byte, error) {
	o := &owned{
		store: s, topic: topicOf(s.cfg.Topic, key), arrived: make(chan struct{}, 1), echoed: make(chan struct{}, 1),
		idle: make(chan struct{}), current: record{owner: rand.Uint64()}, //nolint:gosec // an owner is no secret
	}
	if err := s.register(ctx, o); err != nil {
		return nil, nil, s.failed(err)
	}
	if err := o.claim(ctx); err != nil {
		o.Close()
		return nil, nil, s.failed(err)
	}
	return o, o.current.value, nil
}

// failed logs why a state cannot be read, and returns the result of the login.
func (s *Store) failed(err error) error {
	if suppressed, ok := s.failures.Allow(time.Now()); ok {
		s.cfg.Logger.Warn("cannot read the state of a device from the broker", "topic", s.cfg.Topic, "error", err,
			"suppressed", suppressed)
	}
	return &gateway.ResultError{Result: gateway.Refuse(gateway.CodeUnknown,
		"the state of the device cannot be read from the broker (upstream.state)")}
}

// register makes o the owner of its topic, once the previous one has ended.
func (s *Store) register(ctx context.Context, o *owned) error {
	for {
		s.mu.Lock()
		before := s.owned[o.topic]
		if before == nil {
			s.owned[o.topic] = o
			s.mu.Unlock()
			return nil
		}
		s.mu.Unlock()
		select {
		case <-before.idle:
		case <-ctx.Done():
			return fmt.Errorf("waiting for the last save of an earlier connection: %w", ctx.Err())
		}
	}
}

// open returns the session, and opens one if there is none.
func (s *Store) open(ctx context.Context) (gateway.Session, error) {
	if session, err := s.current(); session != nil || err != nil {
		return session, err
	}
	s.connecting.Lock()
	defer s.connecting.Unlock()
	if session, err := s.current(); session != nil || err != nil {
		return session, err
	}
	session, err := s.cfg.Connector.Connect(ctx, gateway.Device{ClientInfo: s.cfg.Client}, s.cfg.Password, s)
	if err != nil {
		return nil, fmt.Errorf("connecting as %q: %w", s.cfg.Client.ClientID, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		session.Close()
		return nil, errClosed
	}
	s.session = session
	for topic, o := range s.owned { // those of a session that was lost
		if o.isClaimed() {
			session.Subscribe(topic, 0, func(gateway.Result) {})
		}
	}
	return session, nil
}

var errClosed = fmt.Errorf("the gateway is stopping")

func (s *Store) current() (gateway.Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	return s.session, nil
}

// forget removes an owner whose last save is done.
func (s *Store) forget(o *owned) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owned[o.topic] != o {
		return
	}
	delete(s.owned, o.topic)
	if s.session != nil {
		s.session.Unsubscribe(o.topic, func(gateway.Result) {})
	}
	close(o.idle)
}

// Deliver implements [gateway.Downlink].
func (s *Store) Deliver(m gateway.Message) bool {
	r, ok := parse(m.Payload)
	if !ok {
		s.noState(m)
		return false
	}
	s.mu.Lock()
	o := s.owned[m.Topic]
	s.mu.Unlock()
	if o == nil {
		return false
	}
	o.seen(r)
	return true
}

// noState logs a message that is not a state. The device gets none, and its next save replaces the message.
func (s *Store) noState(m gateway.Message) {
	if len(m.Payload) == 0 {
		return
	}
	if suppressed, ok := s.failures.Allow(time.Now()); ok {
		s.cfg.Logger.Warn("a message below upstream.state_topic is not the state of a device; only gateways may "+
			"publish there", "topic", m.Topic, "bytes", len(m.Payload), "suppressed", suppressed)
	}
}

// SessionLost implements [gateway.Downlink]: the next login or save opens a new session.
func (s *Store) SessionLost(reason gateway.CloseReason) {
	s.cfg.Logger.Warn("the session for the state of devices was lost", "reason", reason.Name)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.session = nil
}

// Close ends the session, once the saves under way are done or ctx ends.
func (s *Store) Close(ctx context.Context) error {
	for _, o := range s.remaining() {
		select {
		case <-o.idle:
		case <-ctx.Done():
		}
	}
	s.mu.Lock()
	session := s.session
	s.session, s.closed = nil, true
	s.mu.Unlock()
	if session != nil {
		session.Close()
	}
	return s.cfg.Connector.Close(ctx)
}

// remaining returns the owners that have not ended yet.
func (s *Store) remaining() (all []*owned) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.owned {
		all = append(all, o)
	}
	return all
}
