package callback

import (
	"context"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote/internal/backend"
)

// eventKind is one of the five of a handler's service.
type eventKind uint8

const (
	createdEvent eventKind = iota
	bytesEvent
	timerEvent
	messagesEvent
	closedEvent
	eventKinds
)

var methodNames = [eventKinds]string{"OnSocketCreated", "OnReceivedBytes", "OnTimerTimeout", "OnReceivedMessages", "OnSocketClosed"}

// Streams brings events to client-streaming methods: each on a stream of its own, which the handler answers, or on streams that connections
// share, where the handler does not answer or the configuration wants it.
type Streams struct {
	caller *Caller
	each   [eventKinds]*serviceMethod
	end    context.Context // of shared streams and questions
	stop   context.CancelFunc
	tasks  sync.WaitGroup

	mu sync.Mutex // guards at
	at map[*backend.Backend]*streamBackend
}

// Streams returns the stream dialect.
func (c *Caller) Streams() *Streams {
	d := &Streams{caller: c, at: make(map[*backend.Backend]*streamBackend)}
	for m := range d.each {
		d.each[m] = newServiceMethod(c, exproto.ConnectionHandler_ServiceDesc.ServiceName, methodNames[m], callOnce)
	}
	d.end, d.stop = context.WithCancel(context.Background())
	return d
}

// Close ends all streams.
func (d *Streams) Close() {
	d.stop()
	d.tasks.Wait()
}

func (d *Streams) NewHandler(conn gateway.ConnectionAdapter) gateway.ConnectionHandler {
	c := &streamConn{dialect: d, conn: conn}
	return NewHandler(d.caller, conn, &Methods{
		Created: streamMethod{c, createdEvent}, Bytes: streamMethod{c, bytesEvent}, Timer: streamMethod{c, timerEvent},
		Messages: streamMethod{c, messagesEvent}, Closed: streamMethod{c, closedEvent},
	})
}

// backend returns what is known of b.
func (d *Streams) backend(b *backend.Backend) *streamBackend {
	d.mu.Lock()
	defer d.mu.Unlock()
	if known := d.at[b]; known != nil {
		return known
	}
	for other := range d.at {
		if other.Closed() {
			delete(d.at, other)
		}
	}
	known := &streamBackend{dialect: d, to: b, probe: newEndProbe(d, b), sets: make([]*streamSet, max(1, d.caller.streamSets))}
	d.at[b] = known
	return known
}

// streamConn is a connection's way to a handler of this dialect. It is used by one event at a time.
type streamConn struct {
	dialect *Streams
	conn    gateway.ConnectionAdapter
	at      *streamBackend
	set     *streamSet    // nil: an event has a stream of its own
	answers bool          // the handler answers the end of a stream
	last    *sharedStream // which the event before went to
}

// streamMethod is a method for a connection.
type streamMethod struct {
	conn   *streamConn
	method eventKind
}

func (m streamMethod) Invoke(to *backend.Backend, request proto.Message) error {
	return m.conn.invoke(to, m.method, request)
}

func (c *streamConn) invoke(to *backend.Backend, m eventKind, request proto.Message) error {
	if asked, err := c.join(to, m, request); asked {
		return err
	}
	switch {
	case c.set == nil:
		return c.dialect.each[m].Invoke(to, request)
	case m == createdEvent && c.answers:
		return c.set.create(c.dialect.each[m], to, request)
	}
	before, stream := c.last, c.set.streams[m]
	c.last = stream
	if before == stream {
		before = nil
	}
	return stream.invoke(before, c.conn, request)
}

// join decides how events go to a backend where that is new. Where it is not known yet, this event tells: asked says that it was delivered, or failed.
func (c *streamConn) join(to *backend.Backend, m eventKind, request proto.Message) (asked bool, err error) {
	if c.at != nil && c.at.to == to {
		return false, nil
	}
	c.leave()
	at := c.dialect.backend(to)
	answers, asked := at.probe.await()
	if asked {
		if err := at.probe.send(c.dialect.each[m], request); err != nil {
			return true, err
		}
		answers = at.probe.answered()
	}
	c.at, c.answers = at, answers
	if c.dialect.caller.streamSets > 0 || !answers {
		c.set = at.join()
	}
	return asked, nil
}

// release leaves the stream set, after the last event.
func (m streamMethod) release() { m.conn.leave() }

func (c *streamConn) leave() {
	if c.set != nil {
		c.at.leave(c.set)
	}
	c.at, c.set, c.last = nil, nil, nil
}

// streamBackend is a backend that is called in the stream dialect.
type streamBackend struct {
	dialect *Streams
	to      *backend.Backend
	probe   *endProbe
	uses    [eventKinds]streamUse

	mu   sync.Mutex // guards the fields below
	sets []*streamSet
	next int
}

// streamSet is five streams that connections share. They are opened when they are needed, and ended when the last connection left the set.
type streamSet struct {
	streams  [eventKinds]*sharedStream
	creating chan struct{} // has a value while create is under way
	conns    int           // guarded by streamBackend.mu
}

// create brings OnSocketCreated on a stream of its own, in place of the shared one: with the handler's answer, the connection's next event cannot
// overtake it.
func (s *streamSet) create(via *serviceMethod, to *backend.Backend, request proto.Message) error {
	timer := time.NewTimer(via.caller.Timeout)
	defer timer.Stop()
	select {
	case s.creating <- struct{}{}:
	case <-timer.C:
		late := status.Error(codes.DeadlineExceeded, "the connections before are still being created")
		return via.caller.Failed(to, via.name, late, true)
	}
	defer func() { <-s.creating }()
	return via.Invoke(to, request)
}

// join returns a set for one more connection, in turn.
func (b *streamBackend) join() *streamSet {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next = (b.next + 1) % len(b.sets)
	if b.sets[b.next] == nil {
		b.sets[b.next] = b.open()
	}
	set := b.sets[b.next]
	set.conns++
	return set
}

func (b *streamBackend) open() *streamSet {
	set := &streamSet{creating: make(chan struct{}, 1)}
	for m := range set.streams {
		s := newSharedStream(b, eventKind(m))
		set.streams[m] = s
		b.dialect.tasks.Go(s.run)
	}
	return set
}

// leave ends the set after its last connection.
func (b *streamBackend) leave(set *streamSet) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if set.conns--; set.conns > 0 || b.probe.fragile() {
		return
	}
	b.sets[slices.Index(b.sets, set)] = nil
	for _, s := range set.streams {
		s.quit()
	}
}
