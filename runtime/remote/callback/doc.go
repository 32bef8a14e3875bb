// Package callback has the dialects of ExProto: each event of a connection is one call of the handler, to unary
// methods, to client-streaming methods, or on streams that connections share.
//
// A [Caller] makes the handlers of connections. A [Handler] turns an event into a request, its [Delivery] sends that to
// the connection's backend as often as the policy allows, and an [Invoker] makes the call. An OnSocketClosed that
// cannot be delivered is retried in the background (closes.go). Begin reading at caller.go and handler.go, then
// delivery.go and call.go. Files streams.go, probe.go and sharedstream.go are about streams only.
//
// It may import target and runtime/remote/internal. Its locks, in order: pendingCloses.mu, streamBackend.mu,
// endProbe.mu. Streams.mu is held alone.
package callback
