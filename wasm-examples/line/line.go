// Package line holds the line protocol, exgate's demonstration: a person types commands with nc, and they become MQTT.
// The module is written in C, with the SDK of hostabi/sdk/c; README.md in this folder shows a session.
package line

import _ "embed"

// Module is the compiled guest, built from line.c by wasm-examples/Taskfile.yml. Its configuration is the greeting, at
// most 256 bytes; an empty one is "exgate line protocol".
//
//go:embed line.wasm
var Module []byte
