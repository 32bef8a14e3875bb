package mqtt

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"github.com/exgate/exgate/connectors/access"
	"github.com/exgate/exgate/internal/topic"
	"github.com/exgate/exgate/runtime/gateway"
)

// Probe returns an Authenticator that asks the broker: it connects with the device's credentials and client id, and leaves at once. A session that the
// broker has under that client id ends with it.
func (c *Connector) Probe() access.Authenticator { return loginCheck{c.broker} }

type loginCheck struct{ broker *broker }

// Authenticate allows whom the broker takes. What is not about the credentials (the broker is busy, or away) is an error.
func (p loginCheck) Authenticate(ctx context.Context, device gateway.Device, password string) (access.Answer, error) {
	if err := p.broker.checkLogin(device, password); err != nil {
		return access.Answer{}, err
	}
	c := &client{}
	c.init(p.broker, device.ClientID, noOwner{})
	c.username, c.password = device.Username, password
	l, err := p.broker.open(ctx, c, true)
	var refused *gateway.ResultError
	switch {
	case err == nil:
		l.disconnect(false, false)
		return access.Answer{Decision: access.Allow}, nil
	case errors.As(err, &refused) && refused.Result.Code == gateway.CodePermissionDeny:
		return access.Answer{Decision: access.Deny, Reason: refused.Result.Message}, nil
	}
	return access.Answer{}, err
}

// visitor owns a client that only comes and goes.
type noOwner struct{}

func (noOwner) message(*paho.Publish)    {}
func (noOwner) resuming(bool)            {}
func (noOwner) connected(bool)           {}
func (noOwner) lost(gateway.CloseReason) {}

// checkLogin refuses a device whose strings cannot stand in MQTT packets: the packets would be cut, or the broker would end the connection.
func (b *broker) checkLogin(device gateway.Device, password string) error {
	if device.ClientID == "" {
		return &gateway.ResultError{Result: gateway.Refuse(gateway.CodeRequiredParamsMiss, "the client id is empty")}
	}
	err := errors.Join(topic.CheckClientID(device.ClientID), topic.CheckString("username", device.Username), topic.CheckBinary("password", password))
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

// userProperties say of a device what MQTT does not: its protocol and where it is.
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

// checkUserProperties refuses a device whose user properties cannot be sent: a broker would end the connection for each of its messages.
func (b *broker) checkUserProperties(device gateway.Device) error {
	if !b.cfg.UserProperties {
		return nil
	}
	for _, p := range userProperties(device) {
		if err := topic.CheckString("the user property "+p.Key+" (upstream.user_properties)", p.Value); err != nil {
			return &gateway.ResultError{Result: gateway.Refuse(gateway.CodeParamsTypeError, "%v", err)}
		}
	}
	return nil
}

const (
	// loginGrace is how long after a login the end of an older connection with the same client id may be noticed: the broker ends that one first, but
	// the two connections are read by different goroutines.
	loginGrace = 5 * time.Second

	// unclearGrace is the same for a login that the broker did not answer: it may have carried it out. It is longer than any pause of connectAgain.
	unclearGrace = 5 * time.Minute
)

// logins are the CONNECTs of this gateway that are under way or were carried out lately, by client id. The broker ends the older connection of a client
// id when another client connects with it, and mosquitto 2.0.11 does so without a word: such an end says nothing about what was under way on the
// connection, and what the broker has under that client id then is the other client's session.
type logins struct {
	mu sync.Mutex
	by map[string][]*attempt // guarded by mu; no empty lists
}

type attempt struct {
	client *client
	done   time.Time // zero: under way
}

// begin is called before c writes CONNECT.
func (l *logins) begin(c *client) *attempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by == nil {
		l.by = map[string][]*attempt{}
	}
	n := &attempt{client: c}
	l.by[c.id] = append(l.by[c.id], n)
	return n
}

// finish is called with what came of a login. One that the broker refused has replaced no session.
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

// replaced reports whether another client has connected with the client id of c since then, or is about to.
func (l *logins) replaced(c *client, since time.Time) bool {
	return l.other(c, func(n *attempt) bool { return n.done.IsZero() || n.done.After(since) })
}

// underWay reports whether another client connects with the client id of c.
func (l *logins) underWay(c *client) bool {
	return l.other(c, func(n *attempt) bool { return n.done.IsZero() })
}

func (l *logins) other(c *client, matches func(*attempt) bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.by[c.id], func(n *attempt) bool { return n.client != c && matches(n) })
}
