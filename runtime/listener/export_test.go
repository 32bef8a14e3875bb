package listener

import "log/slog"

// What the tests of listeners take from those of the guard.
var (
	AHello     = aHello
	AHelloWith = aHelloWith
	ARecord    = aRecord
	AMessage   = aMessage
)

// Pending is how many handshakes are under way: of sources that have not proved their address, and of those that have.
func (l *DTLS) Pending() (unverified, verified int) { return l.unverified.size(), l.handshaking.size() }

// Peers is how many addresses the listener knows.
func (l *DTLS) Peers() int { return int(l.mux.peers.Load()) }

// DescriptorsOf is what a process that may open soft files, and has few open, shares out.
func DescriptorsOf(soft uint64) *Descriptors {
	d := &Descriptors{soft: soft, log: slog.New(slog.DiscardHandler)}
	d.share(0)
	return d
}

// OwnFiles is how many of them are kept back at least.
const OwnFiles = ownFiles

// Taken is how many descriptors devices have.
func (d *Descriptors) Taken() int { return int(d.taken.Load()) }

// Silent is how many connections there are whose device has not said anything.
func (d *Descriptors) Silent() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.silent.Len()
}
