package guard

import (
	"context"
	"net"

	"golang.org/x/time/rate"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

// The rate at which connections are accepted: their handshakes must not starve the calls. Further connections wait in
// the kernel.
const (
	acceptRate  = 500 // per second
	acceptBurst = 512
)

type listener struct {
	net.Listener
	guard   *Guard
	rate    *rate.Limiter
	open    context.Context
	closing context.CancelFunc
}

// Listener accounts for the connections of l. They must be passed to the Credentials of the same guard.
func (g *Guard) Listener(l net.Listener) net.Listener {
	open, closing := context.WithCancel(context.Background())
	return &listener{
		Listener: l, guard: g, rate: rate.NewLimiter(acceptRate, acceptBurst), open: open, closing: closing,
	}
}

func (l *listener) Close() error {
	l.closing()
	return l.Listener.Close()
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		if l.rate.Wait(l.open) != nil {
			return nil, net.ErrClosed
		}
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if admitted, ok := l.guard.admit(c); ok {
			return admitted, nil
		}
		_ = c.Close()
	}
}

// guarded are credentials that follow the frames inside the secured connections.
type guarded struct {
	credentials.TransportCredentials
}

// Credentials wraps the credentials of a server behind a guard's listener.
func Credentials(creds credentials.TransportCredentials) credentials.TransportCredentials {
	return guarded{creds}
}

func (g guarded) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	upper, info, err := g.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		return nil, nil, err
	}
	account, ok := raw.(*Conn)
	if !ok {
		return upper, info, nil
	}
	return account.framed(upper), authInfo{info, account}, nil
}

func (g guarded) Clone() credentials.TransportCredentials {
	return guarded{g.TransportCredentials.Clone()}
}

type authInfo struct {
	credentials.AuthInfo
	account *Conn
}

// From returns the connection that a call came on, or nil if no guard watches it.
func From(ctx context.Context) *Conn {
	caller, ok := peer.FromContext(ctx)
	if !ok {
		return nil
	}
	info, _ := caller.AuthInfo.(authInfo)
	return info.account
}
