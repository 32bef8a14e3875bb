package mqtt

import (
	"bytes"
	"time"

	"github.com/exgate/exgate/runtime/gateway"

	"github.com/exgate/exgate/connectors/mqtt/wire"
)

const (
	maxQueuedCalls = 1024
	maxHouseCalls  = 64 << 10 // on a lane of calls that are no device's: for each of many devices it may have one
	maxQueuedBytes = 8 << 20
)

type callKind uint8

const (
	publishing callKind = iota
	subscribing
	unsubscribing
	resubscribing
)

// call is a Publish, Subscribe or Unsubscribe under way.
type call struct {
	kind     callKind
	qos      byte
	retain   bool
	released bool // QoS 2: the broker has the message and was sent PUBREL
	id       uint16
	subID    uint32 // Subscription Identifier of subscribing; 0: none
	seq      uint64 // of publishes with a packet id: the order in which they were sent first
	stored   uint64 // its number in the spool; 0: it is not from there
	lane     *lane
	from     *gateway.Device // whose call it is, on a lane that is not the device's; may be nil
	topic    string
	payload  []byte
	props    []byte   // properties of a publish, encoded
	filters  []filter // of resubscribing
	done     gateway.Done
	deadline time.Time // for the broker's answer

	ends     int           // what the ends of connections say against it; see possible and certain
	spared   int           // how many ends were not counted against it
	proven   bool          // of a call that the prober tries: its lane is
	onTrial  bool          // it is in client.trials or client.trying
	alone    bool          // nothing else may be under way with it
	spooled  bool          // of a call that the prober tries: it is from the spool
	offences int           // the same: how often its device has offended
	inserted time.Time     // the same: when it was put among the prober's trials
	ping     uint32        // of a trial with QoS 0: the PINGREQ behind it
	verdict  func(verdict) // of a call that the prober tries: what comes of it; called once, without locks
}

func (c *call) isQoS0() bool { return c.kind == publishing && c.qos == 0 }

// needsQuota reports whether the broker's Receive Maximum bounds it.
func (c *call) needsQuota() bool { return c.kind == publishing && c.qos > 0 }

func (c *call) publication() wire.Publication {
	return wire.Publication{Topic: c.topic, Payload: c.payload, Props: c.props, ID: c.id, QoS: c.qos, Retain: c.retain}
}

// keep copies what is the caller's.
func (c call) keep() *call {
	c.payload = bytes.Clone(c.payload)
	return &c
}

// calls is a bounded queue. Idle, it holds nothing.
type calls struct {
	list  []*call
	bytes int
}

func (q *calls) empty() bool  { return len(q.list) == 0 }
func (q *calls) first() *call { return q.list[0] }

func (q *calls) full(c *call, wide bool) bool {
	most := maxQueuedCalls
	if wide {
		most = maxHouseCalls
	}
	return len(q.list) >= most || (len(q.list) > 0 && q.bytes+len(c.payload) > maxQueuedBytes)
}

func (q *calls) push(c *call) {
	q.list = append(q.list, c)
	q.bytes += len(c.payload)
}

func (q *calls) pop() *call {
	c := q.list[0]
	q.list[0] = nil
	q.list = q.list[1:]
	q.bytes -= len(c.payload)
	if len(q.list) == 0 {
		q.list = nil
	}
	return c
}

// putBack puts calls that were sent already before all others, whatever the bound is.
func (q *calls) putBack(sent []*call) {
	q.list = append(sent, q.list...)
}

// takeQoS0 removes the publishes of QoS 0.
func (q *calls) takeQoS0() (taken []*call) {
	var left calls
	for !q.empty() {
		c := q.pop()
		if c.isQoS0() {
			taken = append(taken, c)
			continue
		}
		left.push(c)
	}
	*q = left
	return taken
}

// outcomes are results that are told when no lock is held.
type outcomes []outcome

type outcome struct {
	done   gateway.Done
	result gateway.Result
}

func (o *outcomes) add(c *call, r gateway.Result) {
	if c.done != nil {
		*o = append(*o, outcome{c.done, r})
		c.done = nil
	}
}

// tellLater tells from another goroutine.
func (o outcomes) tellLater() {
	if len(o) > 0 {
		go o.tell()
	}
}

// later adds something to do when no lock is held.
func (o *outcomes) later(f func()) {
	*o = append(*o, outcome{func(gateway.Result) { f() }, gateway.OK})
}

func (o outcomes) tell() {
	for _, each := range o {
		each.done(each.result)
	}
}
