package listener

import (
	"container/list"
	"log/slog"
	"math"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/exgate/exgate/internal/lograte"
	"github.com/exgate/exgate/runtime/gateway"
)

// Descriptors keeps file descriptors back for what the gateway needs beside its devices: metrics, handlers, files, the connections to the broker. Devices
// of all listeners share the rest. Where that is used up, the oldest connection whose device has not said anything makes room for a new one; where there
// is none, the new one is refused. A nil *Descriptors bounds nothing. It is safe for concurrent use.
type Descriptors struct {
	log   *slog.Logger
	lines lograte.Limiter
	soft  uint64
	most  atomic.Int64 // that devices may have; 0: any number
	taken atomic.Int64

	mu     sync.Mutex // guards silent, and the place of each connection in it
	silent list.List  // of silentConn, oldest first
}

// silentConn is a connection whose other end has not said anything.
type silentConn interface {
	// makeRoom closes it and gives its descriptors back, without waiting.
	makeRoom()
	place() *silentPlace
}

// silentPlace is where a connection is in the list of those that are silent; guarded by Descriptors.mu.
type silentPlace struct{ element *list.Element }

// reserveBeyondOpen is what is kept back beside the files that are open at the start.
const reserveBeyondOpen = 48

// NewDescriptors shares out what this process may open, as Recount does. If log is nil, slog.Default().
func NewDescriptors(log *slog.Logger) *Descriptors {
	soft, _, err := FileLimit()
	if err != nil {
		soft = math.MaxUint64
	}
	if log == nil {
		log = slog.Default()
	}
	d := &Descriptors{log: log, soft: soft}
	d.Recount()
	return d
}

// Recount keeps back what the process has open now beside its devices, and 48, and at least 64 in all. Call it when all but the devices is there.
func (d *Descriptors) Recount() { d.share(openFiles() - int(d.taken.Load())) }

func (d *Descriptors) share(open int) {
	if d.soft > math.MaxInt64 { // no limit, however the system writes it
		return
	}
	d.most.Store(max(1, int64(d.soft)-int64(max(ownFiles, open+reserveBeyondOpen))))
}

// openFiles is how many files this process has open, or 0 where the system does not say.
func openFiles() int {
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}

// enter takes n descriptors, and reports false where there are none left.
func (d *Descriptors) enter(n int) bool {
	if d == nil || n == 0 {
		return true
	}
	taken, most := d.taken.Add(int64(n)), d.most.Load()
	if most == 0 || taken <= most {
		return true
	}
	enough := true
	for ; enough && taken > most; taken = d.taken.Load() {
		enough = d.evict()
	}
	if !enough {
		d.taken.Add(-int64(n))
	}
	if suppressed, ok := d.lines.Allow(time.Now()); ok {
		d.log.Warn("no file descriptors are left for more devices: the oldest silent connections make room, new ones are refused where there are none; "+
			"raise the limit of open files (ulimit -n, LimitNOFILE= of a systemd service) or lower max_connections",
			"limit", d.soft, "devices", most, "suppressed", suppressed)
	}
	return enough
}

func (d *Descriptors) leave(n int) {
	if d != nil && n > 0 {
		d.taken.Add(-int64(n))
	}
}

// evict closes the oldest connection whose device has not said anything, and reports whether there was one.
func (d *Descriptors) evict() bool {
	d.mu.Lock()
	oldest := d.silent.Front()
	if oldest == nil {
		d.mu.Unlock()
		return false
	}
	c := d.silent.Remove(oldest).(silentConn)
	c.place().element = nil
	d.mu.Unlock()
	c.makeRoom()
	return true
}

// watch notes that the other end of c has not said anything yet.
func (d *Descriptors) watch(c silentConn) {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	c.place().element = d.silent.PushBack(c)
}

// forget notes that the other end of c has said something, or is gone.
func (d *Descriptors) forget(c silentConn) {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if p := c.place(); p.element != nil {
		d.silent.Remove(p.element)
		p.element = nil
	}
}

// Listener returns l, which is not for devices: kept of its connections come out of what is kept back, further ones are counted as those of devices are.
// Refused connections are closed.
func (d *Descriptors) Listener(l net.Listener, kept int) net.Listener {
	return &countedListener{Listener: l, descriptors: d, kept: int64(kept)}
}

type countedListener struct {
	net.Listener
	descriptors *Descriptors
	kept        int64
	open        atomic.Int64
}

func (l *countedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		counted := 0
		if l.open.Add(1) > l.kept {
			counted = 1
		}
		if l.descriptors.enter(counted) {
			counting := &countedConn{Conn: c, in: l, counted: counted}
			if counted > 0 {
				l.descriptors.watch(counting)
			}
			return counting, nil
		}
		l.open.Add(-1)
		_ = c.Close()
	}
}

type countedConn struct {
	net.Conn
	in      *countedListener
	counted int
	closed  sync.Once
	spoke   atomic.Bool
	silent  silentPlace
}

func (c *countedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 && !c.spoke.Swap(true) {
		c.in.descriptors.forget(c)
	}
	return n, err
}

func (c *countedConn) Close() error {
	c.in.descriptors.forget(c)
	err := c.Conn.Close()
	c.closed.Do(func() {
		c.in.open.Add(-1)
		c.in.descriptors.leave(c.counted)
	})
	return err
}

func (c *countedConn) makeRoom()           { _ = c.Close() }
func (c *countedConn) place() *silentPlace { return &c.silent }

func (s *streamSocket) makeRoom() {
	s.evicted.Store(true)
	abort(s.conn)
	s.ticket.leaveDescriptors()
}

func (s *streamSocket) place() *silentPlace { return &s.silent }

// ended says why the reading ended.
func (s *streamSocket) ended(c *gateway.Conn, err error) {
	if s.evicted.Load() {
		c.Close(gateway.ReasonNoDescriptors)
	}
	c.ReadEnded(err)
}

// heard notes that the device has said something.
func (s *streamSocket) heard() {
	if !s.spoke {
		s.spoke = true
		s.ticket.admission.descriptorsOf().forget(s)
	}
}
