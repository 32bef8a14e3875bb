package wasm

import (
	"crypto/sha256"
	"encoding/hex"
	"sync/atomic"
)

// Stats is what became of an engine's connections.
type Stats struct {
	Connections uint64 // that the engine was given and had their first event
	Faults      uint64 // of those, the ones whose own event ended by a fault of the guest, or for which the guest could not start
}

type stats struct {
	connections atomic.Uint64
	faults      atomic.Uint64
}

// Stats returns the counts since the engine was made.
func (e *Engine) Stats() Stats {
	faults := e.stats.faults.Load() // first, so that it is never above the connections
	return Stats{Connections: e.stats.connections.Load(), Faults: faults}
}

// Digest names the version of the guest: the SHA-256 of the module as it was given, in hexadecimal.
func (e *Engine) Digest() string { return e.digest }

// Isolation returns how connections share instances.
func (e *Engine) Isolation() Isolation { return e.config.Isolation }

// StartImage reports whether instances start from an image of one that has started, and why not where they do not.
func (e *Engine) StartImage() (ok bool, why string) {
	return e.template != nil, e.noImage
}

func digest(module []byte) string {
	sum := sha256.Sum256(module)
	return hex.EncodeToString(sum[:])
}
