package wasm

import (
	"context"
	"fmt"

	"github.com/exgate/exgate/hostabi"
	"github.com/exgate/exgate/runtime/gateway"
)

// Specimen is one instance of an engine's guest without a gateway: its events are the caller's and its calls are shown to a host of the caller's. All
// limits hold. Tools examine guests with it. It is for one goroutine.
type TrialInstance struct {
	in   *instance
	dead error
}

// Specimen starts an instance of its own, which no connection is given. host sees every call, also those that the instance may not make, and its answer counts where
// the engine would accept the call.
func (e *Engine) TrialInstance(host hostabi.Host) (*TrialInstance, error) {
	in, err := newInstance(e, connLabel(""))
	if err != nil {
		return nil, fmt.Errorf("starting wasm handler %s: %w", e.config.Name, err)
	}
	in.ctx = hostabi.WithHost(context.WithValue(in.ctx, instanceKey{}, in), trialHost{in, host})
	return &TrialInstance{in: in}, nil
}

// Bytes is what a device sent. A fault is a [gateway.HandlerError]; after it the specimen is of no use.
func (s *TrialInstance) Bytes(conn int64, b []byte) (hostabi.Action, error) {
	return s.deliver(conn, kindBytes, 0, b)
}

// Event is any other event, of any kind and with any body. One that is larger than the receive buffer is offered, and not delivered where the guest refuses.
func (s *TrialInstance) Event(kind hostabi.Kind, conn, arg int64, body []byte) (hostabi.Action, error) {
	if kind == hostabi.KindCreated {
		s.in.connections[conn] = &connection{id: conn, adapter: gateway.NullAdapter{}}
	}
	if kind == hostabi.KindClosed {
		if c := s.in.connections[conn]; c != nil {
			c.closing = true
		}
		defer delete(s.in.connections, conn)
	}
	return s.deliver(conn, kind, arg, body)
}

func (s *TrialInstance) deliver(conn int64, kind hostabi.Kind, arg int64, body []byte) (hostabi.Action, error) {
	in := s.in
	in.mu.Lock()
	defer in.mu.Unlock()
	if s.dead != nil {
		return hostabi.ActionContinue, s.dead
	}
	fits, err := in.fill(body)
	if err == nil && fits {
		err = in.enter(conn, kind, arg, uint32(len(body)))
	}
	in.closes = nil
	if err != nil {
		s.dead = in.fault(err)
		return hostabi.ActionContinue, s.dead
	}
	if !fits {
		return hostabi.ActionContinue, nil
	}
	return hostabi.Action(in.stack[0]), nil
}

// Memory is the size of the memory, in bytes.
func (s *TrialInstance) Memory() uint64 { return uint64(s.in.memory.Size()) }

// Fuel is what the last event used and what it might use; zero of a module that is not metered.
func (s *TrialInstance) Fuel() (used, allowed uint64) {
	if s.in.fuel == nil {
		return 0, 0
	}
	return s.in.spent(), uint64(s.in.budget.fuel)
}

// Close frees the instance.
func (s *TrialInstance) Close() { s.in.close() }

// shown is an instance's imports, shown to another host. Limits and connections are looked at as in every instance; what would then go to the
// gateway goes to the other host alone.
type trialHost struct {
	in   *instance
	host hostabi.Host
}

var _ hostabi.Host = trialHost{}

// decide is what the instance says where it refuses the call, and the other host's answer where it does not.
func (s trialHost) answer(conn int64, bytes int, answer hostabi.Code) hostabi.Code {
	switch {
	case s.in.target(conn) == nil:
		return hostabi.CodeConnProcessNotAlive
	case !s.in.budget.pay(bytes):
		return hostabi.CodeLimit
	}
	return answer
}

func (s trialHost) Send(conn int64, b []byte) hostabi.Code {
	return s.answer(conn, len(b), s.host.Send(conn, b))
}

func (s trialHost) Close(conn int64, why []byte) hostabi.Code {
	code := s.answer(conn, 0, s.host.Close(conn, why))
	if c := s.in.connections[conn]; code == hostabi.CodeSuccess && c != nil {
		c.closing = true
	}
	return code
}

func (s trialHost) Authenticate(conn, token int64, request []byte) hostabi.Code {
	return s.answer(conn, len(request), s.host.Authenticate(conn, token, request))
}

func (s trialHost) StartTimer(conn int64, timer, seconds uint32) hostabi.Code {
	return s.answer(conn, 0, s.host.StartTimer(conn, timer, seconds))
}

func (s trialHost) Publish(conn, token int64, topic []byte, qos uint32, payload []byte) hostabi.Code {
	return s.answer(conn, len(topic)+len(payload), s.host.Publish(conn, token, topic, qos, payload))
}

func (s trialHost) Subscribe(conn, token int64, topic []byte, qos uint32) hostabi.Code {
	return s.answer(conn, len(topic), s.host.Subscribe(conn, token, topic, qos))
}

func (s trialHost) Unsubscribe(conn, token int64, topic []byte) hostabi.Code {
	return s.answer(conn, len(topic), s.host.Unsubscribe(conn, token, topic))
}

func (s trialHost) Resume(conn int64) hostabi.Code { return s.answer(conn, 0, s.host.Resume(conn)) }

func (s trialHost) Log(level int32, text []byte) {
	s.in.Log(level, text)
	s.host.Log(level, text)
}
