package client

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
	"github.com/eclipse/paho.golang/paho/log"
	"github.com/eclipse/paho.golang/paho/session"

	"github.com/exgate/exgate/connectors/mqtt/wire"
)

// link is one connection of a client to the broker. paho reads and writes the packets and calls link as its session
// store and pinger; link passes acknowledgements and messages to the client.
type link struct {
	of         *Client
	wire       *wire.Conn
	client     *paho.Client
	present    bool   // the broker kept the session
	maxSize    int64  // largest packet the broker accepts, in bytes
	receiveMax uint16 // unacknowledged QoS 1 and 2 publishes the broker accepts
	maxQoS     byte
	noSubIDs   bool // the broker does not support Subscription Identifiers
	noRetain   bool // it does not support retained messages
	noWild     bool // it does not support wildcards in filters
	noShare    bool // it does not support shared subscriptions

	heartbeat wire.Heartbeat
	began     time.Time
	dead      bool // lost, maybe before it was attached to the client; guarded by of.mu

	lastID      int                 // of an inherited session, see idFor; guarded by of.mu, like all fields below
	releasedIDs map[uint16]struct{} // QoS 2 ids of an inherited session that were released over this connection

	// spooled publishes by packet id that were unacknowledged when the client ended
	late map[uint16]*call
}

var _ session.SessionManager = (*link)(nil)

var errNotUsed = errors.New("calls that wait must use Session, not paho")

func newLink(c *Client, conn net.Conn) *link {
	l := &link{of: c, maxSize: 256 << 20, receiveMax: 65535, maxQoS: 2, began: time.Now()}
	l.wire = wire.NewConn(conn, c.broker.cfg.MaxPacketSize, c.drained, func(err error) { c.linkLost(l, 0, err) })
	l.heartbeat.Start(l.wire, l.began, func(n uint32) { c.pong(l, n) })
	l.client = paho.NewClient(paho.ClientConfig{
		Conn:              l.wire,
		Session:           l,
		PingHandler:       &l.heartbeat,
		PacketTimeout:     c.broker.cfg.ConnectTimeout,
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){l.deliver},
	})
	return l
}

// learn stores the broker's limits from CONNACK.
func (l *link) learn(p *paho.ConnackProperties) {
	if p == nil {
		return
	}
	if p.MaximumPacketSize != nil {
		l.maxSize = int64(*p.MaximumPacketSize)
	}
	if p.MaximumQoS != nil {
		l.maxQoS = *p.MaximumQoS
	}
	if p.ReceiveMaximum != nil {
		l.receiveMax = *p.ReceiveMaximum
	}
	l.noSubIDs = !p.SubIDAvailable
	l.noRetain, l.noWild, l.noShare = !p.RetainAvailable, !p.WildcardSubAvailable, !p.SharedSubAvailable
}

func (l *link) deliver(p paho.PublishReceived) (bool, error) {
	m := p.Packet
	if m.QoS == 0 { // QoS 1 and 2 were checked in PacketReceived
		if v := wire.CheckPublish(0, 0, m.Properties.TopicAlias); v != nil {
			l.wire.Reject(v.Reason, v)
			return true, nil
		}
		if !l.mayBeDelivered(m.Topic) {
			return true, nil
		}
	}
	l.of.owner.Message(m)
	return true, nil
}

// send writes a packet. It ignores errors: the loss of the link is reported by the reader.
func (l *link) send(p io.WriterTo) { _, _ = p.WriteTo(l.wire) }

// disconnect sends DISCONNECT after everything already written, and closes. It does not block. If will is true, the
// broker publishes the will.
func (l *link) disconnect(keepSession, will bool) {
	d := &packets.Disconnect{Properties: &packets.Properties{}}
	if will {
		d.ReasonCode = packets.DisconnectDisconnectWithWillMessage
	}
	if !keepSession {
		d.Properties.SessionExpiryInterval = new(uint32)
	}
	l.send(d)
	l.wire.CloseSoon()
}

// ConAckReceived is called before anything else arrives.
func (l *link) ConAckReceived(_ io.Writer, sent *packets.Connect, ack *packets.Connack) error {
	l.present = ack.SessionPresent && !sent.CleanStart
	l.wire.SetLive(true)
	l.of.broker.connected.Add(1)
	if !l.present {
		l.of.forgetReceived()
	}
	return nil
}

// ConnectionLost is called with the broker's DISCONNECT, and again with nil when paho has shut down.
func (l *link) ConnectionLost(d *packets.Disconnect) error {
	if d == nil {
		if l.of.broker.connected.Add(-1) == 0 {
			l.of.broker.reach.checkSoon()
		}
		l.of.linkLost(l, 0, l.wire.Cause(wire.ErrClosed))
		l.of.broker.linkEnded(l)
		l.of.lateEnded(l)
		return nil
	}
	l.wire.SetLive(false)
	l.of.linkLost(l, d.ReasonCode, errors.New("the broker disconnected: "+wire.ReasonName(d.ReasonCode)))
	return nil
}

// AddToSession is called only by paho's own Publish and Subscribe, which are not used.
func (l *link) AddToSession(context.Context, session.Packet, chan<- packets.ControlPacket) error {
	return errNotUsed
}

// PacketReceived is called for acknowledgements and for messages of QoS 1 and 2, which it passes to deliver through
// the channel.
func (l *link) PacketReceived(p *packets.ControlPacket, messages chan<- *packets.Publish) error {
	s := l.of
	switch p := p.Content.(type) {
	case *packets.Puback:
		s.acknowledged(l, p.PacketID, 1, s.broker.reason(packets.PUBACK, p.ReasonCode))
	case *packets.Pubrec:
		s.publishReceived(l, p.PacketID, s.broker.reason(packets.PUBREC, p.ReasonCode))
	case *packets.Pubcomp:
		s.acknowledged(l, p.PacketID, 2, s.broker.completion(p.ReasonCode))
	case *packets.Suback:
		s.subscribed(l, p.PacketID, s.broker.reasons(packets.SUBACK, p.Reasons))
	case *packets.Unsuback:
		s.unsubscribed(l, p.PacketID, s.broker.reasons(packets.UNSUBACK, p.Reasons))
	case *packets.Pubrel:
		s.released(p.PacketID)
		l.send(&packets.Pubcomp{Properties: &packets.Properties{}, PacketID: p.PacketID})
	case *packets.Publish:
		if v := wire.CheckPublish(p.QoS, p.PacketID, p.Properties.TopicAlias); v != nil {
			l.wire.Reject(v.Reason, v)
			return v
		}
		if l.refuse(p) {
			return nil
		}
		if p.QoS == 2 && !s.receive(p.PacketID) {
			return l.Ack(p)
		}
		messages <- p
	}
	return nil
}

// Ack is called after deliver has queued the message for the device.
func (l *link) Ack(p *packets.Publish) error {
	switch p.QoS {
	case 1:
		l.send(&packets.Puback{Properties: &packets.Properties{}, PacketID: p.PacketID})
	case 2:
		l.send(&packets.Pubrec{Properties: &packets.Properties{}, PacketID: p.PacketID})
	}
	return nil
}

// Close is never called: paho closes only stores that it created itself.
func (l *link) Close() error { return nil }

// SetErrorLogger is never called.
func (l *link) SetErrorLogger(log.Logger) {}

// SetDebugLogger is never called.
func (l *link) SetDebugLogger(log.Logger) {}
