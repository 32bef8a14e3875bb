package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"github.com/exgate/exgate/internal/topic"
	"github.com/exgate/exgate/runtime/gateway"
)

// NewDevice returns the client of a device, which connects when it logs in. It returns an error if the device may not
// log in.
func (b *Broker) NewDevice(device *gateway.Device, password string, o Owner) (*Client, error) {
	if err := b.CheckDevice(*device, password); err != nil {
		return nil, err
	}
	status, err := b.DeviceStatus(*device)
	if err != nil {
		return nil, err
	}
	c := &Client{}
	c.init(b, device.ClientID, o)
	c.username, c.password, c.device, c.status = device.Username, password, device, status
	return c, nil
}

// Login opens the session of a device. It waits for the spool and for one of Config.MaxDials slots until ctx ends.
// register is called once connected, with the client locked: nothing happens on the client before it returns. If it
// fails, the client disconnects.
func (c *Client) Login(ctx context.Context, register func() error) error {
	b := c.broker
	if err := b.SpoolOpened(ctx); err != nil {
		return err
	}
	l, err := b.open(ctx, c, b.cfg.cleanStart())
	b.CountLogin(err)
	if err != nil {
		return err
	}
	if err := c.admit(l, register); err != nil {
		l.wire.Fail(err)
		return err
	}
	return nil
}

func (c *Client) admit(l *link, register func() error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.dead {
		return fmt.Errorf("the broker %s closed the connection after CONNACK", c.broker.server().HostPort)
	}
	if err := c.broker.clientBegan(c); err != nil {
		return err
	}
	if err := register(); err != nil {
		c.broker.clientEnded(c)
		return err
	}
	c.attach(l)
	return nil
}

// TryLogin returns nil if the broker accepts the CONNECT of a device. It connects with the device's client id and
// disconnects at once.
func (b *Broker) TryLogin(ctx context.Context, device gateway.Device, password string) error {
	if err := b.checkLogin(device, password); err != nil {
		return err
	}
	return b.tryConnect(ctx, device.ClientID, device.Username, password)
}

// tryConnect connects and disconnects at once.
func (b *Broker) tryConnect(ctx context.Context, id, username, password string) error {
	c := &Client{}
	c.init(b, id, noOwner{})
	c.username, c.password = username, password
	l, err := b.open(ctx, c, true)
	if err != nil {
		return err
	}
	l.disconnect(false, false)
	return nil
}

// noOwner is the owner of a client that disconnects at once.
type noOwner struct{}

func (noOwner) Message(*paho.Publish)    {}
func (noOwner) Resuming(bool)            {}
func (noOwner) Connected(bool)           {}
func (noOwner) Lost(gateway.CloseReason) {}

// DeviceStatus returns the status of a device.
func (b *Broker) DeviceStatus(device gateway.Device) (Status, error) {
	return b.cfg.DeviceStatus.of(device)
}

// CheckDevice refuses a device that MQTT cannot carry or that has too many convictions.
func (b *Broker) CheckDevice(device gateway.Device, password string) error {
	if err := b.checkLogin(device, password); err != nil {
		return err
	}
	return b.offenders.refuse(device)
}

// checkLogin refuses a device whose strings MQTT cannot carry: they would be truncated, or the broker would end the
// connection.
func (b *Broker) checkLogin(device gateway.Device, password string) error {
	if device.ClientID == "" {
		return &gateway.ResultError{Result: gateway.Refuse(gateway.CodeRequiredParamsMiss, "the client id is empty")}
	}
	err := errors.Join(topic.CheckClientID(device.ClientID), topic.CheckString("username", device.Username),
		topic.CheckBinary("password", password))
	if err == nil && b.cfg.UserProperties {
		for _, p := range userProperties(device) {
			err = errors.Join(err, topic.CheckString("upstream.user_properties: "+p.Key, p.Value))
		}
	}
	if err != nil {
		return &gateway.ResultError{Result: gateway.Refuse(gateway.CodeParamsTypeError, "%v", err)}
	}
	return nil
}

// userProperties describes the protocol and the origin of a device.
func userProperties(device gateway.Device) (list paho.UserProperties) {
	add := func(key, value string) {
		if value != "" {
			list = append(list, paho.UserProperty{Key: key, Value: value})
		}
	}
	add("protocol", device.ProtoName)
	add("protocol_version", device.ProtoVersion)
	if device.Peer.IsValid() {
		add("peer", device.Peer.String())
	}
	add("listener", device.Listener)
	return list
}

const (
	// loginGrace is how long after a login the end of an older connection with the same client id may be noticed. The
	// broker ends that one first, but different goroutines read the two.
	loginGrace = 5 * time.Second

	// unclearGrace is the same for a login that the broker may have accepted without our noticing. It is longer than
	// any delay of connectAgain.
	unclearGrace = 5 * time.Minute
)

// logins tracks the CONNECTs of this gateway that are in progress or recent, by client id. When a client connects, the
// broker ends the older connection with its client id; mosquitto 2.0.11 sends no DISCONNECT. Such an end is no evidence
// against the packets sent, and the broker's session for that client id then belongs to the new client.
type logins struct {
	mu sync.Mutex
	by map[string][]*attempt // guarded by mu; no empty lists
}

type attempt struct {
	client *Client
	done   time.Time // zero: in progress
}

// begin registers c before it writes CONNECT.
func (l *logins) begin(c *Client) *attempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by == nil {
		l.by = map[string][]*attempt{}
	}
	n := &attempt{client: c}
	l.by[c.id] = append(l.by[c.id], n)
	return n
}

// finish ends a login with its result. A refused login has replaced no session.
func (l *logins) finish(n *attempt, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	grace := loginGrace
	switch {
	case err != nil && isAnswer(err):
		l.remove(n)
		return
	case err != nil:
		grace = unclearGrace
	}
	n.done = time.Now()
	time.AfterFunc(grace, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.remove(n)
	})
}

// remove must be called with mu held.
func (l *logins) remove(n *attempt) {
	id := n.client.id
	if list := slices.DeleteFunc(l.by[id], func(other *attempt) bool { return other == n }); len(list) > 0 {
		l.by[id] = list
	} else {
		delete(l.by, id)
	}
}

// replaced reports whether another client has connected with the client id of c since then, or is connecting.
func (l *logins) replaced(c *Client, since time.Time) bool {
	return l.other(c, func(n *attempt) bool { return n.done.IsZero() || n.done.After(since) })
}

// underWay reports whether another client is connecting with the client id of c.
func (l *logins) underWay(c *Client) bool {
	return l.other(c, func(n *attempt) bool { return n.done.IsZero() })
}

func (l *logins) other(c *Client, matches func(*attempt) bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.by[c.id], func(n *attempt) bool { return n.client != c && matches(n) })
}
