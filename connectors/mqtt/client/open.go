package client

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

	"github.com/exgate/exgate/connectors/mqtt/wire"
	"github.com/exgate/exgate/runtime/gateway"
)

// lostSessionExpiry is how long the broker keeps the session of a lost connection if Config.SessionExpiry is zero.
const lostSessionExpiry = time.Minute

func (c *Client) handshake(ctx context.Context, l *link, s wire.Server, cleanStart bool) (*link, error) {
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
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE):
		return nil, wire.OldBroker(s.HostPort)
	}
	return nil, fmt.Errorf("connecting to the broker %s (upstream.url): %w", s.HostPort, err)
}

// agree validates CONNACK and stores its limits, or ends the connection.
func (c *Client) agree(l *link, s wire.Server, ack *paho.Connack) error {
	if ack.ReasonCode != packets.ConnackSuccess { // an undefined code below 0x80, which paho takes for success
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

// learn stores which wills the broker accepts. It logs once if a status is to be retained and the broker cannot.
func (b *Broker) learn(l *link) {
	b.willQoS.Store(int32(l.maxQoS))
	b.noteRetain(l.noRetain)
}

func (b *Broker) noteRetain(unavailable bool) {
	if unavailable == b.noRetain.Swap(unavailable) || !unavailable {
		return
	}
	if (b.cfg.DeviceStatus.isSet() && b.cfg.DeviceStatus.Retain) ||
		(b.cfg.GatewayStatus.isSet() && b.cfg.GatewayStatus.Retain) {
		b.log.Warn("the broker does not support retained messages; statuses are not retained, so later "+
			"subscribers do not get them (upstream.device_status.retain, upstream.gateway_status.retain)", "broker",
			b.server().HostPort)
	}
}

// learnRefusal stores what a refused CONNECT says about wills.
func (b *Broker) learnRefusal(reason byte) {
	switch reason {
	case packets.ConnackRetainNotSupported:
		b.noteRetain(true)
	case packets.ConnackQoSNotSupported:
		b.willQoS.Store(0)
	}
}

func (c *Client) connectPacket(cleanStart bool) *paho.Connect {
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
			Topic: s.Topic, Payload: []byte(s.Offline),
			QoS: min(s.QoS, byte(c.broker.willQoS.Load())), Retain: s.Retain && !c.broker.noRetain.Load(),
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

// publishProperties returns the properties of a device's publishes that do not go through the spool.
func (b *Broker) publishProperties(device gateway.Device) []byte {
	props := b.deviceProperties(device)
	if b.cfg.MessageExpiry > 0 {
		props = wire.WithExpiry(b.cfg.MessageExpiry, props)
	}
	return props
}

// messageProperties adds the properties of a message to those of each publish of its device. The earlier expiry counts.
func (b *Broker) messageProperties(ofDevice []byte, p *gateway.Properties) []byte {
	props := wire.AppendMessage(slices.Clip(wire.WithoutExpiry(ofDevice)), p)
	if expiry := earlier(b.cfg.MessageExpiry, p.Expiry); expiry > 0 {
		props = wire.WithExpiry(expiry, props)
	}
	return props
}

// earlier returns the shorter of the configured message expiry and a message's own, in seconds; 0: none.
func earlier(configured time.Duration, seconds uint32) time.Duration {
	own := time.Duration(seconds) * time.Second
	if configured == 0 || (own > 0 && own < configured) {
		return own
	}
	return configured
}

func (b *Broker) deviceProperties(device gateway.Device) []byte {
	if !b.cfg.UserProperties {
		return nil
	}
	return wire.EncodeUser(userProperties(device))
}

// aboutStrings are CONNACK reasons that may be about the topic or payload of the will, MQTT 5, section 3.2.2.2.
var aboutStrings = []byte{0x87, 0x90, 0x95, 0x99}

// refusal returns the error of a refused CONNECT. It names the will if that may be the cause.
func (c *Client) refusal(broker string, reason byte) error {
	err := wire.Refusal(broker, reason)
	if refused := (*wire.RefusalError)(nil); errors.As(err, &refused) && c.device != nil && c.status.isSet() &&
		slices.Contains(aboutStrings, reason) {
		refused.Result.Message += fmt.Sprintf("; it may refuse the will, to %.200q (upstream.device_status.topic)",
			c.status.Topic)
	}
	return err
}

// server returns the server that answered last.
func (b *Broker) server() wire.Server { return b.servers[b.preferred.Load()] }

// open connects to the server that answered last or, if that fails, to the others, dividing the time that ctx leaves
// among them. The next call begins after the last server that failed.
func (b *Broker) open(ctx context.Context, c *Client, cleanStart bool) (*link, error) {
	l, err := b.openAny(ctx, c, cleanStart)
	if !errors.Is(ctx.Err(), context.Canceled) {
		b.learned(err)
	}
	return l, err
}

func (b *Broker) openAny(ctx context.Context, c *Client, cleanStart bool) (*link, error) {
	select {
	case b.dialSlots <- struct{}{}:
		defer func() { <-b.dialSlots }()
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting to dial the broker %s: %w", b.server().HostPort, ctx.Err())
	}
	var errs []error
	first := int(b.preferred.Load())
	for i := range b.servers {
		at := (first + i) % len(b.servers)
		l, err := b.openAt(ctx, b.servers[at], c, cleanStart, len(b.servers)-i)
		if err == nil {
			b.preferred.Store(int32(at))
			return l, nil
		}
		errs = append(errs, err)
		if isAnswer(err) || errors.Is(ctx.Err(), context.Canceled) {
			break
		}
		b.preferred.CompareAndSwap(int32(at), int32((at+1)%len(b.servers)))
		if ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(errs...)
}

// isAnswer reports whether another server of the broker would give the same answer.
func isAnswer(err error) bool {
	var refused *gateway.ResultError
	return errors.As(err, &refused) && !wire.IsElsewhere(err)
}

// openAt connects to s; left is the number of servers still to try, including s.
func (b *Broker) openAt(ctx context.Context, s wire.Server, c *Client, cleanStart bool, left int) (*link, error) {
	timeout := b.cfg.ConnectTimeout
	if deadline, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(deadline)/time.Duration(left))
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	before := c.willRefused.Swap(false)
	l, err := c.openOnce(ctx, s, cleanStart)
	for range 2 { // again with a will that the broker accepts: not retained, QoS 0
		if refused := (*wire.RefusalError)(nil); !errors.As(err, &refused) || !refused.IsAboutWill() ||
			!c.status.isSet() {
			break
		}
		l, err = c.openOnce(ctx, s, cleanStart)
	}
	if c.onTakeover == reconnectOnTakeover && c.status.isSet() {
		if refused := (*wire.RefusalError)(nil); errors.As(err, &refused) && !wire.IsElsewhere(err) {
			return c.openWithoutWill(ctx, s, cleanStart, err, before)
		}
	}
	return l, err
}

// openWithoutWill connects the gateway client without its status if the broker refuses the will: shared sessions, the
// spool and RawPublish need the client more than the status.
func (c *Client) openWithoutWill(ctx context.Context, s wire.Server, cleanStart bool, refused error,
	logged bool,
) (*link, error) {
	c.willRefused.Store(true)
	l, err := c.openOnce(ctx, s, cleanStart)
	if err != nil {
		c.willRefused.Store(false)
		return nil, refused
	}
	if !logged {
		c.broker.log.Error(
			"the broker refuses the gateway's status; the gateway connects without one (upstream.gateway_status)",
			"topic", c.status.Topic, "client_id", c.id, "broker", s.HostPort, "error", refused)
	}
	return l, nil
}

func (c *Client) openOnce(ctx context.Context, s wire.Server, cleanStart bool) (*link, error) {
	conn, err := s.Dial(ctx)
	if err != nil {
		return nil, err
	}
	n := c.broker.logins.begin(c)
	l, err := c.handshake(ctx, newLink(c, conn), s, cleanStart)
	c.broker.logins.finish(n, err)
	return l, err
}
