package mqtt

import (
	"encoding/json"
	"strings"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"github.com/exgate/exgate/internal/topic"
	"github.com/exgate/exgate/runtime/gateway"
)

const (
	maxClaims     = 500       // in one message
	maxClaimBytes = 512 << 10 // of one message; a longer one is ignored. The longest client id fits, with each byte escaped
	probeTimeout  = 5 * time.Second
)

// control tells other gateways at the same broker which devices have logged in here, and hears which have there: the one that logged in last keeps its
// client id. Each login has an epoch, and the largest wins; a gateway's next epoch is above every one that it has seen, so clocks may differ.
type control struct {
	shared *Shared
	claims string // the topic

	mu      sync.Mutex
	epoch   uint64            // the largest so far, microseconds since 1970 or above; guarded by mu, as below
	pending map[string]uint64 // logins to be told, epochs by client id
	sending bool              // a message is not acknowledged
}

// announcement is the JSON of a message on the control topic.
type announcement struct {
	Node   string  `json:"node"`
	Claims []claim `json:"claims"`
}

// claim says that a client id is logged in since an epoch.
type claim struct {
	ID    string `json:"id"`
	Epoch uint64 `json:"epoch"`
}

func newControl(s *Shared) *control {
	return &control{shared: s, claims: s.broker.cfg.ControlTopic + "/claims", pending: map[string]uint64{}}
}

// isControl reports whether a topic, or a filter that may be shared, is at or below the control topic: the gateways' own, and no device's. A filter that
// reaches it with wildcards is not; what comes from there is dropped.
func (b *broker) isControl(name string) bool {
	inner, _ := topic.Unshare(name)
	rest, below := strings.CutPrefix(inner, b.cfg.ControlTopic)
	return below && (rest == "" || rest[0] == '/')
}

// controlRefused is the result of a device's call with the control topic.
func controlRefused(what, name string) gateway.Result {
	return gateway.Refuse(gateway.CodePermissionDeny, "%s %.100q is not allowed: gateways use it among themselves (upstream.control_topic)", what, name)
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

// claim tells the others of a login, soon.
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

// withdraw does not tell of a login that has ended already. While the broker is away, there is no bound to them.
func (c *control) withdraw(id string, epoch uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pending[id] == epoch {
		delete(c.pending, id)
	}
}

// take removes as many claims from what is pending as a message takes. mu must be held.
func (c *control) take() (claims []claim) {
	size := 1 << 10 // of the node's name and the brackets
	for id, epoch := range c.pending {
		size += 6*len(id) + 64 // \u003c is the longest that a byte becomes
		if len(claims) > 0 && (size > maxClaimBytes || len(claims) == maxClaims) {
			break
		}
		claims = append(claims, claim{id, epoch})
		delete(c.pending, id)
	}
	return claims
}

// tell publishes what is pending: one message at a time, with many claims where many devices log in.
func (c *control) publishPending() {
	c.mu.Lock()
	a := announcement{c.shared.broker.cfg.Node, c.take()}
	c.sending = len(a.Claims) > 0
	c.mu.Unlock()
	own := c.shared.broker.gatewayClient()
	if len(a.Claims) == 0 || own == nil {
		return
	}
	text, _ := json.Marshal(a)
	own.submit(call{
		kind: publishing, topic: c.claims, payload: text, qos: 1, queue: &own.ownQueue,
		done: func(r gateway.Result) { c.acknowledged(r, a.Claims) },
	})
}

// told goes on with what has come meanwhile. It does not recurse: results may come before submit returns.
func (c *control) acknowledged(r gateway.Result, claims []claim) {
	if r.Code == gateway.CodeConnProcessNotAlive {
		return
	}
	if !r.Ok() {
		c.shared.broker.log.Warn("other gateways were not told which devices logged in here (upstream.control_topic)",
			"topic", c.claims, "devices", len(claims), "error", r.Message)
	}
	go c.publishPending()
}

// connected listens to the others. Where the broker has lost the session, it may have lost what they said too: all say again who is where.
func (c *control) connected(present bool) {
	own := c.shared.broker.gatewayClient()
	if own == nil {
		return
	}
	if !present {
		own.submit(call{kind: subscribing, topic: c.claims, qos: 1, queue: &own.ownQueue, done: c.subscribed})
		for _, s := range c.shared.all() {
			c.claim(s.device.ClientID, s.epoch)
		}
	}
	c.shared.mode.find(own, c.shared.broker.cfg.ControlTopic+"/probe/"+cleanLevel(c.shared.broker.cfg.Node))
}

func (c *control) subscribed(r gateway.Result) {
	if !r.Ok() && r.Code != gateway.CodeConnProcessNotAlive {
		c.shared.broker.log.Error("a device that logs in at another gateway will not be noticed here (upstream.control_topic)",
			"topic", c.claims, "error", r.Message)
	}
}

// message takes what came on the control topics.
func (c *control) message(p *paho.Publish) {
	if p.Topic != c.claims {
		c.shared.mode.heard(p)
		return
	}
	var a announcement
	if len(p.Payload) > maxClaimBytes || json.Unmarshal(p.Payload, &a) != nil {
		c.shared.broker.metrics.dropped.WithLabelValues(dropClaim).Inc()
		return
	}
	if a.Node == c.shared.broker.cfg.Node {
		return
	}
	for _, other := range a.Claims {
		c.compare(a.Node, other)
	}
}

// compare ends the session of a device that has logged in elsewhere since, and says so where it was before.
func (c *control) compare(node string, other claim) {
	if other.Epoch > uint64(time.Now().Add(farFuture).UnixMicro()) {
		c.shared.broker.metrics.dropped.WithLabelValues(dropClaim).Inc()
		return
	}
	c.observe(other.Epoch)
	s := c.shared.session(other.ID)
	switch {
	case s == nil:
	case other.Epoch > s.epoch || (other.Epoch == s.epoch && node > c.shared.broker.cfg.Node):
		c.shared.broker.metrics.losses.WithLabelValues(lossTakenOver).Inc()
		s.lose(gateway.ReasonDiscarded.With("client id %q logged in at gateway %q", other.ID, node))
	default:
		c.claim(s.device.ClientID, s.epoch)
	}
}

// farFuture is by how much clocks may differ. An epoch beyond it is a mistake or an attack: it would win for ever.
const farFuture = 24 * time.Hour
