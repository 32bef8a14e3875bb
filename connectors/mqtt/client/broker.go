package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/eclipse/paho.golang/paho"
	"golang.org/x/time/rate"

	"github.com/exgate/exgate/connectors/internal/messageid"
	"github.com/exgate/exgate/connectors/mqtt/wire"
	"github.com/exgate/exgate/internal/lograte"
	"github.com/exgate/exgate/internal/topic"
	"github.com/exgate/exgate/runtime/gateway"
)

const (
	tickInterval = 500 * time.Millisecond
	warnInterval = 10 * time.Second
)

// Broker is shared by all connectors to one broker and is closed with the last of them.
type Broker struct {
	cfg           Config
	servers       []wire.Server
	preferred     atomic.Int32 // index of the server that answered last
	connected     atomic.Int64 // connections on which the broker has answered CONNECT
	reach         *reach
	log           *slog.Logger
	metrics       *counters
	ids           *messageid.Source
	longestDelay  time.Duration // between two attempts to connect; tests shorten it
	dialSlots     chan struct{} // limits how many connections are opened at once
	drain         *rate.Limiter // rate of publishing from the spool after a reconnect
	spool         spoolHandle
	gatewayOwner  atomic.Pointer[Owner] // of the gateway client; nil unless shared sessions are used
	badTopics     lograte.Limiter
	badCodes      lograte.Limiter
	quit          chan struct{}  // closed when the last connector closes
	workers       sync.WaitGroup // ticks, reconnects, and opening the spool
	offenders     offenders
	logins        logins
	convictions   lograte.Limiter // limits log lines about convictions
	proberRefused atomic.Bool     // the broker has refused the prober's CONNECT
	willQoS       atomic.Int32    // highest QoS the broker accepts for a will
	noRetain      atomic.Bool     // the broker does not support retained messages

	mu         sync.Mutex
	users      int                  // open connectors; guarded by mu, like all fields below
	clients    map[*Client]struct{} // clients that have not ended
	links      map[*link]struct{}   // links that paho has not shut down
	backlogs   map[string]*backlog  // by the device's client id
	suspicions map[string]suspicion // of spooled messages whose backlog has no user, by client id
	own        *Client              // the gateway client; nil until needed
	probing    *prober              // nil until needed
	warned     time.Time
	outage     *outage // the latest
}

// ErrClosed is the error of calls after Close.
var ErrClosed = errors.New("the connector is closed")

func newBroker(cfg Config) (*Broker, error) {
	urls := cfg.URLs
	if cfg.URL != "" {
		urls = append([]string{cfg.URL}, urls...)
	}
	servers, err := wire.ParseServers(urls, cfg.TLS)
	if err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	b := &Broker{
		cfg: cfg, servers: servers, log: cfg.Logger, metrics: newCounters(cfg.Metrics), ids: messageid.New(),
		dialSlots: make(chan struct{}, cfg.MaxDials),
		drain:     rate.NewLimiter(rate.Limit(cfg.Spool.DrainRate), max(1, int(cfg.Spool.DrainRate/10))),
		quit:      make(chan struct{}),
		clients:   map[*Client]struct{}{}, links: map[*link]struct{}{}, backlogs: map[string]*backlog{},
		suspicions: map[string]suspicion{},
	}
	b.reach, b.longestDelay = newReach(), longestDelay
	b.willQoS.Store(2)
	b.spool.opened = make(chan struct{})
	b.workers.Go(b.tick)
	return b, nil
}

// Open returns the broker with its first connector, and starts opening the spool. It does not wait for either.
func Open(cfg Config) (*Broker, error) {
	b, err := newBroker(cfg)
	if err != nil {
		return nil, err
	}
	b.use()
	b.openSpool()
	if b.cfg.GatewayStatus.isSet() {
		b.GatewayClient()
	}
	return b, nil
}

// Config returns the configuration with its defaults.
func (b *Broker) Config() Config { return b.cfg }

// use registers a connector. It returns false if the broker is closed.
func (b *Broker) use() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.isClosed() {
		return false
	}
	b.users++
	return true
}

// Join registers the connector for shared sessions, of which there can be one. What happens on the gateway client is
// passed to o; if it has been connected before, o.Connected is called at once.
func (b *Broker) Join(o Owner) error {
	if !b.use() {
		return ErrClosed
	}
	if !b.gatewayOwner.CompareAndSwap(nil, &o) {
		return errors.Join(errors.New("shared sessions: the connector already exists"),
			b.Leave(context.Background()))
	}
	// Already connected, for a status or the spool.
	if own := b.existingGatewayClient(); own != nil && own.everConnected() {
		o.Connected(false)
	}
	return nil
}

func (b *Broker) isClosed() bool {
	select {
	case <-b.quit:
		return true
	default:
		return false
	}
}

func (b *Broker) clientBegan(c *Client) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.isClosed() {
		return ErrClosed
	}
	b.clients[c] = struct{}{}
	return nil
}

// clientEnded is called with the client's mu held; client.mu comes before broker.mu.
func (b *Broker) clientEnded(c *Client) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.clients, c)
}

func (b *Broker) linkBegan(l *link) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.links[l] = struct{}{}
}

