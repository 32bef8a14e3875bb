package conformance

import (
	"fmt"

	"github.com/exgate/exgate/hostabi"
)

// firstConn does not fit 32 bits, to catch guests that truncate connection ids.
const firstConn int64 = 1 << 40

// trial is one instance in one check. After a fault, its methods do nothing.
type trial struct {
	run      *run
	name     string
	guest    Guest
	calls    *witness
	lastConn int64
	fault    string // why the instance ended
	problem  string // what is wrong although the instance lives
	warning  string
	result   hostabi.Code // the code of all results
	holding  bool         // results are held back, because their timing depends on how bytes are split
}

func (t *trial) end() {
	if err := t.guest.Close(t.run.ctx); err != nil && t.fault == "" {
		t.fault = fmt.Sprintf("closing the instance: %v", err)
	}
}

func (t *trial) failf(format string, args ...any) {
	if t.problem == "" {
		t.problem = fmt.Sprintf(format, args...)
	}
}

func (t *trial) warnf(format string, args ...any) {
	if t.warning == "" {
		t.warning = fmt.Sprintf(format, args...)
	}
}

// over reports whether the trial has ended.
func (t *trial) over() bool { return t.fault != "" || t.run.ctx.Err() != nil }

// happening describes an event in messages.
type happening struct {
	kind  hostabi.Kind // 0: bytes
	arg   int64
	bytes int
}

func (h happening) String() string {
	if h.kind == 0 {
		return fmt.Sprintf("bytes (%d of them)", h.bytes)
	}
	return fmt.Sprintf("%v (arg %d, %d bytes)", h.kind, h.arg, h.bytes)
}

// deliver delivers one event and checks what must be true after each.
func (t *trial) deliver(what happening, event func() (hostabi.Action, error)) hostabi.Action {
	if t.over() {
		return hostabi.ActionContinue
	}
	action, err := event()
	seen := &t.run.seen
	seen.events++
	if used, allowed, ok := t.guest.Fuel(); ok {
		seen.metered = true
		if seen.allowed == 0 || float64(used)/float64(allowed) > float64(seen.fuel)/float64(seen.allowed) {
			seen.fuel, seen.allowed, seen.fuelOf = used, allowed, fmt.Sprintf("%v in %s", what, t.name)
		}
	}
	if err != nil {
		t.fault = fmt.Sprintf("%v: %v", what, err)
		return hostabi.ActionContinue
	}
	if action > hostabi.ActionClose && action != hostabi.ActionFail && seen.badAction == "" {
		seen.badAction = fmt.Sprintf("%d for %v in %s", int32(action), what, t.name)
	}
	return action
}

// device is a connection of a trial. It reconnects if the guest closes it.
type device struct {
	t    *trial
	id   int64
	open bool
}

// device opens a connection.
func (t *trial) device() *device {
	d := &device{t: t}
	d.connect(connInfo())
	return d
}

func (d *device) connect(info hostabi.ConnInfo) { d.connectWith(hostabi.AppendConnInfo(nil, info)) }

// connectWith is connect with an encoded ConnInfo.
func (d *device) connectWith(info []byte) {
	d.t.lastConn++
	d.id, d.open = d.t.lastConn, true
	d.t.calls.given[d.id] = true
	d.event(hostabi.KindCreated, 0, info)
}

// ready reconnects if the guest closed the connection. It reports false for a guest that closes every connection at
// once.
func (d *device) ready() bool {
	if !d.open {
		d.connect(connInfo())
	}
	return d.open
}

// bytes delivers a whole message from the device.
func (d *device) bytes(b []byte) {
	if !d.ready() {
		return
	}
	d.after(d.t.deliver(happening{0, 0, len(b)}, func() (hostabi.Action, error) { return d.t.guest.Bytes(d.id, b) }))
}

// event delivers another event and returns the guest's action.
func (d *device) event(kind hostabi.Kind, arg int64, body []byte) hostabi.Action {
	if !d.ready() {
		return hostabi.ActionContinue
	}
	action := d.t.deliver(happening{kind, arg, len(body)}, func() (hostabi.Action, error) {
		return d.t.guest.Event(kind, d.id, arg, body)
	})
	d.after(action)
	return action
}

// after does what a gateway does after an event: it delivers results, and closes what the guest wants closed.
func (d *device) after(action hostabi.Action) {
	if action >= hostabi.ActionClose {
		d.t.calls.given[d.id] = false
	}
	if !d.t.calls.given[d.id] {
		d.close("normal")
		return
	}
	d.t.answer(d)
}

// answer delivers the pending results of d, up to a limit, so that a guest that always makes another call ends too.
func (t *trial) answer(d *device) {
	for range 100 {
		i := ticketOf(t.calls.waiting, d.id)
		if i < 0 || !d.open || t.holding || t.over() {
			return
		}
		token := t.calls.waiting[i].token
		t.calls.waiting = append(t.calls.waiting[:i], t.calls.waiting[i+1:]...)
		body := hostabi.AppendCodeResponse(nil, t.result, resultText(t.result))
		action := t.deliver(happening{hostabi.KindResult, token, len(body)}, func() (hostabi.Action, error) {
			return t.guest.Event(hostabi.KindResult, d.id, token, body)
		})
		if action >= hostabi.ActionClose || !t.calls.given[d.id] {
			d.close("normal")
		}
	}
}

func ticketOf(waiting []ticket, conn int64) int {
	for i, w := range waiting {
		if w.conn == conn {
			return i
		}
	}
	return -1
}

func resultText(code hostabi.Code) string {
	if code == hostabi.CodeSuccess {
		return ""
	}
	return "refused by the conformance kit"
}

// close ends the connection, once. Pending results are not delivered.
func (d *device) close(reason string) {
	if !d.open {
		return
	}
	d.open = false
	w := d.t.calls
	w.ending = d.id
	d.t.deliver(happening{hostabi.KindClosed, 0, len(reason)}, func() (hostabi.Action, error) {
		_, err := d.t.guest.Event(hostabi.KindClosed, d.id, 0, []byte(reason))
		return hostabi.ActionContinue, err
	})
	w.ending = 0
	w.forget(d.id)
	kept := w.waiting[:0]
	for _, t := range w.waiting {
		if t.conn != d.id {
			kept = append(kept, t)
		}
	}
	w.waiting = kept
}
