// Package sockets opens listening sockets, takes those that systemd or a previous process passed to this one, and hands
// them to the process that replaces it.
//
// It imports none of our packages.
//
// Lock: inventory.mu, shared by all views of one [Sockets]. Begin reading at sockets.go; handover.go and inherited.go
// are the two ends of an upgrade.
package sockets
