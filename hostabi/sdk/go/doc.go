// Package exproto is what a protocol in Go needs to run inside exgate as a WebAssembly module.
//
// A guest gives [Serve] its [Protocol] in an init function and is built with
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o echo.wasm .
//
// One instance serves many connections; each has its own [Handler] value, made when the device connects and forgotten
// when it left, so state of a connection is a field. Events come one at a time. Calls never wait: their outcome is a
// later event that runs the callback given with the call.
//
// Byte slices that an event hands over are valid until it returns. What a call is given is copied before it returns.
//
// A panic ends the instance and every connection in it, so whatever a device sends must not cause one. An instance may
// be a copy of one that was started earlier: what was drawn at start, such as a seed of math/rand/v2's generators, is
// then the same in all copies. crypto/rand is safe.
//
// Natively the package compiles too, with a [Host] interface instead of the imports: hostabi/sdk/go/exprototest tests a
// protocol without WebAssembly.
package exproto
