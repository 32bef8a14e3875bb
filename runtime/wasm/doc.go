// Package wasm runs protocol handlers that are WebAssembly modules. [Engine] is a gateway.HandlerFactory over wazero,
// for guests of package hostabi.
//
// # Instances
//
// With [IsolationShared] an engine has a few instances of its module, the shards, each with a lock. A connection
// belongs to one of them for life, and its events run on its own goroutine under that lock. With [IsolationConnection]
// each connection has an instance. It starts at the first event of the connection, as a clone of an instance that has
// started if the module allows that (package runtime/wasm/internal/startimage). An instance can name only its own
// connections.
//
// # Faults
//
// Whatever ends a guest's call early (a trap, an exit, a limit) ends its instance, which is never entered again. The
// connection whose event it was closes with the reason (gateway.ReasonGuestTrap and those after it). The other
// connections of a shard close with gateway.ReasonGuestShardLost, and a spare instance replaces the lost one at once.
// Other instances are not affected.
//
// The source of that connection, an IPv4 address or an IPv6 /64, is a suspect for an hour: its new connections get
// instances apart from the shards, one each. If a second shard is lost soon, all new connections do (see package
// runtime/wasm/internal/suspects, and apart.go). Only a guest that fails to start is restarted with a growing delay.
//
// # Limits
//
// A module is metered before it is compiled (package internal/meter), so that fuel bounds its work. It may import only
// exproto_v1 and the part of WASI that package runtime/wasm/internal/wasi provides: clocks, random numbers, standard
// output, exit.
//
// # Versions
//
// An engine runs one version of a module for life. Package runtime/wasm/rollout replaces it while devices are
// connected, with a canary and a guard.
//
// # Imports and locks
//
// The package imports runtime/gateway, hostabi and internal packages. Locks, in order: instance.mu, which is held while
// the guest runs, then apart.mu or spares.mu, then those of suspects. spares.mu and isolated.mu are also taken before
// the lock of an instance that has no connection yet; isolated.mu before others only by TryLock. Connections are closed
// without locks.
//
// Begin with [Engine.NewHandler] in engine.go, then connection.go and event.go; fault.go has the end of an instance.
package wasm
