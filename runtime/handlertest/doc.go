// Package handlertest is the one suite that every kind of handler passes: the JSON echo protocol of wasm-examples/jsonecho, served over gRPC or run
// as a module, on a real gateway with real sockets and an upstream that the suite scripts.
//
// What a device sees is only half of it. The suite also writes down, for each connection, the events that reach the handler and the calls it
// makes, and compares them with the files in testdata: the kinds of handlers are equal event by event. A trace has a line
//
//   - for each event, when it begins: created, bytes, timer, messages, closed and its reason;
//   - for each call of the adapter, when its result is there: for Authenticate, Publish, Subscribe and Unsubscribe that is when the upstream has
//     answered, so the line means the same where a handler waits inside its event (gRPC) and where it gets an event of its own (a module).
//
// Not in a trace, because they differ by design: Pause, Resume and the events that carry results (a handler over gRPC has none of
// them), OnDrain (the contract of EMQX has no such callback), the texts of results, ids, addresses, and passwords.
//
// go test ./runtime/handlertest -update writes the files anew, from a handler that is a plain Go value.
package handlertest
