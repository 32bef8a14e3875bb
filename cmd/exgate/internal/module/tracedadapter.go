package module

import (
	"strings"

	"github.com/exgate/exgate/runtime/gateway"
)

// tracedAdapter is the connection as its handler sees it. It prints the calls.
type tracedAdapter struct {
	gateway.ConnectionAdapter
	h *tracedHandler
}

// limit returns the answer that --limit gives to a call.
func (a tracedAdapter) limit(call string) gateway.Result {
	if a.h.limited[call] {
		return gateway.Refuse(gateway.CodeLimit, "--limit %s", call)
	}
	return gateway.OK
}

// call makes a call that the broker answers, and prints the call, its return value and its result.
func (a tracedAdapter) call(name string, done gateway.Done, begin func(gateway.Done) gateway.Result, format string,
	args ...any,
) gateway.Result {
	r := a.limit(name)
	a.h.count(1)
	if r.Ok() {
		r = begin(func(result gateway.Result) {
			if done != nil {
				a.Post(func() error { // in order with other events
					a.h.console.note("result of %s: %v", name, result)
					return nil
				})
				done(result)
			}
			a.h.count(-1)
		})
	}
	a.h.console.note(name+" "+format+": %v", append(args, r)...)
	if !r.Ok() {
		a.h.count(-1)
	}
	return r
}

func (a tracedAdapter) Close(reason gateway.CloseReason) gateway.Result {
	a.h.console.note("%s", strings.TrimSpace("close "+reason.Detail))
	return a.ConnectionAdapter.Close(reason)
}

func (a tracedAdapter) Authenticate(client gateway.ClientInfo, password string, done gateway.Done) gateway.Result {
	secret := "none"
	if password != "" {
		secret = "given"
	}
	return a.call("authenticate", done, func(done gateway.Done) gateway.Result {
		return a.ConnectionAdapter.Authenticate(client, password, done)
	}, "clientid=%q username=%q proto=%q/%q mountpoint=%q password %s",
		client.ClientID, client.Username, client.ProtoName, client.ProtoVersion, client.Mountpoint, secret)
}

func (a tracedAdapter) StartTimer(t gateway.TimerType, seconds uint32) gateway.Result {
	r := a.limit("start_timer")
	if r.Ok() {
		r = a.ConnectionAdapter.StartTimer(t, seconds)
	}
	a.h.console.note("start_timer %d, %d s: %v", t, seconds, r)
	return r
}

func (a tracedAdapter) SetTimer(id uint32, ms int32) gateway.Result {
	r := a.limit("set_timer")
	if r.Ok() {
		r = a.ConnectionAdapter.SetTimer(id, ms)
	}
	a.h.console.note("set_timer %d, %d ms: %v", id, ms, r)
	return r
}

func (a tracedAdapter) SaveState(value []byte, done gateway.Done) gateway.Result {
	return a.call("save_state", done, func(done gateway.Done) gateway.Result {
		return a.ConnectionAdapter.SaveState(value, done)
	}, "%s", a.h.console.bytes(value))
}

func (a tracedAdapter) Publish(topic string, qos uint32, payload []byte, done gateway.Done) gateway.Result {
	return a.call("publish", done, func(done gateway.Done) gateway.Result {
		return a.ConnectionAdapter.Publish(topic, qos, payload, done)
	}, "%q qos=%d %s", topic, qos, a.h.console.bytes(payload))
}

func (a tracedAdapter) PublishWith(topic string, qos uint32, payload []byte, props *gateway.Properties,
	done gateway.Done,
) gateway.Result {
	return a.call("publish", done, func(done gateway.Done) gateway.Result {
		return a.ConnectionAdapter.PublishWith(topic, qos, payload, props, done)
	}, "%q qos=%d %s %v", topic, qos, a.h.console.bytes(payload), props)
}

func (a tracedAdapter) Subscribe(filter string, qos uint32, done gateway.Done) gateway.Result {
	return a.call("subscribe", done, func(done gateway.Done) gateway.Result {
		return a.ConnectionAdapter.Subscribe(filter, qos, done)
	}, "%q qos=%d", filter, qos)
}

func (a tracedAdapter) Unsubscribe(filter string, done gateway.Done) gateway.Result {
	return a.call("unsubscribe", done, func(done gateway.Done) gateway.Result {
		return a.ConnectionAdapter.Unsubscribe(filter, done)
	}, "%q", filter)
}

func (a tracedAdapter) Pause() {
	a.h.console.note("pause")
	a.ConnectionAdapter.Pause()
}

func (a tracedAdapter) Resume() gateway.Result {
	a.h.console.note("resume")
	return a.ConnectionAdapter.Resume()
}
