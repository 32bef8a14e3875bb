// Package jsonecho holds the JSON echo protocol, the one that EMQX tested its gateway with, as a module written in Go.
// Package handler has its logic, which proto/examples/go/jsonecho serves over gRPC too.
package jsonecho

import _ "embed"

// Module is the compiled guest, built from package guest by wasm-examples/build.sh. It takes no configuration.
//
//go:embed jsonecho.wasm
var Module []byte
