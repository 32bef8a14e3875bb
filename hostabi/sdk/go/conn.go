package exproto

// Conn is the connection of one device. Its methods do not block and may be called in any event of any connection.
//
// Authenticate, Publish, Subscribe, Unsubscribe and SaveState are answered: if they return Success, done is called in a
// later event, once; any other Code means that the call was refused, and done is not called. If done is nil, no answer
// is requested.
type Conn struct {
	id      int64
	host    host
	handler Handler
	pending map[int64]func(Result)
	token   int64         // the last one given to a callback
	after   func() Action // ends an event of a callback, if set
}

// firstCallbackToken is above the tokens that handlers may choose.
const firstCallbackToken = 1 << 32

// ClientInfo is what a protocol knows about its device. Only ClientID is required.
type ClientInfo struct {
	ProtoName    string
	ProtoVersion string
	ClientID     string
	Username     string
	Mountpoint   string // prepended to the topics of this device, unless the gateway's configuration sets one
}

// ID returns the host's id of the connection. This instance never sees it again.
func (c *Conn) ID() int64 { return c.id }

// Send queues b for the device. It needs no authentication.
func (c *Conn) Send(b []byte) Code { return c.host.Send(c.id, b) }

// Close closes the connection after sending the queued bytes; why is for the gateway's log.
func (c *Conn) Close(why string) Code { return c.host.Close(c.id, why) }

// StartTimer sets or replaces the keepalive: OnTimerTimeout is called when nothing has been received for that many
// seconds, 1 or more.
func (c *Conn) StartTimer(seconds uint32) Code {
	return c.host.StartTimer(c.id, TimerKeepalive, seconds)
}

// SetTimer sets or replaces the one-shot timer id, 0 to 15: after ms milliseconds, 10 or more, [AlarmHandler] is called
// once. Negative ms cancels the timer. Nothing is closed. It needs a gateway with minor version 1 of the contract.
func (c *Conn) SetTimer(id uint32, ms int32) Code { return c.host.SetTimer(c.id, id, ms) }

// SaveState replaces the state that the gateway keeps for this device and module: at most 4 KiB, unless it is
// configured otherwise. It comes back as [Result].State of the device's next Authenticate, also after a restart and for
// a newer version of the module; an empty one deletes it. Save whenever something has changed: what is saved within
// half a second is written once. done, if not nil, is called once it is durable. It needs minor version 1 of the
// contract; Unsupported means that the gateway keeps no state.
func (c *Conn) SaveState(state []byte, done func(Result)) Code {
	token := c.expect(done)
	return c.settle(token, c.host.SaveState(c.id, token, state))
}

// Resume continues reading the socket after Pause.
func (c *Conn) Resume() Code { return c.host.Resume(c.id) }

// Log writes a line to the gateway's log, which limits the rate.
func (c *Conn) Log(level Level, text string) { c.host.Log(level, text) }

// Authenticate opens the session at the broker. Return Pause after it, and call Resume in done, so that the device's
// next frames wait.
func (c *Conn) Authenticate(client ClientInfo, password string, done func(Result)) Code {
	token := c.expect(done)
	return c.settle(token, c.WithToken(token).Authenticate(client, password))
}

// Publish sends a message to the broker. qos is 0, 1 or 2.
func (c *Conn) Publish(topic string, qos uint32, payload []byte, done func(Result)) Code {
	token := c.expect(done)
	return c.settle(token, c.host.Publish(c.id, token, topic, qos, payload))
}

// Subscribe subscribes to the messages that match filter.
func (c *Conn) Subscribe(filter string, qos uint32, done func(Result)) Code {
	token := c.expect(done)
	return c.settle(token, c.host.Subscribe(c.id, token, filter, qos))
}

// Unsubscribe ends a subscription. It succeeds even if there is none for filter.
func (c *Conn) Unsubscribe(filter string, done func(Result)) Code {
	token := c.expect(done)
	return c.settle(token, c.host.Unsubscribe(c.id, token, filter))
}

// expect stores done under a new token. If done is nil, the token is 0, which requests no answer.
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

// settle drops the callback of a refused call.
func (c *Conn) settle(token int64, code Code) Code {
	if code != Success {
		delete(c.pending, token)
	}
	return code
}

// result runs the callback of a token.
func (c *Conn) result(token int64, r Result) Action {
	if done, ok := c.pending[token]; ok {
		delete(c.pending, token)
		done(r)
		if c.after != nil {
			return c.after()
		}
		return Continue
	}
	if h, ok := c.handler.(ResultHandler); ok && token > 0 && token < firstCallbackToken {
		return h.OnResult(token, r)
	}
	return Continue
}
