// Package rollout replaces the guest of a handler while devices are connected. A [Module] is a gateway.HandlerFactory,
// and each of its versions is a wasm.Engine. New connections get the serving version, or the canary for its share of
// them; older connections keep their version until they close or its drain timeout passes. A version whose connections
// fault too often is rolled back.
//
// It imports runtime/gateway and runtime/wasm; runtime/wasm does not import it. It uses neither wazero nor package
// hostabi.
//
// Locks, in order: Module.loading, held while a version is compiled and installed, then Module.mu. No guest and no
// connection is called under Module.mu, except for NewHandler of an engine, which takes only the engine's own locks.
//
// Begin with [Module.NewHandler] in module.go, then swap.go, version.go (draining), trial.go (canary) and guard.go.
package rollout
