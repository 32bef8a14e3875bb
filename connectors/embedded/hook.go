package embedded

import (
	"context"
	"fmt"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/exgate/exgate/connectors/access"
	"github.com/exgate/exgate/internal/topic"
	"github.com/exgate/exgate/runtime/gateway"
)

// hook receives mochi's callbacks.
type hook struct {
	mochi.HookBase
	broker *Broker
}

func (h *hook) ID() string { return "exgate" }

func (h *hook) Provides(b byte) bool {
	switch b {
	case mochi.OnConnectAuthenticate, mochi.OnSessionEstablished, mochi.OnACLCheck, mochi.OnPublish, mochi.OnSubscribe,
		mochi.OnSelectSubscribers, mochi.OnPublishDropped, mochi.OnClientExpired, mochi.OnWill, mochi.OnRetainedExpired,
		mochi.OnPacketRead, mochi.OnPacketEncode:
		return true
	}
	return false
}

// deviceOf returns a network client in the form that authenticators and rules take.
func deviceOf(cl *mochi.Client) gateway.Device {
	return gateway.Device{
		ClientInfo: gateway.ClientInfo{ProtoName: "MQTT", ClientID: cl.ID, Username: string(cl.Properties.Username)},
	}
}

// OnConnectAuthenticate also checks the will: mochi publishes it without calling OnACLCheck.
func (h *hook) OnConnectAuthenticate(cl *mochi.Client, pk packets.Packet) bool {
	b, device := h.broker, deviceOf(cl)
	if err := checkConnect(device, pk); err != nil {
		b.metrics.refused.Inc()
		b.log.Info("embedded broker refused a client", "client_id", device.ClientID, "remote", cl.Net.Remote, "error",
			err)
		return false
	}
	answer, err := b.admit(context.Background(), device, string(pk.Connect.Password))
	if err != nil {
		b.log.Info("embedded broker refused a client", "client_id", device.ClientID, "remote", cl.Net.Remote, "error",
			err)
		return false
	}
	if will := pk.Connect.WillTopic; pk.Connect.WillFlag {
		if isReserved(will) || !answer.Allows(device, publishOf(pk.Connect.WillRetain), will, b.acl) {
			b.log.Info("embedded broker refused a client's will", "client_id", device.ClientID, "topic", will, "remote",
				cl.Net.Remote)
			b.metrics.refused.Inc()
			return false
		}
	}
	cl.Properties.Props.TopicAliasMaximum = 0 // mochi stores the topics of aliases without a limit
	// sessions end with their connection, and so do will delays (MQTT 5, section 3.1.3.2.2)
	cl.Properties.Will.WillDelayInterval = 0
	if conn, ok := cl.Net.Conn.(*trackedConn); ok {
		conn.clientID.Store(&device.ClientID)
		conn.login(answer, func() { b.expire(cl) })
	}
	return true
}

// expire ends the connection of a network client whose login has expired; MQTT 5 clients receive the reason.
func (b *Broker) expire(cl *mochi.Client) {
	if cl.Properties.ProtocolVersion >= 5 {
		_ = b.server.DisconnectClient(cl, packets.ErrMaxConnectTime)
		return
	}
	cl.Stop(packets.ErrMaxConnectTime)
}

// allows applies the answer of the network client's login.
func (h *hook) allows(cl *mochi.Client, action access.Action, name string) bool {
	conn, ok := cl.Net.Conn.(*trackedConn)
	if !ok {
		return false
	}
	answer := conn.answer.Load()
	return answer != nil && answer.Allows(deviceOf(cl), action, name, h.broker.acl)
}

// mayPublish reports whether the network client may publish to a topic, retained or not.
func (h *hook) mayPublish(cl *mochi.Client, name string) bool {
	return h.allows(cl, access.Publish, name) || h.allows(cl, access.PublishRetained, name)
}

func publishOf(retain bool) access.Action {
	if retain {
		return access.PublishRetained
	}
	return access.Publish
}

// OnSessionEstablished ends a device's session with the same client id.
func (h *hook) OnSessionEstablished(cl *mochi.Client, _ packets.Packet) {
	if s := h.broker.session(cl.ID); s != nil {
		s.lose(gateway.ReasonDiscarded.With("client id %q connected over the network", cl.ID))
	}
}

// OnACLCheck is called for each publish and subscribe of a network client, and for each message before it is delivered
// to one.
func (h *hook) OnACLCheck(cl *mochi.Client, name string, write bool) bool {
	if write {
		if topic.CheckName(name) != nil {
			h.broker.metrics.dropped.WithLabelValues(dropBadString).Inc()
			return false
		}
		return h.mayPublish(cl, name)
	}
	if topic.CheckFilter(name) != nil {
		return false
	}
	inner, _ := topic.Unshare(name)
	return h.allows(cl, access.Subscribe, inner)
}

