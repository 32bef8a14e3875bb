// Package line embeds the line protocol, exgate's demonstration: a person types commands into nc, and they become MQTT.
// The module is written in C with the SDK of hostabi/sdk/c; README.md in this folder shows a session.
package line

import _ "embed"

// Module is the compiled guest, built from line.c by wasm-examples/build.sh. Its configuration is the greeting, at most
// 256 bytes; if empty, the greeting is "exgate line protocol".
//
//go:embed line.wasm
var Module []byte
