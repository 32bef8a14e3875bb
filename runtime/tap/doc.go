// Package tap writes down what the handlers of connections are told and what they call, whatever kind of handler it is: [NewHandler] stands between
// the gateway and a gateway.HandlerFactory, and gives each [Record] to a [Sink]. Recording (runtime/tap/capture), replaying (runtime/tap/replay) and shadows
// (runtime/tap/shadow) are built on it.
//
// A connection that nobody taps costs nothing: its handler and its adapter are the ones that it would have had.
package tap
