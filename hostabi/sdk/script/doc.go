// Package script makes modules of scripts in JavaScript. The guest in script.wasm is QuickJS with the glue in guest/; a
// script's module is that guest and a custom section with the script, so that whatever handles modules handles scripts:
// their digests differ, and their compiled code is the same.
//
// The engine that starts such a module passes the script to it with the configuration: see [Of] and [Script.Config].
// README.md says how the guest is built, and docs/javascript.md what scripts can do.
package script
