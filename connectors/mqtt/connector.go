package mqtt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/exgate/exgate/connectors/internal/messageid"
	"github.com/exgate/exgate/runtime/gateway"
)

const (
	tickInterval = 500 * time.Millisecond
	warnInterval = 10 * time.Second
)

// Connector opens sessions at one broker.
type Connector struct {
	cfg     Config
	broker  address
	log     *slog.Logger
	metrics *counters
	ids     *messageid.Source
	dials   chan struct{}  // a place for each connection being opened
	quit    chan struct{}  // closed by Close
	workers sync.WaitGroup // the tick and the reconnects

	mu       sync.Mutex
	closed   bool                // guarded by mu, as all below
	sessions map[string]*Session // not ended, by client id
	links    map[*link]struct{}  // that paho has not shut down
	warned   time.Time
}

var _ gateway.Connector = (*Connector)(nil)

var errClosed = errors.New("the connector is closed")

// New returns a Connector. It does not dial: a broker that cannot be reached is an error of Connect. Errors name the setting that is wrong.
func New(cfg Config) (*Connector, error) {
	broker, err := parseURL(cfg)
	if err != nil {
		return nil, err
	}
	if cfg.hasNegative() {
		return nil, errors.New("MQTT connector: a duration or a limit is negative")
	}
	cfg = cfg.withDefaults()
	c := &Connector{
		cfg: cfg, broker: broker, log: cfg.Logger, metrics: newCounters(cfg.Metrics), ids: messageid.New(),
		dials: make(chan struct{}, cfg.MaxDials), quit: make(chan struct{}),
		sessions: map[string]*Session{}, links: map[*link]struct{}{},
	}
	c.workers.Go(c.tick)
	return c, nil
}

// Connect opens the session of a device. The wait for one of Config.MaxDials places is bounded by ctx, what follows by
// Config.ConnectTimeout too.
func (c *Connector) Connect(ctx context.Context, device gateway.Device, password string, down gateway.Downlink) (gateway.Session, error) {
	if device.ClientID == "" {
		return nil, &gateway.ResultError{Result: gateway.Refuse(gateway.CodeRequiredParamsMiss, "the client id is empty")}
	}
	s := &Session{connector: c, client: device.ClientInfo, password: password, down: down}
	l, err := c.open(ctx, s, c.cfg.SessionExpiry == 0)
	c.metrics.connected(err)
	if err != nil {
		return nil, err
	}
	old, err := c.admit(s, l)
	if err != nil {
		l.wire.fail(err)
		return nil, err
	}
	if old != nil { // mosquitto 2.0.11 closes it without DISCONNECT, and it would take the client id back
		old.lose(gateway.ReasonDiscarded.With("client id %q connected again", device.ClientID))
	}
	return s, nil
}

// admit makes l the link of a new session, and returns the session that had its client id here.
func (c *Connector) admit(s *Session, l *link) (old *Session, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errClosed
	}
	if l.dead {
		return nil, fmt.Errorf("the broker %s closed the connection after CONNACK", c.broker.hostPort)
	}
	s.link = l
	old = c.sessions[s.client.ClientID]
	c.sessions[s.client.ClientID] = s
	if old == nil {
		c.metrics.sessions.Inc()
	}
	return old, nil
}

// sessionEnded is called with the session's mu held: a session's comes before the connector's.
func (c *Connector) sessionEnded(s *Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sessions[s.client.ClientID] == s {
		delete(c.sessions, s.client.ClientID)
		c.metrics.sessions.Dec()
	}
}

func (c *Connector) linkEnded(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.links, l)
}

// tick sends pings and ends calls that wait for too long, for all sessions.
func (c *Connector) tick() {
	t := time.NewTicker(tickInterval)
	defer t.Stop()
	for {
		select {
		case now := <-t.C:
			for _, s := range c.current() {
				s.tick(now)
			}
		case <-c.quit:
			return
		}
	}
}

func (s *Session) tick(now time.Time) {
	s.mu.Lock()
	told, l := s.expire(now), s.link
	s.mu.Unlock()
	told.tell()
	if l != nil {
		l.heartbeat.tick(now, s.connector.cfg.PacketTimeout)
	}
}

func (c *Connector) current() []*Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]*Session, 0, len(c.sessions))
	for _, s := range c.sessions {
		list = append(list, s)
	}
	return list
}

// warnDown logs that the broker is away: once for all devices, and again after a while.
func (c *Connector) warnDown(cause error) {
	c.mu.Lock()
	now := time.Now()
	quiet := now.Sub(c.warned) < warnInterval
	if !quiet {
		c.warned = now
	}
	c.mu.Unlock()
	if !quiet {
		c.log.Warn("the broker cannot be reached for some devices; connecting again", "broker", c.broker.hostPort, "error", cause)
	}
}

// Close ends the sessions that are left, and waits for their connections until ctx ends.
func (c *Connector) Close(ctx context.Context) error {
	c.mu.Lock()
	first := !c.closed
	c.closed = true
	c.mu.Unlock()
	if !first {
		return nil
	}
	close(c.quit)
	for _, s := range c.current() {
		s.lose(gateway.ReasonShutdown)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.workers.Wait()
		for _, l := range c.left() {
			<-l.client.Done()
		}
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("closing connections to the broker %s: %w", c.broker.hostPort, ctx.Err())
	}
}

func (c *Connector) left() []*link {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]*link, 0, len(c.links))
	for l := range c.links {
		list = append(list, l)
	}
	return list
}
