package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/exgate/exgate/connectors/access"
	"github.com/exgate/exgate/connectors/internal/messageid"
	"github.com/exgate/exgate/internal/lograte"
	"github.com/exgate/exgate/internal/topic"
	"github.com/exgate/exgate/runtime/gateway"
)

const (
	maxPacketSize       = 4 << 20  // bytes; a network client that sends a larger packet is disconnected
	pendingWrites       = 8 * 1024 // messages on the way into the queue of one network client, see outQueue
	sysTopicInterval    = 365 * 24 * 3600
	inlineSubscription  = 1
	defaultMaxClients   = 256
	networkListenerName = "network"
)

// Config configures a Broker. The zero value is a broker for the gateway's devices only, which allows everything.
type Config struct {
	// Listener accepts MQTT clients. The broker closes it, unless New fails. If zero, it serves devices only.
	Listener net.Listener

	// MaxClients limits the connections to Listener. If zero, 256.
	MaxClients int

	// Authenticator decides which devices and network clients may connect. Clients that it ignores may not. If zero,
	// all may.
	Authenticator access.Authenticator

	// ACL decides what a client may publish and subscribe to if the Authenticator's answer has no rules. If zero,
	// everything is allowed.
	ACL access.ACL

	// Logger receives warnings and errors. If zero, slog.Default().
	Logger *slog.Logger

	// Metrics counts sessions and messages. If zero, a private unregistered set.
	Metrics *Metrics
}

// Broker is the embedded MQTT broker. It is a [gateway.Connector] for the gateway's devices.
type Broker struct {
	server  *mochi.Server
	inline  *mochi.Client // publishes for device sessions
	auth    access.Authenticator
	acl     access.ACL // nil: everything is allowed
	log     *slog.Logger
	metrics *Metrics
	ids     *messageid.Source
	network *boundedListener // nil without Listener
	index   topic.Index[subscriber]
	shared  sync.Map // share id (string) -> *Session
	retain  retained
	logged  lograte.Limiter // limits the lines about refused clients

	mu       sync.Mutex
	sessions map[string]*Session // by client id; guarded by mu
	closed   bool                // guarded by mu
}

var _ gateway.Connector = (*Broker)(nil)

// New starts a broker. Errors name the setting, or the file and line, at fault.
func New(cfg Config) (*Broker, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	b := &Broker{
		auth: cfg.Authenticator, acl: cfg.ACL, log: cfg.Logger, metrics: cfg.Metrics,
		ids: messageid.New(), sessions: map[string]*Session{},
	}
	b.server = newServer()
	b.inline = b.server.NewClient(nil, mochi.LocalListener, "", true)
	b.inline.Properties.ProtocolVersion = 5 // otherwise the retained messages of devices do not expire
	if err := b.start(cfg); err != nil {
		return nil, err
	}
	return b, nil
}

func (cfg *Config) setDefaults() error {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
	if cfg.MaxClients < 0 {
		return errors.New("embedded broker: MaxClients is negative")
	}
	if cfg.MaxClients == 0 {
		cfg.MaxClients = defaultMaxClients
	}
	return nil
}

// newServer configures mochi. Its log is discarded because it prints whole packets with their passwords; the hook logs
// instead.
func newServer() *mochi.Server {
	c := mochi.NewDefaultServerCapabilities()
	c.MaximumClientWritesPending = pendingWrites
	c.MaximumPacketSize = maxPacketSize
	c.MaximumSessionExpiryInterval = 0
	c.MaximumMessageExpiryInterval = 0 // otherwise messages without an expiry get one of a day
	// otherwise acknowledgements repeat the properties of the publish, and a reason code that MQTT does not define
	c.Compatibilities.NoInheritedPropertiesOnAck = true
	c.TopicAliasMaximum = 0 // mochi checks access before it resolves an alias, and stores aliases without a limit
	return mochi.New(&mochi.Options{
		Capabilities:           c,
		Logger:                 slog.New(slog.DiscardHandler),
		SysTopicResendInterval: sysTopicInterval,
	})
}

func (b *Broker) start(cfg Config) error {
	if err := b.server.AddHook(&hook{broker: b}, nil); err != nil {
		return fmt.Errorf("starting the embedded broker: %w", err)
	}
	b.server.Topics.InlineSubscribe(mochi.InlineSubscription{
		Subscription: packets.Subscription{Filter: "#", Identifier: inlineSubscription},
		Handler:      func(_ *mochi.Client, _ packets.Subscription, pk packets.Packet) { b.dispatch(pk) },
	})
	if cfg.Listener != nil {
		b.network = newBoundedListener(cfg.Listener, cfg.MaxClients, b.log, b.metrics)
		if err := b.server.AddListener(listeners.NewNet(networkListenerName, b.network)); err != nil {
			return fmt.Errorf("starting the embedded broker: %w", err)
		}
	}
	if err := b.server.Serve(); err != nil {
		return fmt.Errorf("starting the embedded broker: %w", err)
	}
	return nil
}

// Addr returns the address for MQTT clients, or nil without Config.Listener.
func (b *Broker) Addr() net.Addr {
	if b.network == nil {
		return nil
	}
	return b.network.Addr()
}

// Close ends every session and connection. It waits until ctx ends for the goroutines of the connections.
func (b *Broker) Close(ctx context.Context) error {
	left, first := b.shut()
	if !first {
		return nil // mochi panics when it is closed twice
	}
	for _, s := range left {
		s.lose(gateway.ReasonShutdown)
	}
	if b.network != nil {
		b.network.closeAll()
	}
	done := make(chan error, 1)
	go func() { done <- b.server.Close() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("closing the embedded broker: %w", ctx.Err())
	}
}

// shut rejects new sessions from now on and returns the open ones. first is false if it was called before.
func (b *Broker) shut() (left []*Session, first bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, false
	}
	b.closed = true
	left = make([]*Session, 0, len(b.sessions))
	for _, s := range b.sessions {
		left = append(left, s)
	}
	return left, true
}
