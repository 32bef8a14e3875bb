// Package jsonecho embeds the JSON echo protocol, which EMQX tests its gateway with, as a module written in Go. Package
// handler contains its logic, which proto/examples/go/jsonecho serves over gRPC too.
package jsonecho

import _ "embed"

// Module is the compiled guest, built from package guest by wasm-examples/build.sh. It takes no configuration.
//
//go:embed jsonecho.wasm
var Module []byte
