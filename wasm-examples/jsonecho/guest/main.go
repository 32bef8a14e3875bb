// Command guest is the JSON echo protocol as a module for exgate; wasm-examples/build.sh builds it with GOOS=wasip1
// GOARCH=wasm.
package main

import exproto "github.com/exgate/exgate/hostabi/sdk/go"

func init() { exproto.Serve(protocol) }

func main() {
	println("this is a module for exgate: build it with GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared")
}
