package remote

import (
	"slices"
	"sync"

	"github.com/exgate/exgate/runtime/remote/internal/backend"
)

// streamBackend is a backend that is called in the stream dialect.
type streamBackend struct {
	dialect *streamDialect
	to      *backend.Backend
	probe   *endProbe
	manners [methodCount]manner

	mu   sync.Mutex // guards the fields below
	sets []*streamSet
	next int
}

// streamSet is five streams that connections share. They are opened when they are needed, and ended when the last connection left the set.
type streamSet struct {
	streams [methodCount]*sharedStream
	conns   int // guarded by streamBackend.mu
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
	set := new(streamSet)
	for m := range set.streams {
		s := newSharedStream(b, method(m))
		set.streams[m] = s
		b.dialect.tasks.Go(s.run)
	}
	return set
}

// leave ends the set after its last connection.
func (b *streamBackend) leave(set *streamSet) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if set.conns--; set.conns > 0 {
		return
	}
	b.sets[slices.Index(b.sets, set)] = nil
	for _, s := range set.streams {
		s.quit()
	}
}