// OnPacketRead answers publishes to the broker's own topics and to wildcards, which mochi drops without an
// acknowledgement: a client of QoS 1 or 2 would wait for one, and send the message again with each connection. It also
// answers publishes whose Retain the rules do not allow: OnACLCheck does not see it.
func (h *hook) OnPacketRead(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	if pk.FixedHeader.Type != packets.Publish || cl.Net.Inline {
		return pk, nil
	}
	drop, reason := dropDenied, packets.ErrNotAuthorized
	switch {
	case !mochi.IsValidFilter(pk.TopicName, true):
		if !isReserved(pk.TopicName) {
			drop, reason = dropBadString, packets.ErrTopicNameInvalid
		}
	case h.allows(cl, publishOf(pk.FixedHeader.Retain), pk.TopicName) || !h.mayPublish(cl, pk.TopicName):
		return pk, nil
	}
	h.broker.metrics.dropped.WithLabelValues(drop).Inc()
	switch {
	case cl.Properties.ProtocolVersion < 5: // as for topics that the client may not publish to
		_ = h.broker.server.DisconnectClient(cl, reason)
		return pk, packets.ErrRejectPacket
	case pk.FixedHeader.Qos > 0:
		ack := packets.Packet{
			FixedHeader: packets.FixedHeader{Type: packets.Puback}, PacketID: pk.PacketID,
			ReasonCode: reason.Code,
		}
		if pk.FixedHeader.Qos == 2 {
			ack.FixedHeader.Type = packets.Pubrec
		}
		_ = cl.WritePacket(ack) // the connection is over where it fails
	}
	return pk, nil
}

// OnPublish sets the device's client id on messages published through the inline client. It disconnects a network
// client that publishes strings for which strict subscribers would disconnect (MQTT 5, section 1.5.4).
func (h *hook) OnPublish(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	if cl.Net.Inline {
		pk.Origin, pk.Connect.ClientIdentifier = pk.Connect.ClientIdentifier, ""
		return pk, nil
	}
	if err := checkProperties(pk.Properties); err != nil {
		h.broker.metrics.dropped.WithLabelValues(dropBadString).Inc()
		h.broker.log.Info("embedded broker disconnects a client", "client_id", cl.ID, "remote", cl.Net.Remote, "error",
			err)
		_ = h.broker.server.DisconnectClient(cl, packets.ErrMalformedPacket)
		return pk, packets.ErrRejectPacket
	}
	if pk.FixedHeader.Retain && !h.broker.retain.admit(pk.TopicName, pk) {
		h.retainedFull(cl, pk.TopicName)
		pk.FixedHeader.Retain = false
	}
	return pk, nil
}

// OnWill decides whether a will is retained.
func (h *hook) OnWill(cl *mochi.Client, will mochi.Will) (mochi.Will, error) {
	pk := packets.Packet{Payload: will.Payload, Properties: packets.Properties{User: will.User}}
	if will.Retain && !h.broker.retain.admit(will.TopicName, pk) {
		h.retainedFull(cl, will.TopicName)
		will.Retain = false
	}
	return will, nil
}

func (h *hook) retainedFull(cl *mochi.Client, name string) {
	b := h.broker
	b.metrics.dropped.WithLabelValues(dropRetained).Inc()
	if silent, ok := b.logged.Allow(time.Now()); ok {
		b.log.Warn("embedded broker did not retain a message: retained messages have reached their limit", "client_id",
			cl.ID, "topic", name,
			"max_bytes", maxRetained, "suppressed", silent)
	}
}

// OnRetainedExpired frees what mochi keeps of an expired message: its entry in the index of topics.
func (h *hook) OnRetainedExpired(name string) {
	removal := packets.Packet{TopicName: name}
	h.broker.retain.admit(name, removal)
	h.broker.server.Topics.RetainMessage(removal)
}

// OnSubscribe lowers every QoS to 0: mochi deadlocks when it delivers with QoS 1 under load, and uses one map for the
// packet ids of both sides.
func (h *hook) OnSubscribe(cl *mochi.Client, pk packets.Packet) packets.Packet {
	if !withinFilters(cl, pk.Filters) {
		if conn, ok := cl.Net.Conn.(*trackedConn); ok {
			conn.listener.ended(conn, closedSubscriptions,
				fmt.Errorf("a client may have %d subscriptions, of %d bytes in all", maxFilters, maxFilterBytes))
		}
		_ = h.broker.server.DisconnectClient(cl, packets.ErrQuotaExceeded)
		pk.Filters = nil
		return pk
	}
	for i := range pk.Filters {
		pk.Filters[i].Qos = 0
	}
	return pk
}

// withinFilters reports whether a network client may add these subscriptions.
func withinFilters(cl *mochi.Client, more packets.Subscriptions) bool {
	have := cl.State.Subscriptions.GetAll()
	count, bytes := len(have)+len(more), 0
	if count > maxFilters {
		return false
	}
	for filter := range have {
		bytes += len(filter)
	}
	for i := range more {
		bytes += len(more[i].Filter)
	}
	return bytes <= maxFilterBytes
}

// OnSelectSubscribers selects a member of each group of a shared subscription.
func (h *hook) OnSelectSubscribers(subs *mochi.Subscribers, pk packets.Packet) *mochi.Subscribers {
	return h.broker.share(subs, pk)
}

// OnPacketEncode drops a message if the client's queue is full: mochi skips packets larger than MaxSize.
func (h *hook) OnPacketEncode(cl *mochi.Client, pk packets.Packet) packets.Packet {
	if pk.FixedHeader.Type != packets.Publish {
		return pk
	}
	if conn, ok := cl.Net.Conn.(*trackedConn); ok && conn.out.full() {
		h.broker.metrics.dropped.WithLabelValues(dropClientFull).Inc()
		pk.Mods.MaxSize = 1
	}
	return pk
}

// OnPublishDropped counts messages dropped for slow network clients.
func (h *hook) OnPublishDropped(*mochi.Client, packets.Packet) {
	h.broker.metrics.dropped.WithLabelValues(dropClientFull).Inc()
}

// OnClientExpired removes the subscriptions, which mochi keeps.
func (h *hook) OnClientExpired(cl *mochi.Client) { h.broker.server.UnsubscribeClient(cl) }
