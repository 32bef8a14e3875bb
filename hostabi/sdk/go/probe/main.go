// Command probe is the protocol of hostabi/conformance/probe.md as a module for exgate. It uses all of the SDK;
// wasm-examples/build.sh builds it.
package main

import exproto "github.com/exgate/exgate/hostabi/sdk/go"

func init() { exproto.Serve(protocol) }

func main() {
	println("this is a module for exgate: build it with GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared")
}