func (b *Broker) linkEnded(l *link) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.links, l)
}

// tick sends pings and expires calls for all clients.
func (b *Broker) tick() {
	t := time.NewTicker(tickInterval)
	defer t.Stop()
	for {
		select {
		case now := <-t.C:
			for _, c := range snapshot(b, b.clients) {
				c.tick(now)
			}
		case <-b.quit:
			return
		}
	}
}

func snapshot[K comparable](b *Broker, set map[K]struct{}) []K {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]K, 0, len(set))
	for k := range set {
		list = append(list, k)
	}
	return list
}

// warnDown logs that the broker cannot be reached, at most once per warnInterval for all devices together.
func (b *Broker) warnDown(cause error) {
	b.mu.Lock()
	now := time.Now()
	quiet := now.Sub(b.warned) < warnInterval
	if !quiet {
		b.warned = now
	}
	b.mu.Unlock()
	if !quiet {
		b.log.Warn("the broker cannot be reached for some connections; connecting again", "broker", b.server().HostPort,
			"error", cause)
	}
}

// Leave is called once by each connector after it has closed its sessions. The last caller closes everything else and
// waits for that until ctx ends.
func (b *Broker) Leave(ctx context.Context) error {
	b.mu.Lock()
	b.users--
	last := b.users == 0
	if last {
		close(b.quit)
	}
	b.mu.Unlock()
	if !last {
		return nil
	}
	for _, c := range snapshot(b, b.clients) {
		c.Leave()
	}
	done := make(chan error, 1)
	go func() {
		b.workers.Wait()
		for _, l := range snapshot(b, b.links) {
			<-l.client.Done()
		}
		done <- b.spool.close()
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("closing connections to the broker %s: %w", b.server().HostPort, ctx.Err())
	}
}

// DiscardedBy is the close reason for a session replaced by a new login with the same client id.
func DiscardedBy(id string) gateway.CloseReason {
	return gateway.ReasonDiscarded.With("client id %q connected again", id)
}

// GatewayClient returns the gateway client, which carries traffic that belongs to no connected device: the gateway's
// status, messages left in the spool, and the control topic of shared sessions. It connects in the background and
// always reconnects. GatewayClient returns nil once the broker is closed.
func (b *Broker) GatewayClient() *Client {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.own == nil && !b.isClosed() {
		b.own = &Client{}
		b.initOwn(b.own, "gateway", gatewayEvents{b})
		b.own.status = b.cfg.GatewayStatus.ofNode(b.cfg.Node)
		b.own.reconnect()
	}
	return b.own
}

func (b *Broker) existingGatewayClient() *Client {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.own
}

// initOwn initializes c as a client with the gateway's account. mu must be held.
func (b *Broker) initOwn(c *Client, name string, o Owner) {
	c.init(b, "exgate-"+b.cfg.Node+"-"+name, o)
	c.username, c.password, c.onTakeover = b.cfg.Username, b.cfg.Password, reconnectOnTakeover
	b.clients[c] = struct{}{}
}

// NewOwn returns a client with the gateway's account, which connects when it is started and always reconnects. Its
// Receive Maximum is receiveMaximum or, if larger, Config.ReceiveMaximum.
func (b *Broker) NewOwn(name string, o Owner, receiveMaximum uint16) (*Client, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.isClosed() {
		return nil, ErrClosed
	}
	c := &Client{}
	b.initOwn(c, name, o)
	c.inboundMax = max(b.cfg.ReceiveMaximum, receiveMaximum)
	return c, nil
}

// publishLeftover publishes the spooled messages of a device that has no session.
func (b *Broker) publishLeftover(id string) {
	if c := b.GatewayClient(); c != nil {
		l := &PublishQueue{client: c, leftover: true}
		l.store(id)
	}
}

// gatewayEvents passes what happens on the gateway client to the connector for shared sessions, if there is one.
type gatewayEvents struct{ broker *Broker }

var _ Owner = gatewayEvents{}

func (e gatewayEvents) Message(p *paho.Publish) {
	if o := e.broker.gatewayOwner.Load(); o != nil {
		(*o).Message(p)
	}
}

func (e gatewayEvents) Resuming(present bool) {
	if o := e.broker.gatewayOwner.Load(); o != nil {
		(*o).Resuming(present)
	}
}

func (e gatewayEvents) Connected(present bool) {
	if o := e.broker.gatewayOwner.Load(); o != nil {
		(*o).Connected(present)
	}
}

func (gatewayEvents) Lost(gateway.CloseReason) {} // never called; this client always reconnects

// IsControl reports whether a topic or (shared) filter is at or below the control topic or the topic of states, which
// devices must not use. It returns false for wildcard filters that match them; messages from there are dropped instead.
func (b *Broker) IsControl(name string) bool {
	inner, _ := topic.Unshare(name)
	return isBelow(inner, b.cfg.ControlTopic) || b.cfg.StateTopic != "" && isBelow(inner, b.cfg.StateTopic)
}

func isBelow(name, prefix string) bool {
	rest, below := strings.CutPrefix(name, prefix)
	return below && (rest == "" || rest[0] == '/')
}
