package client

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"github.com/exgate/exgate/internal/topic"
	"github.com/exgate/exgate/runtime/gateway"
)

// Client is an MQTT client of the broker. It outlives its connections: unacknowledged calls are sent again over the
// next one. A device session has a client with one publish queue; shared sessions have many publish queues on one
// client.
type Client struct {
	broker     *Broker
	id         string
	username   string
	owner      Owner
	device     *gateway.Device // nil for the gateway's own clients
	status     Status          // published while the client is connected
	inboundMax uint16          // ReceiveMaximum
	onTakeover takeoverPolicy
	prober     *prober // set if this is the prober's client

	willRefused atomic.Bool // the broker accepts the client only without a will

	mu           sync.Mutex
	password     string              // guarded by mu, like all fields below
	ended        bool                //
	link         *link               // nil while the connection is lost
	quota        int                 // QoS 1 and 2 publishes the broker accepts before the next acknowledgement
	inflight     map[uint16]*call    // unacknowledged QoS 1 and 2 publishes by packet id
	resends      []*call             // publishes from a lost connection still to be sent again, in order
	waiting      map[uint16]*call    // unacknowledged SUBSCRIBE and UNSUBSCRIBE by packet id
	blocked      []*PublishQueue     // queues waiting for buffer space or quota, in order
	idle         int                 // ended queues in blocked since the last cleanup
	filters      map[string]filter   // subscriptions the broker has acknowledged
	received     map[uint16]struct{} // ids of delivered QoS 2 messages the broker has not released
	ownQueue     PublishQueue        // calls not made for a single device
	lastID       uint16              // begins anywhere: another gateway may use the same session
	inherited    bool                // the session at the broker was there before the client
	lastSeq      uint64
	attempt      int       // number of reconnect attempts since the last useful connection
	losses       []*outage // recent losses without a DISCONNECT
	wasConnected bool      // has been connected at least once
	linked       time.Time // start of the last connection
	replaced     bool      // another client of this gateway has, or may have, replaced the session at the broker
	failure      error     // error of the last connection attempt

	connects       []time.Time              // times of recent reconnects
	trials         []*call                  // suspects waiting for a trial
	trying         []*call                  // suspects on trial now
	window         int                      // maximum length of trying
	tryLater       bool                     // a timer will call try
	probing        map[*call]bool           // calls of diverted queues on trial at the prober
	acquitted      []*call                  // SUBSCRIBE and UNSUBSCRIBE that passed a trial and are to be sent
	freed          []uint16                 // packet ids of QoS 2 publishes that were sent another way
	topicQueues    map[string]*PublishQueue // queues split off ownQueue for suspicious topics and filters
	perPacket      int                      // filters per SUBSCRIBE after a loss; 0: filtersPerPacket
	filterEnds     map[string]int           // evidence against filters being resubscribed
	suspectFilters map[string]bool          // filters not resubscribed before their trial
	written        []written                // QoS 0 publishes since the last PINGREQ
	asked          []written                // QoS 0 publishes before the PINGREQ that is unanswered
	barrier        uint32                   // number of the unanswered PINGREQ; 0: none
	round          uint32                   // counts PINGREQs sent for QoS 0
	wrote          int                      // ticks until the device's last QoS 0 publish counts as read
	qos0Ends       int                      // connections that ended with an unread QoS 0 publish
	qos0At         time.Time                // time of the last such end
	stop           context.CancelFunc
}

const settleInterval = 10 * time.Millisecond // polling interval of settle

// takeoverPolicy says what a client does when another client takes over its client id.
type takeoverPolicy bool

const (
	endOnTakeover       takeoverPolicy = false // end; the new session owns the client id
	reconnectOnTakeover takeoverPolicy = true  // reconnect after a pause; the client id is the gateway's own
)

// Owner receives what happens on a client. Its methods are called without locks.
type Owner interface {
	Message(m *paho.Publish)
	Resuming(present bool) // called before anything is sent over a new connection; present: the broker kept the session
	Connected(present bool)
	Lost(reason gateway.CloseReason)
}

// filter is a subscription.
type filter struct {
	name string
	qos  byte
	id   uint32 // Subscription Identifier; 0: none
}

