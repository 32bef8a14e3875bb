// Package cpuclock limits the processor time of a guest that is not metered.
//
// A [Clock] is a context for one call of the guest. It watches the thread that the call runs on. The package imports
// none of ours. Its only lock is Clock.mu, a leaf.
//
// Begin with [Start] in cpuclock.go; thread_linux.go reads the clock of a thread.
package cpuclock
