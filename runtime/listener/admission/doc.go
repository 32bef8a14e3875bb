// Package admission decides who may connect to a listener: access lists, bans, limits for the listener, for one source
// and for all listeners together, connection rates, and file descriptors. It also bounds the connections that are still
// being opened, and logs those that fail.
//
// It imports leaves of internal/ only. Nothing in it waits.
//
// Locks: each of bans.mu, Descriptors.mu, WaitingRoom.mu, OpeningLog.mu and the locks of a sourceLimit is taken alone;
// connections are evicted after the lock is released.
//
// Begin reading at admission.go and ticket.go.
package admission
