package backend

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
)

// Backend is one process that serves the handler, at one address.
type Backend struct {
	pool   *Pool
	target string // that resolved to addr
	addr   string
	rpc    *grpc.ClientConn
	gate   *Gate

	// Guarded by Pool.mu.
	state   connectivity.State
	failed  bool      // a connection attempt has failed since it was last ready
	lost    time.Time // when it ceased to be ready, or was added
	pins    int
	retired bool // its name no longer resolves to it
	spares  []*spare
}

// Addr returns the address as ip:port.
func (b *Backend) Addr() string { return b.addr }

// RPC returns the connection to the backend.
func (b *Backend) RPC() *grpc.ClientConn { return b.rpc }

// Gate returns the gate that admits calls to the backend.
func (b *Backend) Gate() *Gate { return b.gate }

// Ready reports whether the backend is connected.
func (b *Backend) Ready() bool { return b.rpc.GetState() == connectivity.Ready }

// Closed reports whether the pool has closed the connection to the backend.
func (b *Backend) Closed() bool { return b.rpc.GetState() == connectivity.Shutdown }

// watch reports each state to the pool and reconnects whenever the connection is lost, until the backend is closed.
func (b *Backend) watch() {
	defer b.pool.watchers.Done()
	b.rpc.Connect()
	for {
		state := b.rpc.GetState()
		b.pool.note(b, state)
		switch state {
		case connectivity.Shutdown:
			return
		case connectivity.Idle:
			b.rpc.Connect()
		}
		b.rpc.WaitForStateChange(context.Background(), state)
	}
}

// note records the state of b and wakes the pool's waiters.
func (p *Pool) note(b *Backend, state connectivity.State) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if b.state == connectivity.Ready && state != connectivity.Ready {
		b.lost = time.Now()
		p.nudge()
	}
	switch state {
	case connectivity.Ready:
		b.failed = false
	case connectivity.TransientFailure:
		b.failed = true
	}
	b.state = state
	p.wake()
	p.divide()
}
