package listener

import (
	"errors"
	"os"
	"sync/atomic"
	"time"
)

// replaceReaderAfter is how long a goroutine reads before it is replaced. The handler's calls have grown its stack,
// which Go shrinks to 4 KiB at best; an idle connection then waits on a new goroutine with 2 KiB.
const replaceReaderAfter = 5 * time.Second

// errReplaceReader is returned by a read when the reading goroutine is due to be replaced.
var errReplaceReader = errors.New("the reading goroutine is replaced")

// readDeadline shares a socket's only read deadline between the replacement of the reading goroutine and the lingering
// of a closed connection.
type readDeadline struct {
	set    func(time.Time) error
	linger atomic.Int64 // when a closed connection stops lingering, in Unix ns; 0: it is open
	aging  bool         // the goroutine has called the handler; owned by the reading goroutine
}

// age starts the time after which the goroutine is replaced.
func (d *readDeadline) age() {
	if !d.aging {
		d.aging = true
		d.put(time.Now().Add(replaceReaderAfter))
	}
}

// expired reports whether err means that the goroutine is due to be replaced, and clears the deadline for the next one.
func (d *readDeadline) expired(err error) bool {
	if !d.aging || d.linger.Load() != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	d.aging = false
	d.put(time.Time{})
	return true
}

// put sets the deadline, unless the connection lingers or begins to meanwhile.
func (d *readDeadline) put(t time.Time) {
	_ = d.set(t)
	if linger := d.linger.Load(); linger != 0 {
		_ = d.set(time.Unix(0, linger))
	}
}

// giveUpAfter limits how long a closed connection is still read.
func (d *readDeadline) giveUpAfter(linger time.Duration) error {
	end := time.Now().Add(linger)
	d.linger.Store(end.UnixNano())
	return d.set(end)
}
