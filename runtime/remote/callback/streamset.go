package callback

import (
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/exgate/exgate/runtime/remote/internal/backend"
)

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
