// Package state keeps the state of devices in a folder of the gateway: one small value for each device and module,
// which survives reconnects, restarts and upgrades. It is a [gateway.StateStore].
//
// One goroutine, the committer, writes all values that wait as one batch and syncs the disk once; a value that is
// replaced while it waits is never written. The files are a pebble database. Memory is used only for what waits.
//
// Begin with [Open] in store.go, then save.go and commit.go. Lock order: Store.diskMu, Store.mu.
package state
