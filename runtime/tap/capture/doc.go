// Package capture is the file format .exgc, what is written into it and what reads it: recordings of connections as their handlers saw them, with
// passwords covered. docs/capture-format.md is its specification.
//
// A [Point] stands at one listener. It records whole connections: a sample of them into a folder, as [Folder] bounds it, and those that
// somebody asks for while the gateway runs, with [Point.Capture].
//
// # Passwords
//
// What a connection does is held back until its device has logged in, so that its password is known when the bytes are written that it came in; then
// every occurrence is covered (package runtime/tap/internal/redact). A connection that is silent about its password for too long is not recorded.
package capture
