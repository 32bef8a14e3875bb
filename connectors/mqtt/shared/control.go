package shared

import (
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"github.com/exgate/exgate/connectors/mqtt/client"
	"github.com/exgate/exgate/runtime/gateway"
)

const (
	maxClaims = 500 // per message
	// Per message; longer ones are ignored. The longest client id fits even if every byte is escaped.
	maxClaimBytes = 512 << 10
)

// control announces logins to the other gateways at the broker and receives theirs, so that the latest login with a
// client id ends the others. Each login has an epoch, and the largest wins. A gateway's next epoch is larger than any
// it has seen, so clocks may differ.
type control struct {
	shared *Connector
	log    *slog.Logger
	node   string // name of this gateway
	topic  string // below it are the topics of claims and of the probe
	claims string // the topic of claims

	mu sync.Mutex
	// the largest seen, at least the microseconds since 1970; guarded by mu, like all fields below
	epoch   uint64
	pending map[string]uint64 // logins to announce: epochs by client id
	sending bool              // a message is unacknowledged
}

// announcement is the JSON of a message on the control topic.
type announcement struct {
	Node   string  `json:"node"`
	Claims []claim `json:"claims"`
}

// claim announces the login of a client id.
type claim struct {
	ID    string `json:"id"`
	Epoch uint64 `json:"epoch"`
}

var _ client.Owner = (*control)(nil) // of the gateway client

func newControl(s *Connector) *control {
	cfg := s.broker.Config()
	return &control{
		shared: s, log: cfg.Logger, node: cfg.Node, topic: cfg.ControlTopic, claims: cfg.ControlTopic + "/claims",
		pending: map[string]uint64{},
	}
}

func (c *control) nextEpoch() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch = max(c.epoch+1, uint64(time.Now().UnixMicro()))
	return c.epoch
}

func (c *control) observe(epoch uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch = max(c.epoch, epoch)
}

// claim announces a login soon.
func (c *control) claim(id string, epoch uint64) {
	c.mu.Lock()
	c.pending[id] = max(c.pending[id], epoch)
	start := !c.sending
	c.sending = true
	c.mu.Unlock()
	if start {
		c.publishPending()
	}
}

// withdraw drops the pending claim of a login that has ended, so that claims do not pile up while the broker is down.
func (c *control) withdraw(id string, epoch uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pending[id] == epoch {
		delete(c.pending, id)
	}
}

// take removes and returns as many pending claims as fit in a message. mu must be held.
func (c *control) take() (claims []claim) {
	size := 1 << 10 // for the node's name and the brackets
	for id, epoch := range c.pending {
		size += 6*len(id) + 64 // a byte becomes at most \u003c
		if len(claims) > 0 && (size > maxClaimBytes || len(claims) == maxClaims) {
			break
		}
		claims = append(claims, claim{id, epoch})
		delete(c.pending, id)
	}
	return claims
}

// publishPending publishes the pending claims, one message at a time.
func (c *control) publishPending() {
	c.mu.Lock()
	a := announcement{c.node, c.take()}
	c.sending = len(a.Claims) > 0
	c.mu.Unlock()
	own := c.shared.broker.GatewayClient()
	if len(a.Claims) == 0 || own == nil {
		return
	}
	text, _ := json.Marshal(a)
	own.Publish(c.claims, 1, text, func(r gateway.Result) { c.acknowledged(r, a.Claims) })
}

// acknowledged publishes what is pending now. It does not recurse: results may arrive before Publish returns.
func (c *control) acknowledged(r gateway.Result, claims []claim) {
	if r.Code == gateway.CodeConnProcessNotAlive {
		return
	}
	if !r.Ok() {
		c.log.Warn("cannot announce logins to other gateways (upstream.control_topic)",
			"topic", c.claims, "devices", len(claims), "error", r.Message)
	}
	go c.publishPending()
}

// Connected subscribes to the claims of other gateways. If the broker has lost the session, claims may have been lost
// too, so all gateways announce their sessions again.
func (c *control) Connected(present bool) {
	own := c.shared.broker.GatewayClient()
	if own == nil {
		return
	}
	if !present {
		own.Subscribe(c.claims, 1, 0, c.subscribed)
		for _, s := range c.shared.all() {
			c.claim(s.device.ClientID, s.epoch)
		}
	}
	c.shared.mode.find(own, c.topic+"/probe/"+client.CleanLevel(c.node))
}

func (c *control) subscribed(r gateway.Result) {
	if !r.Ok() && r.Code != gateway.CodeConnProcessNotAlive {
		c.log.Error(
			"logins at other gateways will not end sessions here: cannot subscribe (upstream.control_topic)",
			"topic", c.claims, "error", r.Message)
	}
}

// Message handles a message on the control topics.
func (c *control) Message(p *paho.Publish) {
	if p.Topic != c.claims {
		c.shared.mode.heard(p)
		return
	}
	var a announcement
	if len(p.Payload) > maxClaimBytes || json.Unmarshal(p.Payload, &a) != nil {
		c.shared.broker.CountDropped(dropClaim)
		return
	}
	if a.Node == c.node {
		return
	}
	for _, other := range a.Claims {
		c.compare(a.Node, other)
	}
}

// Resuming does nothing: the gateway client has no routes.
func (*control) Resuming(bool) {}

// Lost is never called; the gateway client always reconnects.
func (*control) Lost(gateway.CloseReason) {}

// compare ends the session of a device that has logged in elsewhere later, and repeats the claim of one that has not.
func (c *control) compare(node string, other claim) {
	if other.Epoch > uint64(time.Now().Add(farFuture).UnixMicro()) {
		c.shared.broker.CountDropped(dropClaim)
		return
	}
	c.observe(other.Epoch)
	s := c.shared.session(other.ID)
	switch {
	case s == nil:
	case other.Epoch > s.epoch || (other.Epoch == s.epoch && node > c.node):
		c.shared.broker.CountTakeover()
		s.lose(gateway.ReasonDiscarded.With("client id %q logged in at gateway %q", other.ID, node))
	default:
		c.claim(s.device.ClientID, s.epoch)
	}
}

// farFuture bounds how far clocks may differ. An epoch beyond it is an error or an attack: it would win forever.
const farFuture = 24 * time.Hour
