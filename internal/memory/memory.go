package memory

import (
	"math"
	"runtime/debug"
)

// Available returns the smallest of GOMEMLIMIT, the memory limit of the process's control group and the memory of the
// machine, in bytes. It ignores limits that the system does not report.
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
