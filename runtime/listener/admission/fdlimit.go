package admission

import (
	"fmt"
	"math"

	"golang.org/x/sys/unix"
)

const (
	// ownFiles is the least that is reserved for the process itself: listening sockets, the poller, logs, shared
	// upstream sessions.
	ownFiles = 64
	// reserveBeyondOpen is reserved in addition to the files open at the start.
	reserveBeyondOpen = 48
	// leastBeyondOpen is the same under a small limit.
	leastBeyondOpen = 8
)

// reservedFiles returns how many of soft descriptors are reserved if the process has open in use for itself. Under a
// small limit the reserve is half of it, unless more are open already, so that devices are still served.
func reservedFiles(open int, soft uint64) uint64 {
	full := uint64(max(ownFiles, open+reserveBeyondOpen))
	return min(full, max(soft/2, uint64(open+leastBeyondOpen)))
}

// FileLimit returns how many file descriptors this process may have open, and the hard limit. The Go runtime has
// already raised the soft limit at program start, to one below the hard one. Unlimited is [math.MaxUint64].
func FileLimit() (soft, hard uint64, err error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, 0, fmt.Errorf("reading the limit on open files: %w", err)
	}
	return limit.Cur, limit.Max, nil
}

// CheckFiles returns a log message saying whether want connections, each a file descriptor, can be open at once; ok is
// false if they cannot. A connection with an upstream session of its own takes two descriptors: count it twice. If want
// is zero (no maximum), the message says how many are possible.
func CheckFiles(want int) (message string, ok bool) {
	soft, hard, err := FileLimit()
	if err != nil {
		return err.Error(), true
	}
	return describeFiles(want, openFiles(), soft, hard)
}

func describeFiles(want, open int, soft, hard uint64) (message string, ok bool) {
	possible := uint64(1)
	if reserved := reservedFiles(open, soft); soft > reserved {
		possible = soft - reserved
	}
	switch {
	case soft > math.MaxInt64: // no limit, however the system writes it
		return "this process may open any number of files", true
	case want <= 0:
		return fmt.Sprintf("this process may open %d files: %d connections", soft, possible), true
	case uint64(want) <= possible:
		return fmt.Sprintf("this process may open %d files: enough for %d connections", soft, want), true
	}
	return fmt.Sprintf("%d connections are too many: this process may open %d files (hard limit %d), "+
		"which is %d connections; "+
		"raise it to %d (ulimit -n, or LimitNOFILE= in a systemd service) or lower max_connections",
		want, soft, hard, possible, uint64(want)+reservedFiles(open, math.MaxInt64)), false
}
