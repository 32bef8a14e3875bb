// Package exproto is the SDK for protocol handlers in Go that run inside exgate as a WebAssembly module.
//
// A guest passes its [Protocol] to [Serve] in an init function and is built with
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o echo.wasm .
//
// One instance serves many connections. Each has its own [Handler] value, created when the device connects and dropped
// when it disconnects, so the state of a connection is in its fields. Events are delivered one at a time. Calls never
// block: their outcome is a later event that runs the callback passed to the call.
//
// Byte slices passed to an event are valid until it returns. Arguments of calls are copied before the call returns.
//
// A panic ends the instance and all its connections, so no input from a device may cause one. An instance may be a copy
// of one that was started earlier: random values drawn at the start, such as the seed of math/rand/v2's generators, are
// then the same in all copies. crypto/rand is safe.
//
// The package also compiles natively, with a [Host] interface in place of the imports: hostabi/sdk/go/exprototest tests
// a protocol without WebAssembly.
package exproto
