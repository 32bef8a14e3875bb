package exproto

// Conn is the connection of one device. Its methods never wait and may be called in any event of any connection.
//
// Authenticate, Publish, Subscribe and Unsubscribe are answered by the broker. Where they return Success, done is
// called once, in a later event; any other Code refuses the call at once, and done is not called. A nil done asks for
// no answer.
type Conn struct {
	id      int64
	host    host
	handler Handler
	pending map[int64]func(Result)
	token   int64 // the last that was given to a callback
}

// firstCallbackToken is above the tokens that handlers may choose themselves.
const firstCallbackToken = 1 << 32

// ClientInfo is what a protocol learned of its device. Only ClientID is required.
type ClientInfo struct {
	ProtoName    string
	ProtoVersion string
	ClientID     string
	Username     string
	Mountpoint   string // put before the topics of this device, unless the gateway's configuration has one
}

// ID is the host's name for the connection. It is not used again by this instance.
func (c *Conn) ID() int64 { return c.id }

// Send queues b for the device. It needs no authentication.
func (c *Conn) Send(b []byte) Code { return c.host.Send(c.id, b) }

// Close closes the connection after what was sent is out; why is for the gateway's log.
func (c *Conn) Close(why string) Code { return c.host.Close(c.id, why) }

// StartTimer sets or replaces the keepalive: OnTimerTimeout comes when nothing was received for that many seconds, 1 or
// more.
func (c *Conn) StartTimer(seconds uint32) Code {
	return c.host.StartTimer(c.id, TimerKeepalive, seconds)
}

// Resume reads the socket again after Pause.
func (c *Conn) Resume() Code { return c.host.Resume(c.id) }

// Log writes a line to the gateway's log, which limits their rate.
func (c *Conn) Log(level Level, text string) { c.host.Log(level, text) }

// Authenticate opens the session at the broker. Return Pause after it, and call Resume in done: the device's next
// frames wait meanwhile.
func (c *Conn) Authenticate(client ClientInfo, password string, done func(Result)) Code {
	token := c.expect(done)
	return c.settle(token, c.WithToken(token).Authenticate(client, password))
}

// Publish sends a message to the broker. qos is 0, 1 or 2.
func (c *Conn) Publish(topic string, qos uint32, payload []byte, done func(Result)) Code {
	token := c.expect(done)
	return c.settle(token, c.host.Publish(c.id, token, topic, qos, payload))
}

// Subscribe asks for the messages that match filter.
func (c *Conn) Subscribe(filter string, qos uint32, done func(Result)) Code {
	token := c.expect(done)
	return c.settle(token, c.host.Subscribe(c.id, token, filter, qos))
}

// Unsubscribe ends a subscription. That of a filter which was not subscribed succeeds.
func (c *Conn) Unsubscribe(filter string, done func(Result)) Code {
	token := c.expect(done)
	return c.settle(token, c.host.Unsubscribe(c.id, token, filter))
}

// expect keeps done under a new token; without one the token is 0, which asks for no answer.
func (c *Conn) expect(done func(Result)) int64 {
	if done == nil {
		return 0
	}
	if c.pending == nil {
		c.pending = make(map[int64]func(Result))
		c.token = firstCallbackToken - 1
	}
	c.token++
	c.pending[c.token] = done
	return c.token
}

// settle forgets the callback of a call that was refused.
func (c *Conn) settle(token int64, code Code) Code {
	if code != Success {
		delete(c.pending, token)
	}
	return code
}

// result runs what waits for a token.
func (c *Conn) result(token int64, r Result) Action {
	if done, ok := c.pending[token]; ok {
		delete(c.pending, token)
		done(r)
		return Continue
	}
	if h, ok := c.handler.(ResultHandler); ok && token > 0 && token < firstCallbackToken {
		return h.OnResult(token, r)
	}
	return Continue
}
