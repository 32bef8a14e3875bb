// Package tap records the events and calls of connections, whatever kind of handler they have. [NewHandler] stands
// between the gateway and a gateway.HandlerFactory and passes each [Record] to a [Sink]. Recording
// (runtime/tap/capture), replaying (runtime/tap/replay) and shadows (runtime/tap/shadow) are built on it.
//
// A connection without a sink costs nothing: it gets the handler and the adapter that it would have had.
//
// The package imports runtime/gateway only. Its only lock is tapped.mu; the sink is called under it. Begin with
// [NewHandler] in wrap.go, then handler.go (events) and adapter.go (calls).
package tap
