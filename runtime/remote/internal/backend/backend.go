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
	target string // which addr is one of
	addr   string
	rpc    *grpc.ClientConn
	gate   *Gate

	// Guarded by Pool.mu.
	state   connectivity.State
	failed  bool      // it could not be reached since it was ready last
	lost    time.Time // when it ceased to be ready, or was made
	pins    int
	retired bool // its name does not list it any longer
	spares  []*spare
}

// Addr is the address as ip:port.
func (b *Backend) Addr() string { return b.addr }

// RPC is the connection to the backend.
func (b *Backend) RPC() *grpc.ClientConn { return b.rpc }

// Gate admits calls to the backend.
func (b *Backend) Gate() *Gate { return b.gate }

// Ready reports whether the backend is connected.
func (b *Backend) Ready() bool { return b.rpc.GetState() == connectivity.Ready }

// Closed reports whether the client of the handler has closed the connection to the backend.
func (b *Backend) Closed() bool { return b.rpc.GetState() == connectivity.Shutdown }

// watch tells the pool of each state and connects again whenever the connection was lost, until the backend is closed.
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

// note keeps the state of b; the pool's waiters look again.
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
	p.tell()
	p.divide()
}
