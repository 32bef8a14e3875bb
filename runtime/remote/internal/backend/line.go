package backend

import (
	"slices"

	"google.golang.org/grpc"
)

// Line is a connection with room for one more stream that stays open for long.
type Line struct {
	RPC *grpc.ClientConn
	// Full says that the connection has room for nothing else.
	Full    bool
	Release func()
}

// spare is a further connection to a backend, used if the first has no room for streams that stay open.
type spare struct {
	rpc  *grpc.ClientConn
	kept int64
}

// Line returns a line to the backend: on the connection of the calls while at least half of its streams are left to
// these, then on spare connections.
func (b *Backend) Line() (Line, error) {
	if release, ok := b.gate.Keep(); ok {
		return Line{RPC: b.rpc, Release: release}, nil
	}
	room := max(1, b.gate.Streams()-1) // leave one stream for short calls, if there are two
	p := b.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return Line{}, ErrClosed
	}
	i := slices.IndexFunc(b.spares, func(s *spare) bool { return s.kept < room })
	if i < 0 {
		rpc, err := p.dial(b.target, b.addr, func(uint32) {})
		if err != nil {
			return Line{}, err
		}
		i = len(b.spares)
		b.spares = append(b.spares, &spare{rpc: rpc})
	}
	s := b.spares[i]
	s.kept++
	return Line{RPC: s.rpc, Full: b.gate.Streams() < 2, Release: func() { b.release(s) }}, nil
}

// release ends a stream of a spare connection, which is closed with its last one.
func (b *Backend) release(s *spare) {
	b.pool.mu.Lock()
	defer b.pool.mu.Unlock()
	if s.kept--; s.kept > 0 {
		return
	}
	b.spares = slices.DeleteFunc(b.spares, func(o *spare) bool { return o == s })
	go func() { _ = s.rpc.Close() }()
}
