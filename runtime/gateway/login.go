package gateway

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/exgate/exgate/internal/topic"
)

type loginState uint8

const (
	loginNone loginState = iota
	loginPending
	loginDone
)

// login is the identity of the device and its session at the upstream. Guarded by Conn.mu.
type login struct {
	state     loginState
	delivered bool // the handler has got the result of the successful login
	client    ClientInfo
	mount     string
	session   Session
	cancel    context.CancelFunc // while pending

	deadline *time.Timer // for Limits.AuthDeadline; nil without one
}

func (l *login) stopDeadline() {
	if l.deadline != nil {
		l.deadline.Stop()
		l.deadline = nil
	}
}

// armAuthDeadline starts the timer of Limits.AuthDeadline.
func (c *Conn) armAuthDeadline() {
	if c.limits.AuthDeadline == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closing.Load() {
		c.login.deadline = time.AfterFunc(c.limits.AuthDeadline, c.authLate)
	}
}

// authLate closes a connection whose device has not authenticated in time, unless an event is held, which is not the
// device's fault.
func (c *Conn) authLate() {
	c.mu.Lock()
	held := c.held != nil
	c.mu.Unlock()
	if !held {
		c.Close(ReasonAuthTimeout)
	}
}

// end returns the session to close and the pending login to cancel when the connection closes.
func (l *login) end() (Session, context.CancelFunc) {
	s := l.session
	l.session = nil
	return s, l.cancel
}

func (l *login) unmount(topic string) string { return strings.TrimPrefix(topic, l.mount) }

// Authenticate opens the device's upstream session; see [ConnectionAdapter].
func (c *Conn) Authenticate(client ClientInfo, password string, done Done) Result {
	if client.ClientID == "" {
		client.ClientID = newClientID()
	}
	mount, refused := mountpoint(c.topics.mountpoint, c.device(client))
	if refused.Ok() {
		refused = refusal(topic.CheckBinary("password", password))
	}
	if !refused.Ok() {
		c.metrics.call("authenticate", refused)
		c.logRefusal(client, callLogin, "", refused)
		return refused
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.limits.AuthTimeout)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closing.Load():
		cancel()
		return resultNotAlive
	case c.login.state != loginNone:
		cancel()
		return Refuse(CodePermissionDeny, "Duplicated authenticate command")
	}
	c.login.state, c.login.cancel = loginPending, cancel
	client.Mountpoint = mount
	c.login.client = client
	go c.authenticate(ctx, client, password, done)
	return OK
}

func (c *Conn) authenticate(ctx context.Context, client ClientInfo, password string, done Done) {
	r := c.connect(ctx, client, password)
	if o, ok := c.transport.(AuthObserver); ok && r.Code == CodePermissionDeny {
		o.AuthFailed()
	}
	c.metrics.call("authenticate", r)
	if r != resultUnreachable { // which has been logged
		c.refused(callLogin, "", r)
	}
	if done != nil {
		done(r)
	}
	c.loginDelivered()
}

// connect logs in at the upstream and, if that succeeds, takes the client id over from an older connection. Connections
// with the same client id do this one after the other, so that the last one that the upstream accepts stays.
func (c *Conn) connect(ctx context.Context, client ClientInfo, password string) Result {
	release, err := c.gw.clients.lock(ctx, client.ClientID)
	if err != nil {
		return c.loginFailed(err)
	}
	defer release()
	session, err := c.upstream.value.Connect(ctx, c.device(client), password, c)
	if err != nil {
		return c.loginFailed(err)
	}
	// before the state is read: the older connection hands over what it has not saved yet
	if older := c.gw.clients.claim(client.ClientID, c); older != nil && older != c {
		older.Close(ReasonDiscarded)
	}
	state, err := c.openState(ctx, client.ClientID)
	if err == nil && c.loggedIn(client, session, state) {
		return OK
	}
	c.gw.clients.release(client.ClientID, c)
	session.Close()
	if err != nil {
		return c.loginFailed(err)
	}
	if state != nil {
		state.owned.Close()
	}
	return resultNotAlive
}

// device returns client with the address, the listener and the module of its connection.
func (c *Conn) device(client ClientInfo) Device {
	return Device{ClientInfo: client, Peer: c.info.Peer, Listener: c.metrics.name, Module: c.topics.module}
}

func (c *Conn) loggedIn(client ClientInfo, session Session, state *connState) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endPending()
	if c.closing.Load() {
		return false
	}
	c.login.stopDeadline()
	c.login.state, c.login.client, c.login.mount, c.login.session = loginDone, client, client.Mountpoint, session
	c.state = state
	return true
}

// endPending frees the context of a pending login; the caller holds mu.
func (c *Conn) endPending() {
	c.login.cancel()
	c.login.cancel = nil
}

func (c *Conn) loginFailed(err error) Result {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endPending()
	c.login.state = loginNone
	var refused *ResultError
	switch {
	case c.closing.Load():
		return resultNotAlive
	case errors.As(err, &refused):
		return refused.Result
	case errors.Is(err, context.DeadlineExceeded):
		return Refuse(CodeUnknown, "upstream did not answer within %v", c.limits.AuthTimeout.Round(time.Millisecond))
	}
	if suppressed, ok := c.gw.outages.Allow(time.Now()); ok {
		c.gw.log.Warn("upstream cannot be reached", "listener", c.metrics.name, "conn", c.id, "client_id",
			clip(c.login.client.ClientID), "error", err,
			"suppressed", suppressed)
	}
	return resultUnreachable
}

var resultUnreachable = Refuse(CodeUnknown, "upstream cannot be reached")
