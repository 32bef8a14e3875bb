package wasm

import (
	"unicode/utf8"

	"github.com/exgate/exgate/hostabi"
	"github.com/exgate/exgate/internal/topic"
	"github.com/exgate/exgate/runtime/gateway"
)

var _ hostabi.Host = (*instance)(nil)

// target counts the call and returns the connection, or nil if the instance must not name it.
func (in *instance) target(conn int64) *connection {
	in.budget.call()
	if c := in.connections[conn]; c != nil && !c.closing {
		return c
	}
	return nil
}

func (in *instance) Send(conn int64, b []byte) hostabi.Code {
	c := in.target(conn)
	if c == nil {
		return hostabi.CodeConnProcessNotAlive
	}
	if !in.budget.pay(len(b)) {
		return hostabi.CodeLimit
	}
	if c == in.current {
		if in.keep(b) {
			return hostabi.CodeSuccess
		}
		in.flush()
	}
	return code(c.adapter.Send(b))
}

func (in *instance) Close(conn int64, why []byte) hostabi.Code {
	c := in.target(conn)
	if c == nil {
		return hostabi.CodeConnProcessNotAlive
	}
	in.closeLater(c, gateway.ReasonNormal.With("%s", bounded(clip(why), maxReasonText)))
	return hostabi.CodeSuccess
}

func (in *instance) Authenticate(conn, token int64, request []byte) hostabi.Code {
	c := in.target(conn)
	if c == nil {
		return hostabi.CodeConnProcessNotAlive
	}
	if !in.budget.pay(len(request)) {
		return hostabi.CodeLimit
	}
	a, err := hostabi.ParseAuthenticateRequest(request)
	if err != nil {
		return hostabi.CodeParamsTypeError
	}
	client := gateway.ClientInfo{
		ProtoName: a.ProtoName, ProtoVersion: a.ProtoVersion, ClientID: a.ClientID, Username: a.Username,
		Mountpoint: a.Mountpoint,
	}
	in.flush()
	return code(c.adapter.Authenticate(client, a.Password, c.loggedIn(token)))
}

func (in *instance) StartTimer(conn int64, timer, seconds uint32) hostabi.Code {
	c := in.target(conn)
	if c == nil {
		return hostabi.CodeConnProcessNotAlive
	}
	if timer > uint32(gateway.TimerKeepalive) {
		return hostabi.CodeParamsTypeError
	}
	in.flush()
	return code(c.adapter.StartTimer(gateway.TimerType(timer), seconds))
}

func (in *instance) SetTimer(conn int64, id uint32, ms int32) hostabi.Code {
	c := in.target(conn)
	if c == nil {
		return hostabi.CodeConnProcessNotAlive
	}
	in.flush()
	return code(c.adapter.SetTimer(id, ms))
}

func (in *instance) SaveState(conn, token int64, value []byte) hostabi.Code {
	c := in.target(conn)
	switch {
	case c == nil:
		return hostabi.CodeConnProcessNotAlive
	case !in.budget.pay(len(value)):
		return hostabi.CodeLimit
	}
	in.flush()
	return code(c.adapter.SaveState(value, c.wanted(token)))
}

func (in *instance) Publish(conn, token int64, topic []byte, qos uint32, payload []byte) hostabi.Code {
	c, refusal := in.topicTarget(conn, topic, len(topic)+len(payload))
	if c == nil {
		return refusal
	}
	return code(c.adapter.Publish(string(topic), qos, payload, c.wanted(token)))
}

func (in *instance) PublishWith(conn, token int64, topic []byte, qos uint32, payload, props []byte) hostabi.Code {
	c, refusal := in.topicTarget(conn, topic, len(topic)+len(payload)+len(props))
	if c == nil {
		return refusal
	}
	p, refusal := properties(props)
	if refusal != hostabi.CodeSuccess {
		return refusal
	}
	return code(c.adapter.PublishWith(string(topic), qos, payload, p, c.wanted(token)))
}

func (in *instance) Subscribe(conn, token int64, topic []byte, qos uint32) hostabi.Code {
	c, refusal := in.topicTarget(conn, topic, len(topic))
	if c == nil {
		return refusal
	}
	return code(c.adapter.Subscribe(string(topic), qos, c.wanted(token)))
}

func (in *instance) Unsubscribe(conn, token int64, topic []byte) hostabi.Code {
	c, refusal := in.topicTarget(conn, topic, len(topic))
	if c == nil {
		return refusal
	}
	return code(c.adapter.Unsubscribe(string(topic), c.wanted(token)))
}

// topicTarget is target for calls with a topic that cost n bytes. If it returns nil, the code says why. The adapter
// makes the other checks of the topic.
func (in *instance) topicTarget(conn int64, text []byte, n int) (*connection, hostabi.Code) {
	c := in.target(conn)
	switch {
	case c == nil:
		return nil, hostabi.CodeConnProcessNotAlive
	case !in.budget.pay(n):
		return nil, hostabi.CodeLimit
	case len(text) > topic.MaxString || !utf8.Valid(text):
		return nil, hostabi.CodeParamsTypeError
	}
	in.flush()
	return c, hostabi.CodeSuccess
}

func (in *instance) Resume(conn int64) hostabi.Code {
	c := in.target(conn)
	if c == nil {
		return hostabi.CodeConnProcessNotAlive
	}
	return code(c.adapter.Resume())
}

func (in *instance) Log(level int32, text []byte) {
	in.budget.call()
	in.output.line(level, text)
}

// wasiGuest implements wasi.Guest for an instance.
type wasiGuest struct{ in *instance }

func (g wasiGuest) Call()                      { g.in.budget.call() }
func (g wasiGuest) Pay(n int) bool             { return g.in.budget.pay(n) }
func (g wasiGuest) Spent() uint64              { return g.in.spent() }
func (g wasiGuest) Write(stream int, b []byte) { g.in.output.write(stream, b) }

func code(r gateway.Result) hostabi.Code { return hostabi.Code(r.Code) }
