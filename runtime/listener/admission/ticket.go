package admission

import (
	"fmt"
	"net/netip"
	"sync/atomic"
)

// Ticket represents one admitted connection. Release it when the connection has ended; releasing the zero Ticket does
// nothing. Use one copy only: copies count as the same connection, but only the released copy knows that it was
// released.
type Ticket struct {
	admission *Admission
	source    source
	perSource bool   // counted against its source
	entered   bool   // counted against the listener's limits
	released  uint32 // parts released, as the bits below; atomic
}

// Parts of a ticket that can be released.
const (
	slotReleased = 1 << iota
	descriptorsReleased
)

// Release takes the connection out of all limits. Calling it again, on any goroutine, does nothing.
func (t *Ticket) Release() {
	if t.admission == nil || atomic.OrUint32(&t.released, slotReleased)&slotReleased != 0 {
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

// Silent adds c, which has not sent anything yet, to the connections that are closed when descriptors run out. Heard
// undoes it.
func (t *Ticket) Silent(p *SilentEntry, c Evictable) {
	if t.admission != nil {
		t.admission.files.watch(p, c, &t.admission.silent)
	}
}

// Heard notes that the connection of p has sent something or has ended.
func (t *Ticket) Heard(p *SilentEntry) {
	if t.admission != nil {
		t.admission.files.forget(p)
	}
}

// LeaveDescriptors gives the descriptors back. Calling it again, on any goroutine, does nothing.
func (t *Ticket) LeaveDescriptors() {
	if t.admission != nil && atomic.OrUint32(&t.released, descriptorsReleased)&descriptorsReleased == 0 {
		t.admission.files.leave(t.admission.filesEach)
	}
}

// Settle counts a connection that was admitted silently against the listener's limits. A refusal is counted and logged.
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

// settled settles a new ticket, or releases it.
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

// Failed records a failed handshake or authentication, also after Release; a source that fails too often is banned. If
// a handshake proves the source address, as DTLS does, do not call it earlier: the owner of a forged address would be
// banned.
func (t *Ticket) Failed() {
	if t.admission != nil {
		t.admission.bans.Load().failed(t.source)
	}
}

// Rebind transfers the ticket from a proxy to the device named in its PROXY header: access rules, bans and the limit
// for one source apply to the device from here on. If it returns false, the device is refused and counted, and the
// ticket must still be released. Call it before the ticket is shared with other goroutines. An invalid address changes
// nothing.
func (t *Ticket) Rebind(device netip.Addr) bool {
	a := t.admission
	if a == nil || !device.IsValid() {
		return true
	}
	to := sourceOf(device)
	counted, r := a.enterSource(device, to)
	if r != admitted {
		a.refusals.refused(r, to)
		return false
	}
	if t.perSource {
		a.perSource.leave(t.source)
	}
	t.source, t.perSource = to, counted
	return true
}
