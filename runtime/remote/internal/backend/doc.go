// Package backend keeps connections to the processes that serve one handler, and pins each device connection to one of
// them.
//
// Begin reading at pool.go and pin.go. Name resolution is in name.go, the limit of concurrent calls in gate.go, the
// streams that stay open in line.go. The locks, in order: Pool.mu, Gate.mu. The package imports none of ours but
// internal.
package backend
