package wasm

import (
	"context"
	"fmt"

	"github.com/exgate/exgate/hostabi"
	"github.com/exgate/exgate/runtime/gateway"
)

// TrialInstance is an instance of an engine's guest without a gateway, for tools that examine guests: the caller makes
// its events, and a host of the caller answers its calls. All limits apply. It is not safe for concurrent use.
type TrialInstance struct {
	in   *instance
	dead error
}

// TrialInstance starts an instance that serves no connection. host gets each call, including those that the engine
// refuses; its answer is used if the engine accepts the call.
func (e *Engine) TrialInstance(host hostabi.Host) (*TrialInstance, error) {
	in, err := newInstance(e, connLabel(""))
	if err != nil {
		return nil, fmt.Errorf("starting wasm handler %s: %w", e.config.Name, err)
	}
	in.ctx = hostabi.WithHost(context.WithValue(in.ctx, instanceKey{}, in), trialHost{in, host})
	return &TrialInstance{in: in}, nil
}

// Bytes runs an event with bytes of a device. A fault is a [gateway.HandlerError]; after one, each event returns it
// again.
func (s *TrialInstance) Bytes(conn int64, b []byte) (hostabi.Action, error) {
	return s.deliver(conn, kindBytes, 0, b)
}

// Event runs any other event, of any kind and with any body. A body larger than the receive buffer is offered to the
// guest, and not delivered if the guest refuses it.
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

// Memory returns the size of the memory, in bytes.
func (s *TrialInstance) Memory() uint64 { return uint64(s.in.memory.Size()) }

// Fuel returns what the last event used and what it was allowed. Both are 0 if the module is not metered.
func (s *TrialInstance) Fuel() (used, allowed uint64) {
	if s.in.fuel == nil {
		return 0, 0
	}
	return s.in.spent(), uint64(s.in.budget.fuel)
}

// Close frees the instance.
func (s *TrialInstance) Close() { s.in.close() }

// trialHost implements the imports of a trial instance. It checks limits and connections as every instance does, and
// passes what would go to the gateway to another host.
type trialHost struct {
	in   *instance
	host hostabi.Host
}

var _ hostabi.Host = trialHost{}

// answer returns the instance's refusal of a call or, if there is none, the other host's answer.
func (s trialHost) answer(conn int64, bytes int, hosts hostabi.Code) hostabi.Code {
	switch {
	case s.in.target(conn) == nil:
		return hostabi.CodeConnProcessNotAlive
	case !s.in.budget.pay(bytes):
		return hostabi.CodeLimit
	}
	return hosts
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

func (s trialHost) SetTimer(conn int64, id uint32, ms int32) hostabi.Code {
	return s.answer(conn, 0, s.host.SetTimer(conn, id, ms))
}

func (s trialHost) SaveState(conn, token int64, value []byte) hostabi.Code {
	return s.answer(conn, len(value), s.host.SaveState(conn, token, value))
}

func (s trialHost) Publish(conn, token int64, topic []byte, qos uint32, payload []byte) hostabi.Code {
	return s.answer(conn, len(topic)+len(payload), s.host.Publish(conn, token, topic, qos, payload))
}

func (s trialHost) PublishWith(conn, token int64, topic []byte, qos uint32, payload, props []byte) hostabi.Code {
	return s.answer(conn, len(topic)+len(payload)+len(props),
		s.host.PublishWith(conn, token, topic, qos, payload, props))
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
