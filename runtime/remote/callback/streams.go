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

// eventKind is one of the five events of a connection.
type eventKind uint8

const (
	createdEvent eventKind = iota
	bytesEvent
	timerEvent
	messagesEvent
	closedEvent
	eventKinds
)

var methodNames = [eventKinds]string{
	"OnSocketCreated", "OnReceivedBytes", "OnTimerTimeout", "OnReceivedMessages", "OnSocketClosed",
}

// Streams sends events to client-streaming methods: each on a stream of its own, which the handler answers, or on
// shared streams, if the handler does not answer or the configuration asks for it.
type Streams struct {
	caller *Caller
	each   [eventKinds]*serviceMethod
	end    context.Context // ends shared streams and probes
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

// backend returns the state kept for b.
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
	known := &streamBackend{
		dialect: d, to: b, probe: newEndProbe(d, b), sets: make([]*streamSet, max(1, d.caller.streamSets)),
	}
	d.at[b] = known
	return known
}

// streamConn is the state of one connection. It is used by one event at a time.
type streamConn struct {
	dialect *Streams
	conn    gateway.ConnectionAdapter
	at      *streamBackend
	set     *streamSet    // nil if each event has a stream of its own
	answers bool          // the handler answers the end of a stream
	last    *sharedStream // of the previous event
}

// streamMethod is a method as called for one connection.
type streamMethod struct {
	conn   *streamConn
	method eventKind
}

func (m streamMethod) Invoke(to *backend.Backend, request proto.Message) error {
	return m.conn.invoke(to, m.method, request)
}

func (c *streamConn) invoke(to *backend.Backend, m eventKind, request proto.Message) error {
	if probed, err := c.join(to, m, request); probed {
		return err
	}
	switch {
	case c.set == nil:
		return c.dialect.each[m].Invoke(to, request)
	case m == createdEvent && c.answers:
		return c.set.invokeAlone(c.dialect.each[m], to, request)
	case m == timerEvent && c.answers:
		return c.timerTimeout(to, request)
	}
	before, stream := c.last, c.set.streams[m]
	c.last = stream
	if before == stream {
		before = nil
	}
	return stream.invoke(before, c.conn, request)
}

// timerTimeout sends OnTimerTimeout on its own stream instead of the shared one. It waits for the handler's answer,
// because the gateway closes the connection afterwards, and what the callback sends would be lost.
func (c *streamConn) timerTimeout(to *backend.Backend, request proto.Message) error {
	ctx, cancel := context.WithTimeout(context.Background(), c.dialect.caller.Timeout)
	defer cancel()
	c.last.settle(ctx)
	c.last = nil
	return c.set.invokeAlone(c.dialect.each[timerEvent], to, request)
}

// join decides how events are sent to a new backend. If that is not known yet, this event is the probe: probed says
// that it has been delivered, or has failed.
func (c *streamConn) join(to *backend.Backend, m eventKind, request proto.Message) (probed bool, err error) {
	if c.at != nil && c.at.to == to {
		return false, nil
	}
	c.leave()
	at := c.dialect.backend(to)
	answers, probed := at.probe.await()
	if probed {
		if err := at.probe.send(c.dialect.each[m], request); err != nil {
			return true, err
		}
		answers = at.probe.answered()
	}
	c.at, c.answers = at, answers
	if c.dialect.caller.streamSets > 0 || !answers {
		c.set = at.join()
	}
	return probed, nil
}

// release leaves the stream set after the last event.
func (m streamMethod) release() { m.conn.leave() }

func (c *streamConn) leave() {
	if c.set != nil {
		c.at.leave(c.set)
	}
	c.at, c.set, c.last = nil, nil, nil
}

// streamBackend is a backend that is called in this dialect.
type streamBackend struct {
	dialect *Streams
	to      *backend.Backend
	probe   *endProbe
	uses    [eventKinds]streamUse

	mu   sync.Mutex // guards the fields below
	sets []*streamSet
	next int
}

// streamSet has five streams that connections share. They are opened when needed, and ended after the last connection
// has left the set.
type streamSet struct {
	streams [eventKinds]*sharedStream
	alone   chan struct{} // holds a value while invokeAlone runs
	conns   int           // guarded by streamBackend.mu
}

// invokeAlone sends an event on a stream of its own instead of the shared one, and waits for the handler's answer: for
// OnSocketCreated, so that the connection's next event cannot overtake it, and for OnTimerTimeout. A set has one such
// stream at a time.
func (s *streamSet) invokeAlone(via *serviceMethod, to *backend.Backend, request proto.Message) error {
	timer := time.NewTimer(via.caller.Timeout)
	defer timer.Stop()
	select {
	case s.alone <- struct{}{}:
	case <-timer.C:
		late := status.Error(codes.DeadlineExceeded, "earlier events on a stream of their own are still being handled")
		return via.caller.Failed(to, via.name, late, true)
	}
	defer func() { <-s.alone }()
	return via.Invoke(to, request)
}

// join assigns a set to one more connection, round robin.
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
	set := &streamSet{alone: make(chan struct{}, 1)}
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
