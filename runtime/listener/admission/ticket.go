package admission

import (
	"fmt"
	"net/netip"
	"sync/atomic"
)

// Ticket is the place of one connection that was admitted. It is a value without anything to free but the place; the
// zero Ticket holds none. Keep one copy and use that: copies share a place, and only the copy that was released knows
// it.
type Ticket struct {
	admission *Admission
	source    source
	perSource bool   // counted against its source
	entered   bool   // counted against the listener's limits
	given     uint32 // back, of what follows; atomic
}

// What a ticket has given back.
const (
	slotGiven = 1 << iota
	descriptorsGiven
)

// Release gives the place back. Calling it again, on any goroutine, does nothing.
func (t *Ticket) Release() {
	if t.admission == nil || atomic.OrUint32(&t.given, slotGiven)&slotGiven != 0 {
		return
	}
	if t.perSource {
		t.admission.perSource.leave(t.source)
	}
	t.LeaveDescriptors()
	if t.entered {
		t.admission.leave()
	}
}

// Silent puts c, which has not sent anything yet, among the connections that make room when descriptors run out. Heard
// undoes it.
func (t *Ticket) Silent(p *SilentEntry, c Evictable) {
	if t.admission != nil {
		t.admission.files.watch(p, c)
	}
}

// Heard notes that the connection at p has sent something, or has ended.
func (t *Ticket) Heard(p *SilentEntry) {
	if t.admission != nil {
		t.admission.files.forget(p)
	}
}

// LeaveDescriptors gives the descriptors back. Calling it again, on any goroutine, does nothing.
func (t *Ticket) LeaveDescriptors() {
	if t.admission != nil && atomic.OrUint32(&t.given, descriptorsGiven)&descriptorsGiven == 0 {
		t.admission.files.leave(t.admission.filesEach)
	}
}

// Settle counts a connection that was admitted while it was silent against the listener's limits. What it does not get
// is counted and logged.
func (t *Ticket) Settle() error {
	a := t.admission
	if a == nil || t.entered {
		return nil
	}
	if r := a.enter(); r != admitted {
		a.refusals.refused(r, t.source)
		return fmt.Errorf("%w: %s", ErrRefused, r)
	}
	t.entered = true
	return nil
}

// settled settles a ticket that was given at once.
func (t Ticket) settled(ok bool) (Ticket, bool) {
	if !ok {
		return Ticket{}, false
	}
	if t.Settle() != nil {
		t.Release()
		return Ticket{}, false
	}
	return t, true
}

// Failed notes a handshake or an authentication of the connection that failed, also after Release: a source that has
// failed too often is banned. Where a handshake proves the source, as that of DTLS does, do not call it before: the
// owner of a forged address would be banned.
func (t *Ticket) Failed() {
	if t.admission != nil {
		t.admission.bans.failed(t.source)
	}
}

// Rebind makes the ticket that of the device behind a proxy, whose address a PROXY header named: its access rules, its
// ban and its number of connections count from here on, no longer the proxy's. Where it returns false the device is
// refused and counted as such, and the ticket is still to be released. It must come before the ticket is shared with
// other goroutines. An invalid address changes nothing.
func (t *Ticket) Rebind(device netip.Addr) bool {
	a := t.admission
	if a == nil || !device.IsValid() {
		return true
	}
	to := sourceOf(device)
	if r := a.enterSource(device, to); r != admitted {
		a.refusals.refused(r, to)
		return false
	}
	if t.perSource {
		a.perSource.leave(t.source)
	}
	t.source, t.perSource = to, true
	return true
}
