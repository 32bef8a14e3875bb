package tap

import (
	"context"
	"errors"

	"github.com/exgate/exgate/runtime/gateway"
)

// Sink takes the records of one connection, one at a time and in their order. It must not block, and must not call the connection. What r points at
// is valid during the call only; a password must not be kept longer than it takes to recognize it.
//
// The first record is Created and the last is Closed's Handled. A sink of a connection that is refused gets none: it must hold nothing before the first.
type Sink interface {
	Record(r *Record)
}

// Versioned is met by factories, and by handlers, that know which version of their protocol they are: runtime/wasm.Engine is one.
type Versioned interface {
	// Digest names the version, such as the SHA-256 of a module.
	Digest() string
}

// NewHandler returns the handler that f has for a new connection, tapped by sink. Where sink is nil it is the handler as it is.
func NewHandler(f gateway.HandlerFactory, adapter gateway.ConnectionAdapter, sink Sink) (gateway.ConnectionHandler, error) {
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

// Tapper taps the connections that it chooses.
type Tapper interface {
	// NewHandler returns the handler that f has for a new connection, tapped or not.
	NewHandler(f gateway.HandlerFactory, conn gateway.ConnectionAdapter) (gateway.ConnectionHandler, error)
	// Close frees what the tapper holds.
	Close(ctx context.Context) error
}

// Around returns a factory whose handlers are those of f, tapped by t. Closing it closes f, then t.
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

// Digest is that of the inner factory.
func (a *around) Digest() string { return digestOf(a.inner) }

// digestOf asks the first that knows.
func digestOf(of ...any) string {
	for _, one := range of {
		if v, ok := one.(Versioned); ok {
			return v.Digest()
		}
	}
	return ""
}
