//go:build !linux

package cpuclock

import "time"

// threadTime returns a function that reports the time elapsed since: the processor time of another thread cannot be
// read here.
func threadTime() func() time.Duration {
	began := time.Now()
	return func() time.Duration { return time.Since(began) }
}
