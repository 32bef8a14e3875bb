package dial

import (
	"context"
	"time"

	"github.com/exgate/exgate/internal/backoff"
	"github.com/exgate/exgate/runtime/gateway"
)

// dialer is a target in use. Its goroutine, run, dials it and has at most one connection to it at a time.
type dialer struct {
	Target
	listener *Listener
	ctx      context.Context // ends when the target is removed or the listener closed
	cancel   context.CancelFunc
	removed  chan struct{} // closed when the target is no longer in the list
	ended    chan struct{} // closed when its goroutine has returned, and its socket is closed
}

// start starts a target. It waits for the target of the same name that was removed before. The caller holds mu.
func (l *Listener) start(t Target) {
	d := &dialer{Target: t, listener: l, removed: make(chan struct{}), ended: make(chan struct{})}
	d.ctx, d.cancel = context.WithCancel(l.ctx)
	before := l.ending[t.Name]
	l.targets[t.Name] = d
	l.opening.Add(1)
	l.running.Add(1)
	go d.run(before)
}

// remove ends a target and its connection. The caller holds mu.
func (l *Listener) remove(d *dialer) {
	delete(l.targets, d.Name)
	l.ending[d.Name] = d
	close(d.removed)
	d.cancel()
}

// run dials until the target is removed or the listener closed.
func (d *dialer) run(before *dialer) {
	l := d.listener
	defer l.running.Done()
	defer d.cancel()
	c := d.next(before)
	l.opening.Done()
	if c != nil {
		c.wait()
	}
	if before != nil {
		<-before.ended // who waits for d means every socket to the target
	}
	close(d.ended)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ending[d.Name] == d {
		delete(l.ending, d.Name)
	}
}

// next dials until a connection is attached after which the target is not dialed again, and returns that connection, or
// nil.
func (d *dialer) next(before *dialer) *connection {
	if before != nil {
		select {
		case <-before.ended:
		case <-d.ctx.Done():
		}
	}
	cfg := d.listener.cfg
	pause, connected := cfg.MinPause, false
	for d.ctx.Err() == nil {
		c := d.once(connected)
		if c != nil && c.outlives(d.ctx) {
			return c
		}
		connected = c != nil
		if c.lasted() > cfg.MaxPause {
			pause = cfg.MinPause
		}
		if !backoff.Sleep(d.ctx, backoff.Jitter(pause)) {
			return nil
		}
		pause = min(2*pause, cfg.MaxPause)
	}
	return nil
}

// once dials the target, which was or was not connected before, and attaches the connection to the gateway. It returns
// nil if either failed.
func (d *dialer) once(connected bool) *connection {
	l := d.listener
	release, ok := l.acquire(d.ctx, connected)
	if !ok {
		return nil
	}
	s, err := l.connect(d)
	release()
	if err != nil {
		d.failed(err)
		return nil
	}
	if !l.opened(s, nil) {
		_ = s.Abort()
		l.closed(s)
		return nil
	}
	conn, err := l.attach(s)
	if err != nil {
		_ = s.Abort()
		l.closed(s)
		d.failed(&handlerError{err})
		return nil
	}
	l.opened(s, conn)
	l.metrics.dials[dialOK].Inc()
	l.metrics.up.Inc()
	l.log.Debug("connected to target", "target", d.Name, "address", d.Address, "peer", s.Info().Peer)
	c := &connection{target: d, socket: s, conn: conn, opened: time.Now()}
	go s.Serve(conn)
	return c
}

// connection is an attached connection of a target.
type connection struct {
	target *dialer
	socket socket
	conn   *gateway.Conn
	opened time.Time
	took   time.Duration // set when it has ended
}

// outlives waits until c has ended and reports false, or until ctx ends and reports true.
func (c *connection) outlives(ctx context.Context) bool {
	select {
	case <-c.socket.closed():
		c.end()
		return false
	case <-ctx.Done():
		return true
	}
}

// wait waits until c has ended, after closing it if its target was removed.
func (c *connection) wait() {
	select {
	case <-c.socket.closed():
	case <-c.target.removed:
		c.conn.Close(gateway.ReasonListenerRemoved)
		<-c.socket.closed()
	}
	c.end()
}

// earlyEnd is how long a connection must last to be worth the name.
const earlyEnd = time.Second

func (c *connection) end() {
	l := c.target.listener
	c.took = time.Since(c.opened)
	l.metrics.up.Dec()
	l.closed(c.socket)
	if c.took < earlyEnd && l.ctx.Err() == nil {
		c.target.failed(errShort)
	}
}

// lasted returns how long c took from beginning to end; a nil connection took no time.
func (c *connection) lasted() time.Duration {
	if c == nil {
		return 0
	}
	return c.took
}
