package mqtt

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"github.com/exgate/exgate/internal/topic"
	"github.com/exgate/exgate/runtime/gateway"
)

// client is an MQTT client at the broker. It outlives its connections: what waits for an acknowledgement then waits on the next one. A
// session of its own is one lane on a client; of shared sessions many are lanes on one.
type client struct {
	broker     *broker
	id         string
	username   string
	owner      owner
	device     *gateway.Device // whose client it is; nil: the gateway's own
	status     Status          // of who is connected through it
	inboundMax uint16          // ReceiveMaximum
	onTakeover takeoverPolicy
	prober     *prober // of the prober's own client

	willRefused atomic.Bool // the broker lets the client connect without its status only

	mu           sync.Mutex
	password     string              // guarded by mu, as all below
	ended        bool                //
	link         *link               // nil while the connection is lost
	quota        int                 // publishes of QoS 1 and 2 that the broker takes before the next acknowledgement
	inflight     map[uint16]*call    // publishes of QoS 1 and 2 by packet id, sent once or again
	resends      []*call             // those of a lost connection that are not sent again yet, in order
	waiting      map[uint16]*call    // SUBSCRIBE and UNSUBSCRIBE by packet id, sent and not acknowledged
	blocked      []*publishQueue     // wait for room or quota, in turn
	filters      map[string]filter   // what the broker has acknowledged
	received     map[uint16]struct{} // ids of QoS 2 messages that were delivered and the broker has not released
	ownQueue     publishQueue        // of calls that are no device's
	lastID       uint16
	lastSeq      uint64
	attempt      int       // of connecting again
	losses       []*outage // the last few without a reason
	wasConnected bool      // has been connected
	linked       time.Time // when the last connection began
	replaced     bool      // another client of this gateway has, or may have, replaced the session at the broker
	failure      error     // of the last attempt to connect

	connects       []time.Time              // of connecting again, the last few
	trials         []*call                  // suspects that are to be tried, each alone or a few at once
	trying         []*call                  // those under way
	window         int                      // how many may be
	tryLater       bool                     // a timer calls try
	probing        map[*call]bool           // calls of held lanes that the prober tries
	acquitted      []*call                  // SUBSCRIBE and UNSUBSCRIBE that passed their trial and are to be sent here
	freed          []uint16                 // packet ids of QoS 2 publishes that the prober tries
	topicQueues    map[string]*publishQueue // lanes of suspicious topics and filters of house, by topic
	perPacket      int                      // filters of a SUBSCRIBE after a loss; 0: filtersPerPacket
	filterEnds     map[string]int           // what speaks against filters that are subscribed again
	suspectFilters map[string]bool          // those of filters that are not subscribed again before their trial
	written        []written                // publishes of QoS 0 since the last PINGREQ
	asked          []written                // those before it, while it is unanswered
	barrier        uint32                   // its number; 0: none
	round          uint32                   // of PINGREQs for QoS 0
	wrote          int                      // ticks for which a QoS 0 publish of a device counts as not read
	qos0Ends       int                      // how often the connection ended with such a publish
	qos0At         time.Time                // when it did last
	stop           context.CancelFunc
}

const (
	settleInterval = 10 * time.Millisecond // how often settle looks
	settleTimeout  = 2 * time.Second       // how long a client that is closed may settle
)

// rivalry is what a client does when another one takes its client id.
type takeoverPolicy bool

const (
	endOnTakeover       takeoverPolicy = false // it ends: the other one is the device now
	reconnectOnTakeover takeoverPolicy = true  // it comes back after a while: the id is the gateway's own
)

// owner is whom a client is for. No lock is held in its calls.
type owner interface {
	message(m *paho.Publish)
	resuming(present bool) // before anything is sent over a new connection; present: the broker still had the session
	connected(present bool)
	lost(reason gateway.CloseReason)
}

// filter is a subscription.
type filter struct {
	name string
	qos  byte
	id   uint32 // Subscription Identifier; 0: none
}

var (
	resultEnded = gateway.Refuse(gateway.CodeConnProcessNotAlive, "the session has ended")
	resultDown  = gateway.Refuse(gateway.CodeUnknown, "the broker cannot be reached: the QoS 0 message is dropped")
	resultFull  = gateway.Refuse(gateway.CodeLimit, "too many calls wait for the broker")
)

func (c *client) init(b *broker, id string, o owner) {
	c.broker, c.id, c.owner, c.inboundMax = b, id, o, b.cfg.ReceiveMaximum
	c.ownQueue.client, c.ownQueue.unordered, c.round = c, true, 1
}

// attach makes l the connection. It needs mu.
func (c *client) attach(l *link) {
	c.link, c.quota, c.wasConnected, c.linked, c.replaced = l, int(l.receiveMax), true, l.began, false
}

// announce says at the broker that the client is connected, where it has a status.
func (c *client) announce() {
	if s := c.status; s.isSet() && !c.willRefused.Load() {
		c.submit(call{from: c.device, kind: publishing, topic: s.Topic, payload: []byte(s.Online), qos: s.QoS, retain: s.Retain, queue: &c.ownQueue})
	}
}

// submit sends the call on its lane or queues it there, and reports its refusal.
func (c *client) submit(k call) {
	if r := k.check(); !r.Ok() {
		finish(k.done, r)
		return
	}
	c.mu.Lock()
	var cb callbacks
	k.queue = c.queueOf(&k)
	r, finished := k.queue.accept(k, &cb)
	c.mu.Unlock()
	if finished {
		finish(k.done, r)
	}
	cb.run()
}

