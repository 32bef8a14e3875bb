// Package memory says how much memory the process may use, for limits that are derived from it.
package memory

import (
	"math"
	"runtime/debug"
)

// Available is the smallest of GOMEMLIMIT, the memory limit of the process's control group and the memory of the
// machine, in bytes. What the system does not tell counts as no limit.
func Available() int64 {
	limit := debug.SetMemoryLimit(-1)
	for _, known := range []int64{controlGroup(), machine()} {
		if known > 0 {
			limit = min(limit, known)
		}
	}
	if limit <= 0 {
		return math.MaxInt64
	}
	return limit
}
