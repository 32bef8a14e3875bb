package tap

import (
	"context"
	"errors"

	"github.com/exgate/exgate/runtime/gateway"
)

// Sink receives the records of one connection, one at a time and in order. It must not block and must not call the
// connection. What r points at is valid during the call only. A password must not be kept longer than it is needed to
// recognize it.
//
// The first record is Created, and the last one is the Handled of Closed. The sink of a refused connection gets no
// records, so it must not hold anything that needs to be freed before the first one.
type Sink interface {
	Record(r *Record)
}

// Versioned is implemented by factories and handlers that have a version, such as runtime/wasm.Engine.
type Versioned interface {
	// Digest names the version, for example by the SHA-256 of a module.
	Digest() string
}

// NewHandler creates a handler of f for a new connection and taps it with sink. If sink is nil, it returns the handler
// itself.
func NewHandler(f gateway.HandlerFactory, adapter gateway.ConnectionAdapter, sink Sink) (gateway.ConnectionHandler,
	error,
) {
	if sink == nil {
		return f.NewHandler(adapter)
	}
	t := newTapped(adapter, sink)
	inner, err := f.NewHandler(t)
	if err != nil {
		return nil, err
	}
	return &handler{tapped: t, inner: inner, digest: digestOf(inner, f)}, nil
}

// Tapper taps some of the connections.
type Tapper interface {
	// NewHandler creates a handler of f for a new connection, tapped or not.
	NewHandler(f gateway.HandlerFactory, conn gateway.ConnectionAdapter) (gateway.ConnectionHandler, error)
	// Close frees the tapper's resources.
	Close(ctx context.Context) error
}

// Around returns a factory that makes the handlers of f, tapped by t. Closing it closes f, then t.
func Around(f gateway.HandlerFactory, t Tapper) gateway.HandlerFactory { return &around{f, t} }

type around struct {
	inner  gateway.HandlerFactory
	tapper Tapper
}

func (a *around) NewHandler(conn gateway.ConnectionAdapter) (gateway.ConnectionHandler, error) {
	return a.tapper.NewHandler(a.inner, conn)
}

func (a *around) Close(ctx context.Context) error {
	return errors.Join(a.inner.Close(ctx), a.tapper.Close(ctx))
}

// Digest returns the digest of the inner factory.
func (a *around) Digest() string { return digestOf(a.inner) }

// digestOf returns the digest of the first value that is Versioned, or "".
func digestOf(of ...any) string {
	for _, one := range of {
		if v, ok := one.(Versioned); ok {
			return v.Digest()
		}
	}
	return ""
}
