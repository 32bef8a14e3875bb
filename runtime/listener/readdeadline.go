package listener

import (
	"errors"
	"os"
	"sync/atomic"
	"time"
)

// replaceReaderAfter is how long a goroutine reads before another takes its place. A handler's calls have grown its
// stack, which Go shrinks to 4 KiB at best; a connection that then is idle waits on a new goroutine with 2 KiB.
const replaceReaderAfter = 5 * time.Second

// errReplaceReader is what a read returns when the goroutine has to be replaced.
var errReplaceReader = errors.New("the reading goroutine is replaced")

// readDeadline shares a socket's one read deadline between the rest of its goroutine and the lingering of a closed
// connection.
type readDeadline struct {
	set    func(time.Time) error
	linger atomic.Int64 // when a closed connection is given up; 0: it is open
	aging  bool         // the goroutine has called the handler; owned by the reading goroutine
}

// age starts the time after which the goroutine is replaced.
func (d *readDeadline) age() {
	if !d.aging {
		d.aging = true
		d.put(time.Now().Add(replaceReaderAfter))
	}
}

// expired reports whether err means that the goroutine is to be replaced, and lets the next one read.
func (d *readDeadline) expired(err error) bool {
	if !d.aging || d.linger.Load() != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	d.aging = false
	d.put(time.Time{})
	return true
}

// put sets the deadline, unless that of a closed connection is set, now or meanwhile.
func (d *readDeadline) put(t time.Time) {
	_ = d.set(t)
	if linger := d.linger.Load(); linger != 0 {
		_ = d.set(time.Unix(0, linger))
	}
}

// giveUpAfter bounds the reading of a closed connection.
func (d *readDeadline) giveUpAfter(linger time.Duration) error {
	end := time.Now().Add(linger)
	d.linger.Store(end.UnixNano())
	return d.set(end)
}
