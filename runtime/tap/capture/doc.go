// Package capture writes and reads the file format .exgc: recordings of connections as their handlers saw them, with
// passwords covered. docs/capture-format.md specifies it.
//
// A [Point] belongs to one listener. It records whole connections: a sample of them into a [Folder], and others on
// request while the gateway runs, with [Point.Capture].
//
// # Passwords
//
// The records of a connection are held back until its device has logged in, so that its password is known when they are
// written; every occurrence is covered (package runtime/tap/internal/redact). A connection that does not log in for too
// long is not recorded.
//
// # Imports and locks
//
// The package imports runtime/gateway and runtime/tap. Locks, in order: session.mu, then folder.mu or liveCapture.mu,
// then stream.mu. Begin with Point.NewHandler in point.go, then session.go, pending.go and stream.go; reader.go reads.
package capture
