//go:build !linux

package wasm

import "time"

// threadTime returns how much time passes from now on: the system does not tell another thread's.
func threadTime() func() time.Duration {
	began := time.Now()
	return func() time.Duration { return time.Since(began) }
}
