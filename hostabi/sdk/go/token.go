package exproto

// TokenCalls are calls whose answer goes to [ResultHandler] with a token chosen by the handler: no callback is
// allocated, and all answers arrive in one place.
type TokenCalls struct {
	conn  *Conn
	token int64
}

// WithToken returns the calls that OnResult answers with token, which must be from 1 to 1<<32 - 1. Tokens need not be
// unique.
func (c *Conn) WithToken(token int64) TokenCalls { return TokenCalls{conn: c, token: token} }

// Authenticate is [Conn.Authenticate] with a token.
func (t TokenCalls) Authenticate(client ClientInfo, password string) Code {
	var room [512]byte
	info := appendText(room[:0], 1, client.ProtoName)
	info = appendText(info, 2, client.ProtoVersion)
	info = appendText(info, 3, client.ClientID)
	info = appendText(info, 4, client.Username)
	info = appendText(info, 5, client.Mountpoint)
	request := appendText(nil, 2, string(info))
	request = appendText(request, 3, password)
	defer clear(request)
	return t.conn.host.Authenticate(t.conn.id, t.token, request)
}

// SaveState is [Conn.SaveState] with a token.
func (t TokenCalls) SaveState(state []byte) Code {
	return t.conn.host.SaveState(t.conn.id, t.token, state)
}

// Publish is [Conn.Publish] with a token.
func (t TokenCalls) Publish(topic string, qos uint32, payload []byte) Code {
	return t.conn.host.Publish(t.conn.id, t.token, topic, qos, payload)
}

// Subscribe is [Conn.Subscribe] with a token.
func (t TokenCalls) Subscribe(filter string, qos uint32) Code {
	return t.conn.host.Subscribe(t.conn.id, t.token, filter, qos)
}

// Unsubscribe is [Conn.Unsubscribe] with a token.
func (t TokenCalls) Unsubscribe(filter string) Code {
	return t.conn.host.Unsubscribe(t.conn.id, t.token, filter)
}
