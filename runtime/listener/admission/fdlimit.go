package admission

import (
	"fmt"
	"math"

	"golang.org/x/sys/unix"
)

// ownFiles is what the process needs at least besides its connections: listening sockets, the poller, logs, upstream
// sessions that are shared.
const ownFiles = 64

// FileLimit returns how many file descriptors this process may have open, and the hard limit. The Go runtime has
// already raised the soft limit at program start, to one below the hard one. Unlimited is [math.MaxUint64].
func FileLimit() (soft, hard uint64, err error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, 0, fmt.Errorf("asking how many files may be open: %w", err)
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
	return describeFiles(want, max(ownFiles, openFiles()+reserveBeyondOpen), soft, hard)
}

func describeFiles(want, own int, soft, hard uint64) (message string, ok bool) {
	possible := uint64(0)
	if soft > uint64(own) {
		possible = soft - uint64(own)
	}
	switch {
	case soft > math.MaxInt64: // no limit, however the system writes it
		return "this process may open any number of files", true
	case want <= 0:
		return fmt.Sprintf("this process may open %d files: %d connections", soft, possible), true
	case uint64(want) <= possible:
		return fmt.Sprintf("this process may open %d files: enough for %d connections", soft, want), true
	}
	return fmt.Sprintf("%d connections cannot be reached: this process may open %d files (hard limit %d), "+
		"which is %d connections; "+
		"raise it to %d (ulimit -n, LimitNOFILE= of a systemd service) or lower max_connections",
		want, soft, hard, possible, uint64(want)+uint64(own)), false
}
