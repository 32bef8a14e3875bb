// Package dial is the listener for devices that are servers: it dials a list of targets over TCP, TLS and UDP, and
// keeps one connection to each. The list may be a file, which is read again when it changes.
//
// It stands on the stream listeners, whose sockets it uses, and never imports udp, whose peers share a socket.
//
// Locks: Listener.mu, dialed.mu and OpeningLog's are each taken alone; none is held while waiting.
//
// Begin reading at listener.go and target.go: each target has a goroutine that dials, waits until its connection has
// ended, and pauses before it dials again. allow.go decides which addresses may be dialed.
package dial