// ResultEnded is the result of calls that were still waiting when their session ended.
var ResultEnded = gateway.Refuse(gateway.CodeConnProcessNotAlive, "the session has ended")

var (
	resultDown = gateway.Refuse(gateway.CodeUnknown, "the broker cannot be reached: the QoS 0 message is dropped")
	resultFull = gateway.Refuse(gateway.CodeLimit, "too many calls wait for the broker")
)

func (c *Client) init(b *Broker, id string, o Owner) {
	c.broker, c.id, c.owner, c.inboundMax = b, id, o, b.cfg.ReceiveMaximum
	c.lastID = uint16(rand.N(1 << 16)) //nolint:gosec // a packet id is no secret
	c.ownQueue.client, c.ownQueue.unordered, c.round = c, true, 1
}

// Start connects in the background.
func (c *Client) Start() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended {
		c.reconnect()
	}
}

// attach installs l as the connection. mu must be held.
func (c *Client) attach(l *link) {
	c.inherited = l.present && (c.inherited || !c.wasConnected)
	c.link, c.quota, c.wasConnected, c.linked, c.replaced = l, int(l.receiveMax), true, l.began, false
}

// Announce publishes the online status, if the client has one.
func (c *Client) Announce() {
	if s := c.status; !c.willRefused.Load() {
		c.PublishStatus(s, s.Online, c.device, nil)
	}
}

// PublishStatus publishes the payload as the status of a device, or of the gateway if from is nil. It does nothing if
// the status has no topic.
func (c *Client) PublishStatus(s Status, payload string, from *gateway.Device, done gateway.Done) {
	if s.isSet() {
		c.submit(call{
			from: from, kind: publishing, topic: s.Topic, payload: []byte(payload), qos: s.QoS, retain: s.Retain,
			queue: &c.ownQueue, done: done,
		})
	}
}

// Publish publishes a message of the gateway itself.
func (c *Client) Publish(topic string, qos byte, payload []byte, done gateway.Done) {
	c.submit(call{kind: publishing, topic: topic, qos: qos, payload: payload, queue: &c.ownQueue, done: done})
}

// Subscribe subscribes for the gateway itself. If the broker supports Subscription Identifiers, the subscription has
// the identifier subID; 0: none.
func (c *Client) Subscribe(filter string, qos byte, subID uint32, done gateway.Done) {
	c.submit(call{kind: subscribing, topic: filter, qos: qos, subID: subID, queue: &c.ownQueue, done: done})
}

// TrySubscribe is Subscribe for a device, only while connected. It reports whether the call was accepted. If not, done
// is not called, and if the result is not OK, trying again is useless.
func (c *Client) TrySubscribe(filter string, qos byte, subID uint32, from *gateway.Device, done gateway.Done) (
	r gateway.Result, taken bool,
) {
	return c.trySubmit(&call{
		kind: subscribing, topic: filter, qos: qos, subID: subID, from: from, queue: &c.ownQueue, done: done,
	})
}

// TryUnsubscribe unsubscribes, only while connected; see TrySubscribe.
func (c *Client) TryUnsubscribe(filter string, done gateway.Done) (r gateway.Result, taken bool) {
	return c.trySubmit(&call{kind: unsubscribing, topic: filter, queue: &c.ownQueue, done: done})
}

// submit sends or queues the call. If the call is refused, its callback is called with the reason.
func (c *Client) submit(k call) {
	if r := k.check(); !r.Ok() {
		Finish(k.done, r)
		return
	}
	c.mu.Lock()
	var cb Callbacks
	k.queue = c.queueOf(&k)
	r, finished := k.queue.accept(k, &cb)
	c.mu.Unlock()
	if finished {
		Finish(k.done, r)
	}
	cb.Run()
}

// trySubmit submits the call only while connected, and reports whether it was accepted. If the result is not OK, trying
// again is useless.
func (c *Client) trySubmit(k *call) (r gateway.Result, taken bool) {
	var cb Callbacks
	c.mu.Lock()
	defer func() {
		c.mu.Unlock()
		cb.runAsync()
	}()
	switch {
	case c.ended:
		return ResultEnded, false
	case c.link == nil:
		return gateway.OK, false
	}
	k.queue = c.queueOf(k)
	r, finished := k.queue.accept(*k, &cb)
	return r, !finished
}