// submitUp sends the call if there is a connection, after what waits before it on its lane, and reports whether it was taken. A result that is not OK
// says that it never will be.
func (c *client) submitUp(k *call) (r gateway.Result, taken bool) {
	var cb callbacks
	c.mu.Lock()
	defer func() {
		c.mu.Unlock()
		cb.runAsync()
	}()
	switch {
	case c.ended:
		return resultEnded, false
	case c.link == nil:
		return gateway.OK, false
	}
	k.queue = c.queueOf(k)
	r, finished := k.queue.accept(*k, &cb)
	return r, !finished
}

// disown forgets a subscription, so that it is not made again.
func (c *client) dropFilter(filter string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.filters, filter)
	c.acquitFilter(filter)
}

func (c *client) knowsNoSubIDs() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.link != nil && c.link.noSubIDs
}

func (c *client) lastFailure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failure
}

// settle waits until everything of the house lane has been answered, the connection is lost or ctx ends.
func (c *client) settle(ctx context.Context) {
	t := time.NewTicker(settleInterval)
	defer t.Stop()
	for !c.isSettled() {
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

func (c *client) isSettled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link == nil {
		return true
	}
	for _, k := range c.inflight {
		if k.queue == &c.ownQueue {
			return false
		}
	}
	return c.ownQueue.pending.empty()
}

// check finds what is wrong with the arguments.
func (k *call) check() gateway.Result {
	var err error
	if k.kind == publishing {
		err = topic.CheckName(k.topic)
	} else {
		err = topic.CheckFilter(k.topic)
	}
	if err != nil {
		return gateway.Refuse(gateway.CodeParamsTypeError, "%v", err)
	}
	if k.qos > 2 {
		return gateway.Refuse(gateway.CodeParamsTypeError, "QoS %d does not exist", k.qos)
	}
	return gateway.OK
}

// canTake reports whether c can send k now. If not, its lane is to wait in blocked. It needs mu.
func (c *client) canTake(k *call) bool {
	if c.link == nil || c.isTrying() || (k.needsQuota() && (c.quota <= 0 || len(c.resends) > 0)) {
		return false
	}
	return c.link.wire.HasRoom()
}

// unblock lets lanes go on that waited. It needs mu.
func (c *client) unblock() (cb callbacks) {
	cb = c.resend()
	c.sendAcquitted()
	cb = append(cb, c.try()...)
	for len(c.blocked) > 0 && c.link != nil {
		l := c.blocked[0]
		if k := l.head(); k != nil && !l.diverted && !c.canTake(k) {
			break
		}
		c.blocked[0] = nil
		c.blocked = c.blocked[1:]
		l.blocked = false
		cb = append(cb, l.pump()...)
	}
	if len(c.blocked) == 0 {
		c.blocked = nil
	}
	return cb
}

// drained is called when the wire has room again.
func (c *client) drained() {
	c.mu.Lock()
	cb := c.unblock()
	c.mu.Unlock()
	cb.run()
}

func (c *client) tick(now time.Time) {
	c.mu.Lock()
	cb, l := c.expire(now), c.link
	c.tickQoS0(now)
	c.mu.Unlock()
	cb.run()
	if l != nil {
		l.heartbeat.Tick(now, c.broker.cfg.PacketTimeout)
	}
	if c.prober != nil {
		c.prober.retire(now)
	}
}

// leave ends the client at the broker too, unless it has ended.
func (c *client) leave() {
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return
	}
	l := c.link
	cb := c.end()
	c.mu.Unlock()
	if l != nil {
		l.disconnect(c.keepsSession(), c.status.isSet())
	}
	cb.run()
}

// keepsSession reports whether the broker is to keep what it has of the client after its goodbye.
func (c *client) keepsSession() bool { return c.device != nil && c.broker.cfg.SessionExpiry > 0 }

// end leaves the client without a link and with every call finished. It needs mu.
func (c *client) end() (cb callbacks) {
	l := c.link
	c.ended, c.link = true, nil
	if c.stop != nil {
		c.stop()
	}
	for _, k := range c.inflight {
		cb.add(k, resultEnded)
		cb = append(cb, k.leaveLate(l)...)
	}
	for _, k := range c.waiting {
		cb.add(k, resultEnded)
	}
	cb = append(cb, c.endTrials()...)
	for _, l := range c.busy() {
		cb = append(cb, l.finish(resultEnded)...)
	}
	c.inflight, c.resends, c.waiting, c.blocked, c.filters, c.received, c.password = nil, nil, nil, nil, nil, nil, ""
	c.broker.clientEnded(c)
	return cb
}

// busy lists the lanes that may have something queued: each of them waits for room or for an acknowledgement. It needs mu.
func (c *client) busy() []*publishQueue {
	lanes := slices.Clone(c.blocked)
	for _, k := range c.inflight {
		if !k.queue.blocked {
			lanes = append(lanes, k.queue)
		}
	}
	return append(lanes, &c.ownQueue)
}

// secret is the password, until the client ends.
func (c *client) secret() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.password
}

func finish(done gateway.Done, r gateway.Result) {
	if done != nil {
		done(r)
	}
}
