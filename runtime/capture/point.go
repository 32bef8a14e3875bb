package capture

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/tap"
)

// Config is what a [Point] is made of.
type Config struct {
	// Listener is the name of the listener, in headers, file names and metrics. It is required.
	Listener string
	// Handler is the kind of handler, wasm or grpc, for headers. If zero, headers do not say it.
	Handler string
	// Source is the module or the addresses of the handler, for headers. If zero, headers do not say it.
	Source string
	// Exgate is the version of the program, for headers. If zero, headers do not say it.
	Exgate string
	// Folder is where a sample of the connections is recorded. If zero, none is.
	Folder *Folder
	// Logger takes what goes wrong with files. If zero, slog.Default().
	Logger *slog.Logger
	// Metrics counts. If zero, an unregistered set.
	Metrics *Metrics
}

// Point is a handler factory whose connections can be captured. Those that are not cost nothing.
type Point struct {
	gateway.HandlerFactory // the one with the taps
	point
}

// point is what sessions know of a Point.
type point struct {
	cfg     Config
	name    string
	metrics *Metrics
	memory  budget
	digest  func() string
	folder  *folder // nil without one

	mu     sync.Mutex // guards writing to lives, and closed
	lives  atomic.Pointer[[]*live]
	closed bool
}

// New wraps f. An error is one of Folder.
func New(f gateway.HandlerFactory, cfg Config) (*Point, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
	p := &Point{point: point{cfg: cfg, name: cfg.Listener, metrics: cfg.Metrics, digest: func() string { return "" }}}
	if v, ok := f.(tap.Versioned); ok {
		p.digest = v.Digest
	}
	if cfg.Folder != nil {
		var err error
		if p.folder, err = newFolder(&p.point, *cfg.Folder); err != nil {
			return nil, err
		}
	}
	p.HandlerFactory = tap.Wrap(f, p.open)
	return p, nil
}

// Close closes the factory and ends the captures.
func (p *Point) Close(ctx context.Context) error {
	err := p.HandlerFactory.Close(ctx)
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	if lives := p.lives.Load(); lives != nil {
		for _, l := range *lives {
			l.finish()
		}
	}
	if p.folder != nil {
		err = errors.Join(err, p.folder.close())
	}
	return err
}

// Digest is that of the wrapped factory.
func (p *Point) Digest() string { return p.digest() }

// header is that of a capture that begins now.
func (p *point) header() Header {
	c := p.cfg
	return Header{Exgate: c.Exgate, Listener: c.Listener, Handler: c.Handler, Source: c.Source, Module: p.digest(), Started: time.Now()}
}

func (p *point) counted(n int) { p.metrics.bytes.WithLabelValues(p.name).Add(float64(n)) }

// open decides whether a new connection is captured.
func (p *point) open(string) tap.Sink {
	var sinks both
	if p.folder != nil && p.folder.sampled() {
		sinks = append(sinks, p.session(p.folder.attach, func() {}))
	}
	if lives := p.lives.Load(); lives != nil {
		for _, l := range *lives {
			sinks = append(sinks, p.session(l.attach, l.left))
		}
	}
	switch len(sinks) {
	case 0:
		return nil
	case 1:
		return sinks[0]
	}
	return sinks
}

func (p *point) session(attach func(*session) (*stream, uint32), done func()) *session {
	return &session{point: p, attach: attach, done: done, logins: make(map[uint32]struct{})}
}

// both are several sinks for one connection.
type both []tap.Sink

func (b both) Record(r *tap.Record) {
	for _, sink := range b {
		sink.Record(r)
	}
}

var errClosed = errors.New("the listener is being closed")

// add makes l one of the live captures.
func (p *point) add(l *live) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errClosed
	}
	p.setLives(append(p.livesNow(), l))
	return nil
}

func (p *point) remove(l *live) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.setLives(slices.DeleteFunc(p.livesNow(), func(o *live) bool { return o == l }))
}

// livesNow is a copy of the live captures.
func (p *point) livesNow() []*live {
	if lives := p.lives.Load(); lives != nil {
		return slices.Clone(*lives)
	}
	return nil
}

func (p *point) setLives(lives []*live) {
	if len(lives) == 0 {
		p.lives.Store(nil)
		return
	}
	p.lives.Store(&lives)
}
