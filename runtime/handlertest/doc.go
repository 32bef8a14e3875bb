// Package handlertest is the suite that every kind of handler must pass. It plays the JSON echo protocol of
// wasm-examples/jsonecho, served over gRPC or run as a module, on a real gateway with real sockets and an upstream that
// the suite controls.
//
// The suite compares more than what a device sees. For each connection it records the events that reach the handler and
// the calls that the handler makes, and compares them with the files in testdata, so that all kinds of handlers behave
// alike event by event. A trace has a line
//
//   - for each event, when it begins: created, bytes, timer, messages, closed and its reason;
//   - for each call of the adapter, when its result is known: for Authenticate, Publish, Subscribe and Unsubscribe that
//     is when the upstream has answered. So a line means the same for a handler that waits inside its event (gRPC) and
//     for one that gets the result as an event (a module).
//
// A trace leaves out what differs by design: Pause, Resume and the events that carry results (a handler over gRPC has
// neither), OnDrain (EMQX's contract has no such callback), the texts of results, ids, addresses, and passwords.
//
// go test ./runtime/handlertest -update rewrites the files, using a handler that is a plain Go value.
//
// The package imports runtime/gateway and runtime/listener. Its only lock is trace.mu, a leaf. Begin with [Run].
package handlertest
