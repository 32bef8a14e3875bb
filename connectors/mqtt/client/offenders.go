package client

import (
	"sync"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

const (
	offencesUntilBan = 3   // convictions after which a device is closed and may not log in for a while
	offenceMemory    = 60  // times Config.ReconnectDelay: how long the first conviction counts; doubles with each
	offenceLongest   = 600 //
	maxOffenders     = 10_000
	suspicionMemory  = 30 // times Config.ReconnectDelay: how long a device that left with a suspect is remembered
)

// offenders tracks, by client id, the devices for whose calls the broker ended connections.
type offenders struct {
	mu sync.Mutex
	by map[string]offender // guarded by mu; at most maxOffenders
}

type offender struct {
	count int
	until time.Time
}

// add counts a conviction and returns how long it counts.
func (o *offenders) add(id string, now time.Time, unit time.Duration) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	each := o.by[id]
	if now.After(each.until) {
		each.count = 0
	}
	times := min(offenceMemory<<min(each.count, 4), offenceLongest)
	each.count++
	d := time.Duration(times) * unit
	each.until = now.Add(d)
	if id != "" {
		o.makeRoom(now)
		if o.by == nil {
			o.by = map[string]offender{}
		}
		o.by[id] = each
	}
	return d
}

// suspect remembers a device that left before its suspects were tried. Its calls are tried first when it logs in again.
func (o *offenders) suspect(id string, now time.Time, unit time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if id == "" || now.Before(o.by[id].until) {
		return
	}
	o.makeRoom(now)
	if o.by == nil {
		o.by = map[string]offender{}
	}
	o.by[id] = offender{until: now.Add(suspicionMemory * unit)}
}

// makeRoom must be called with mu held.
func (o *offenders) makeRoom(now time.Time) {
	if len(o.by) < maxOffenders {
		return
	}
	for id, each := range o.by {
		if now.After(each.until) {
			delete(o.by, id)
		}
	}
	for id := range o.by {
		if len(o.by) < maxOffenders {
			return
		}
		delete(o.by, id)
	}
}

// count returns the number of convictions that still count.
func (o *offenders) count(id string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	if each := o.by[id]; time.Now().Before(each.until) {
		return each.count
	}
	return 0
}

// left returns how long the convictions of a client id still count.
func (o *offenders) left(id string, now time.Time) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	if each, known := o.by[id]; known {
		return max(0, each.until.Sub(now))
	}
	return 0
}

func (o *offenders) isBanned(id string, now time.Time) bool {
	return o.left(id, now) > 0 && o.count(id) >= offencesUntilBan
}

// refuse refuses the login of a device with too many convictions. Clients of the gateway itself, which have no
// listener, are always allowed.
func (o *offenders) refuse(device gateway.Device) error {
	now := time.Now()
	if device.Listener == "" || !o.isBanned(device.ClientID, now) {
		return nil
	}
	return &gateway.ResultError{Result: gateway.Refuse(gateway.CodeLimit,
		"the broker ended %d connections because of what this client sent; it may log in again in %v",
		o.count(device.ClientID),
		o.left(device.ClientID, now).Round(time.Second))}
}
