package wasm

import "github.com/exgate/exgate/hostabi"

// shown is an instance's imports, shown to another host. Limits and connections are looked at as in every instance; what would then go to the
// gateway goes to the other host alone.
type shown struct {
	in   *instance
	host hostabi.Host
}

var _ hostabi.Host = shown{}

// decide is what the instance says where it refuses the call, and the other host's answer where it does not.
func (s shown) decide(conn int64, bytes int, answer hostabi.Code) hostabi.Code {
	switch {
	case s.in.target(conn) == nil:
		return hostabi.CodeConnProcessNotAlive
	case !s.in.budget.pay(bytes):
		return hostabi.CodeLimit
	}
	return answer
}

func (s shown) Send(conn int64, b []byte) hostabi.Code {
	return s.decide(conn, len(b), s.host.Send(conn, b))
}

func (s shown) Close(conn int64, why []byte) hostabi.Code {
	code := s.decide(conn, 0, s.host.Close(conn, why))
	if c := s.in.connections[conn]; code == hostabi.CodeSuccess && c != nil {
		c.closing = true
	}
	return code
}

func (s shown) Authenticate(conn, token int64, request []byte) hostabi.Code {
	return s.decide(conn, len(request), s.host.Authenticate(conn, token, request))
}

func (s shown) StartTimer(conn int64, timer, seconds uint32) hostabi.Code {
	return s.decide(conn, 0, s.host.StartTimer(conn, timer, seconds))
}

func (s shown) Publish(conn, token int64, topic []byte, qos uint32, payload []byte) hostabi.Code {
	return s.decide(conn, len(topic)+len(payload), s.host.Publish(conn, token, topic, qos, payload))
}

func (s shown) Subscribe(conn, token int64, topic []byte, qos uint32) hostabi.Code {
	return s.decide(conn, len(topic), s.host.Subscribe(conn, token, topic, qos))
}

func (s shown) Unsubscribe(conn, token int64, topic []byte) hostabi.Code {
	return s.decide(conn, len(topic), s.host.Unsubscribe(conn, token, topic))
}

func (s shown) Resume(conn int64) hostabi.Code { return s.decide(conn, 0, s.host.Resume(conn)) }

func (s shown) Log(level int32, text []byte) {
	s.in.Log(level, text)
	s.host.Log(level, text)
}
