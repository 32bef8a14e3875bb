package mqtt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"syscall"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"

	"github.com/exgate/exgate/runtime/gateway"

	"github.com/exgate/exgate/connectors/mqtt/wire"
)

// lostSessionExpiry is how long the broker keeps the session of a lost connection where Config.SessionExpiry is zero.
const lostSessionExpiry = time.Minute

func (c *client) handshake(ctx context.Context, l *link, s wire.Server, cleanStart bool) (*link, error) {
	b := c.broker
	b.linkBegan(l)
	ack, err := l.client.Connect(ctx, c.connectPacket(cleanStart))
	if err == nil {
		if err := c.agree(l, s, ack); err != nil {
			return nil, err
		}
		b.learn(l)
		return l, nil
	}
	b.linkEnded(l)
	switch {
	case ack != nil && ack.ReasonCode >= 0x80:
		b.learnRefusal(ack.ReasonCode)
		return nil, c.refusal(s.HostPort, ack.ReasonCode)
	case ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("the broker %s (upstream.url) did not answer CONNECT: %w", s.HostPort, err)
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE):
		return nil, wire.OldBroker(s.HostPort)
	}
	return nil, fmt.Errorf("connecting to the broker %s (upstream.url): %w", s.HostPort, err)
}

// agree takes what CONNACK says, or ends the connection.
func (c *client) agree(l *link, s wire.Server, ack *paho.Connack) error {
	if ack.ReasonCode != packets.ConnackSuccess { // below 0x80, where the standard has no other; paho takes it for success
		l.wire.Fail(wire.ErrClosed)
		return wire.Refusal(s.HostPort, ack.ReasonCode)
	}
	if v := wire.CheckConnack(ack.Properties); v != nil {
		l.wire.Reject(v.Reason, v)
		return fmt.Errorf("connecting to the broker %s (upstream.url): %w", s.HostPort, v)
	}
	l.learn(ack.Properties)
	return nil
}

// learn notes what wills the broker takes. It is said once that there are no retained messages, where a status is to be one.
func (b *broker) learn(l *link) {
	b.willQoS.Store(int32(l.maxQoS))
	b.noteRetain(l.noRetain)
}

func (b *broker) noteRetain(unavailable bool) {
	if unavailable == b.noRetain.Swap(unavailable) || !unavailable {
		return
	}
	if (b.cfg.DeviceStatus.isSet() && b.cfg.DeviceStatus.Retain) || (b.cfg.GatewayStatus.isSet() && b.cfg.GatewayStatus.Retain) {
		b.log.Warn("the broker has no retained messages: statuses are published without retain, and who subscribes later does not see them "+
			"(upstream.device_status.retain, upstream.gateway_status.retain)", "broker", b.server().HostPort)
	}
}

// learnRefusal notes what a refused CONNECT says about wills.
func (b *broker) learnRefusal(reason byte) {
	switch reason {
	case packets.ConnackRetainNotSupported:
		b.noteRetain(true)
	case packets.ConnackQoSNotSupported:
		b.willQoS.Store(0)
	}
}

func (c *client) connectPacket(cleanStart bool) *paho.Connect {
	cfg := &c.broker.cfg
	expiry := wire.Seconds(lostSessionExpiry)
	if c.keepsSession() {
		expiry = wire.Seconds(cfg.SessionExpiry)
	}
	cp := &paho.Connect{
		ClientID:   c.id,
		CleanStart: cleanStart,
		KeepAlive:  uint16(min(wire.Seconds(cfg.KeepAlive), 65535)),
		Properties: &paho.ConnectProperties{
			SessionExpiryInterval: &expiry,
			ReceiveMaximum:        &c.inboundMax,
			MaximumPacketSize:     &cfg.MaxPacketSize,
			RequestProblemInfo:    true,
		},
	}
	if c.device != nil && cfg.UserProperties {
		cp.Properties.User = userProperties(*c.device)
	}
	if s := c.status; s.isSet() && !c.willRefused.Load() {
		cp.WillMessage = &paho.WillMessage{
			Topic: s.Topic, Payload: []byte(s.Offline), QoS: min(s.QoS, byte(c.broker.willQoS.Load())), Retain: s.Retain && !c.broker.noRetain.Load(),
		}
	}
	if c.username != "" {
		cp.UsernameFlag, cp.Username = true, c.username
	}
	if password := c.secret(); password != "" {
		cp.PasswordFlag, cp.Password = true, []byte(password)
	}
	return cp
}

// publishProperties are those of each publish of a device that does not wait in the spool.
func (b *broker) publishProperties(device gateway.Device) []byte {
	props := b.deviceProperties(device)
	if b.cfg.MessageExpiry > 0 {
		props = wire.WithExpiry(b.cfg.MessageExpiry, props)
	}
	return props
}

func (b *broker) deviceProperties(device gateway.Device) []byte {
	if !b.cfg.UserProperties {
		return nil
	}
	return wire.EncodeUser(userProperties(device))
}

// aboutStrings are reasons of CONNACK for which the topic or the payload of the will may be at fault, MQTT 5, section 3.2.2.2.
var aboutStrings = []byte{0x87, 0x90, 0x95, 0x99}

// refusal is that of a CONNECT with the client's will, which it names where it may be at fault.
func (c *client) refusal(broker string, reason byte) error {
	err := wire.Refusal(broker, reason)
	if refused := (*wire.RefusalError)(nil); errors.As(err, &refused) && c.device != nil && c.status.isSet() && slices.Contains(aboutStrings, reason) {
		refused.Result.Message += fmt.Sprintf("; it may refuse the will, to %.200q (upstream.device_status.topic)", c.status.Topic)
	}
	return err
}
