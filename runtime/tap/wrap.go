package tap

import (
	"context"

	"github.com/exgate/exgate/runtime/gateway"
)

// Sink takes the records of one connection, one at a time and in their order. It must not block, and must not call the connection. What r points at
// is valid during the call only; a password must not be kept longer than it takes to recognize it.
//
// The first record is Created and the last is Closed's Handled. A sink that gets no record was opened for a connection that was refused.
type Sink interface {
	Record(r *Record)
}

// Open returns the sink of the new connection id, or nil for a connection that is not tapped. It must not hold anything that has to be freed before
// the sink got its first record.
type Open func(id string) Sink

// Versioned is met by factories, and by handlers, that know which version of their protocol they are: runtime/wasm.Engine is one.
type Versioned interface {
	// Digest names the version, such as the SHA-256 of a module.
	Digest() string
}

// Wrap returns a factory whose handlers are those of f, tapped where open says so. Closing it closes f.
func Wrap(f gateway.HandlerFactory, open Open) gateway.HandlerFactory {
	return &factory{f, open}
}

type factory struct {
	inner gateway.HandlerFactory
	open  Open
}

func (f *factory) NewHandler(adapter gateway.ConnectionAdapter) (gateway.ConnectionHandler, error) {
	sink := f.open(adapter.ID())
	if sink == nil {
		return f.inner.NewHandler(adapter)
	}
	t := newTapped(adapter, sink)
	inner, err := f.inner.NewHandler(t.outward())
	if err != nil {
		return nil, err
	}
	return &handler{tapped: t, inner: inner, digest: digestOf(inner, f.inner)}, nil
}

func (f *factory) Close(ctx context.Context) error { return f.inner.Close(ctx) }

// Digest is that of the wrapped factory.
func (f *factory) Digest() string { return digestOf(f.inner) }

// digestOf asks the first that knows.
func digestOf(of ...any) string {
	for _, one := range of {
		if v, ok := one.(Versioned); ok {
			return v.Digest()
		}
	}
	return ""
}
