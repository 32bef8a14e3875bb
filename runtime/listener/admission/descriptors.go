package admission

import (
	"container/list"
	"log/slog"
	"math"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/exgate/exgate/internal/lograte"
)

// Descriptors reserves file descriptors for the gateway's own use: metrics, handlers, files,
// broker connections. Devices of all listeners share the remaining ones. If none is left, a connection whose device has
// not sent anything is closed for a new one: the oldest of the listener with the most of them, so that a flood on one
// port takes from itself. If every device has sent something, the new connection is refused. A nil *Descriptors is
// unlimited. It is safe for concurrent use.
type Descriptors struct {
	log   *slog.Logger
	lines lograte.Limiter
	soft  uint64
	most  atomic.Int64 // for devices; 0: unlimited
	spare atomic.Int64 // of the reserve, beyond what was open when it was counted; 0: unlimited
	taken atomic.Int64

	mu     sync.Mutex                // guards silent and its entries
	silent map[*silentConns]struct{} // those that are not empty
}

// silentConns are the connections of a listener that have not sent anything, as *SilentEntry, oldest first.
type silentConns struct{ list.List }

// Evictable is a connection that can be closed to free its descriptors.
type Evictable interface {
	// HasUnread reports whether the device has sent something that was not read yet. It does not wait.
	HasUnread() bool
	// MakeRoom closes the connection and gives its descriptors back, without waiting.
	MakeRoom()
}

// SilentEntry is a connection's entry in the list of those that have not sent anything. The zero value is not in the
// list.
type SilentEntry struct {
	conn    Evictable
	of      *silentConns
	element *list.Element
}

// NewDescriptors divides the descriptors that this process may open, as Recount does. If log is nil, slog.Default().
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

// DescriptorsFor gives devices most descriptors, at least one, regardless of the limit of the process. If log is nil,
// slog.Default().
func DescriptorsFor(most int, log *slog.Logger) *Descriptors {
	if log == nil {
		log = slog.Default()
	}
	d := &Descriptors{log: log, soft: math.MaxUint64}
	d.most.Store(int64(max(1, most)))
	return d
}

// Taken returns the number of descriptors in use by devices.
func (d *Descriptors) Taken() int { return int(d.taken.Load()) }

// Silent returns the number of connections whose device has not sent anything.
func (d *Descriptors) Silent() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for conns := range d.silent {
		n += conns.Len()
	}
	return n
}

// Recount reserves the files that the process has open now, except those of devices, plus 48, and at least 64; under a
// small limit, half of the limit or 8 more than are open. Call it when everything but the devices is running.
func (d *Descriptors) Recount() { d.share(openFiles() - int(d.taken.Load())) }

func (d *Descriptors) share(open int) {
	if d.soft > math.MaxInt64 { // no limit, however the system writes it
		return
	}
	reserved := int64(reservedFiles(open, d.soft))
	d.most.Store(max(1, int64(d.soft)-reserved))
	d.spare.Store(max(1, reserved-int64(open)))
}

// Spare bounds connections that use the reserve: it returns want, or less under a small limit, so that half of the
// reserve is left for everything else. It is at least 1. A nil *Descriptors is unlimited.
func (d *Descriptors) Spare(want int) int {
	if d == nil {
		return want
	}
	spare := d.spare.Load()
	if spare == 0 {
		return want
	}
	return int(max(1, min(int64(want), spare/2)))
}

// openFiles returns the number of open files of this process, or 0 if it is unknown.
func openFiles() int {
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}

// enter takes n descriptors and returns false if none are left.
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
		d.log.Warn("no file descriptors are left for more devices: closing the oldest silent connections, "+
			"or refusing new ones if there are none; "+
			"raise the limit of open files (ulimit -n, or LimitNOFILE= in a systemd service) or lower max_connections",
			"limit", d.soft, "devices", most, "suppressed", suppressed)
	}
	return enough
}

func (d *Descriptors) leave(n int) {
	if d != nil && n > 0 {
		d.taken.Add(-int64(n))
	}
}

// evict closes a connection whose device has not sent anything, and reports whether there was one.
func (d *Descriptors) evict() bool {
	oldest := d.takeSilent()
	if oldest == nil {
		return false
	}
	oldest.MakeRoom()
	return true
}

// takeSilent returns the oldest silent connection of the listener with the most of them, or nil. A busy gateway may not
// have read yet what a device has sent: such connections are silent no longer.
func (d *Descriptors) takeSilent() Evictable {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.silent) > 0 {
		var most *silentConns
		for conns := range d.silent {
			if most == nil || conns.Len() > most.Len() {
				most = conns
			}
		}
		p := most.Front().Value.(*SilentEntry)
		d.remove(p)
		if !p.conn.HasUnread() {
			return p.conn
		}
	}
	return nil
}

// remove must be called with mu held.
func (d *Descriptors) remove(p *SilentEntry) {
	if p.element == nil {
		return
	}
	p.of.Remove(p.element)
	p.element = nil
	if p.of.Len() == 0 {
		delete(d.silent, p.of)
	}
}

// HasUnread reports whether bytes of the peer wait in a socket. It does not wait.
func HasUnread(socket syscall.RawConn) bool {
	n := 0
	err := socket.Control(func(fd uintptr) {
		var b [1]byte
		n, _, _ = unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	})
	return err == nil && n > 0
}

// watch adds c to the silent connections of a listener.
func (d *Descriptors) watch(p *SilentEntry, c Evictable, of *silentConns) {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	p.conn, p.of, p.element = c, of, of.PushBack(p)
	if d.silent == nil {
		d.silent = map[*silentConns]struct{}{}
	}
	d.silent[of] = struct{}{}
}

// forget removes p: its connection has sent something or has ended.
func (d *Descriptors) forget(p *SilentEntry) {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.remove(p)
}

// Listener wraps l, which is not for devices: its first kept connections use the reserve, further ones count like those
// of devices. Refused connections are closed.
func (d *Descriptors) Listener(l net.Listener, kept int) net.Listener {
	return &countedListener{Listener: l, descriptors: d, kept: int64(kept)}
}

type countedListener struct {
	net.Listener
	descriptors *Descriptors
	kept        int64
	open        atomic.Int64
	silent      silentConns
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
				l.descriptors.watch(&counting.silent, counting, &l.silent)
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
	silent  SilentEntry
}

func (c *countedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 && !c.spoke.Swap(true) {
		c.in.descriptors.forget(&c.silent)
	}
	return n, err
}

func (c *countedConn) Close() error {
	c.in.descriptors.forget(&c.silent)
	err := c.Conn.Close()
	c.closed.Do(func() {
		c.in.open.Add(-1)
		c.in.descriptors.leave(c.counted)
	})
	return err
}

// HasUnread implements [Evictable].
func (c *countedConn) HasUnread() bool {
	socket, ok := c.Conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := socket.SyscallConn()
	return err == nil && HasUnread(raw)
}

// MakeRoom closes the connection.
func (c *countedConn) MakeRoom() { _ = c.Close() }
