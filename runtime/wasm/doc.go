// Package wasm runs protocol handlers that are WebAssembly modules: [Engine] is a gateway.HandlerFactory over wazero, for guests of
// package hostabi.
//
// # Instances
//
// With [IsolationShared] an engine has a few instances of its module, the shards, each with a lock. A connection belongs to one of them for life, and its
// events run on its own goroutine under that lock. With [IsolationConnection] each connection has an instance, which starts at its first event, from an
// image of one that has started where the module allows that (package runtime/wasm/internal/startimage). An instance may name only its
// own connections.
//
// # Faults
//
// Whatever ends a guest's call early (a trap, an exit, a limit) ends its instance: it is never entered again. The connection whose event
// it was closes with the reason (gateway.ReasonGuestTrap and those after it). The others of a shard close with gateway.ReasonGuestShardLost, and a
// spare instance takes the place at once. Other instances go on.
//
// The source of that connection, an IPv4 address or an IPv6 /64, is a suspect for an hour: its new connections get instances apart from the shards, one
// each. When a second shard is lost soon, all new connections do (see suspects and apart). Only a guest that does not start is started later and later.
//
// # Limits
//
// A module is metered before it is compiled (package internal/meter), so that its work is bounded by fuel, and it may import
// only exproto_v1 and the part of WASI that package runtime/wasm/internal/wasi provides: clocks, random numbers, standard output, exit.
//
// # Versions
//
// An engine runs one version of a module for life. Package runtime/wasm/rollout replaces it while devices are connected, with a canary and a guard.
package wasm
