// Package session is the dialect exgate.handler.v1: one stream to each backend carries the events and commands of many
// connections.
//
// A [Session] has one line for each backend, and a line opens one stream after the other. The events of a conn stay in
// its window until the handler acknowledges them, so that a broken stream loses none. Begin reading at session.go and
// conn.go (events), then line.go and stream.go (streams), execute.go (commands) and suspects.go (connections whose
// events end streams). The encoding is in frame.go, command.go and window.go.
//
// It may import target and runtime/remote/internal. Session.mu guards all lines, streams, connections and windows.
// While it is held, only pins of the pool are released, which has a lock of its own; connections are closed without it.
package session