// isConnected reports whether the client is connected to a broker.
func (c *Client) isConnected() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.link != nil
}

// Retains reports whether the broker supports retained messages, according to the last CONNACK. It returns true while
// that is unknown.
func (c *Client) Retains() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.link == nil || !c.link.noRetain
}

// DropFilter removes a subscription so that it is not resubscribed after a loss.
func (c *Client) DropFilter(filter string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.filters, filter)
	c.acquitFilter(filter)
}

func (c *Client) LastFailure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failure
}

// Settle waits until every call of ownQueue has been answered, the connection is lost or ctx ends.
func (c *Client) Settle(ctx context.Context) {
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

func (c *Client) isSettled() bool {
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

// check validates the arguments.
func (k *call) check() gateway.Result {
	if k.kind != publishing {
		return CheckFilter(k.topic, k.qos)
	}
	if err := topic.CheckName(k.topic); err != nil {
		return gateway.Refuse(gateway.CodeParamsTypeError, "%v", err)
	}
	return checkQoS(k.qos)
}

// CheckFilter validates the arguments of Subscribe and, with QoS 0, of Unsubscribe.
func CheckFilter(filter string, qos byte) gateway.Result {
	if err := topic.CheckFilter(filter); err != nil {
		return gateway.Refuse(gateway.CodeParamsTypeError, "%v", err)
	}
	return checkQoS(qos)
}

func checkQoS(qos byte) gateway.Result {
	if qos > 2 {
		return gateway.Refuse(gateway.CodeParamsTypeError, "QoS must be 0, 1 or 2, not %d", qos)
	}
	return gateway.OK
}

// canTake reports whether c can send k now. If not, its queue must wait in blocked. mu must be held.
func (c *Client) canTake(k *call) bool {
	if c.link == nil || c.isTrying() || (k.needsQuota() && (c.quota <= 0 || len(c.resends) > 0)) {
		return false
	}
	return c.link.wire.HasRoom()
}

// unblock resumes blocked queues. mu must be held.
func (c *Client) unblock() (cb Callbacks) {
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

// drained is called when the write buffer has room again.
func (c *Client) drained() {
	c.mu.Lock()
	cb := c.unblock()
	c.mu.Unlock()
	cb.Run()
}

func (c *Client) tick(now time.Time) {
	c.mu.Lock()
	cb, l := c.expire(now), c.link
	c.tickQoS0(now)
	c.mu.Unlock()
	cb.Run()
	if l != nil {
		l.heartbeat.Tick(now, c.broker.cfg.PacketTimeout)
	}
	if c.prober != nil {
		c.prober.retire(now)
	}
}

// Leave ends the client and disconnects from the broker. It does nothing if the client has ended.
func (c *Client) Leave() {
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
	cb.Run()
}

// keepsSession reports whether the broker should keep the session after DISCONNECT.
func (c *Client) keepsSession() bool { return c.device != nil && c.broker.cfg.SessionExpiry > 0 }

// end detaches the link and finishes every call. mu must be held.
func (c *Client) end() (cb Callbacks) {
	l := c.link
	c.ended, c.link = true, nil
	if c.stop != nil {
		c.stop()
	}
	for _, k := range c.inflight {
		cb.add(k, ResultEnded)
		cb = append(cb, k.leaveLate(l)...)
	}
	for _, k := range c.waiting {
		cb.add(k, ResultEnded)
	}
	cb = append(cb, c.endTrials()...)
	for _, l := range c.busy() {
		cb = append(cb, l.finish(ResultEnded)...)
	}
	c.inflight, c.resends, c.waiting, c.blocked, c.filters, c.received, c.password = nil, nil, nil, nil, nil, nil, ""
	c.broker.clientEnded(c)
	return cb
}

// busy returns the queues that may have calls: those waiting for room or for an acknowledgement. mu must be held.
func (c *Client) busy() []*PublishQueue {
	lanes := slices.Clone(c.blocked)
	for _, k := range c.inflight {
		if !k.queue.blocked {
			lanes = append(lanes, k.queue)
		}
	}
	return append(lanes, &c.ownQueue)
}

// secret returns the password; it is empty once the client has ended.
func (c *Client) secret() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.password
}
