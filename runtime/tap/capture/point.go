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
	// KeepPasswords leaves what devices send as it is, for recordings of somebody who plays the device: what their handlers give to Authenticate is
	// written where it was sent, and nothing is held back. If zero, passwords are covered.
	KeepPasswords bool
	// Logger takes what goes wrong with files. If zero, slog.Default().
	Logger *slog.Logger
	// Metrics counts. If zero, an unregistered set.
	Metrics *Metrics
}

// Point is where the connections of a listener can be captured. Those that are not cost nothing.
type Point struct{ point }

var _ tap.Tapper = (*Point)(nil)

// point is what sessions know of a Point.
type point struct {
	cfg     Config
	name    string
	metrics *Metrics
	memory  budget
	folder  *folder // nil without one

	mu     sync.Mutex // guards writing to lives, and closed
	lives  atomic.Pointer[[]*live]
	closed bool
}

// New makes a point. An error is one of Folder.
func New(cfg Config) (*Point, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
	p := &Point{point{cfg: cfg, name: cfg.Listener, metrics: cfg.Metrics}}
	if cfg.Folder == nil {
		return p, nil
	}
	var err error
	p.folder, err = newFolder(&p.point, *cfg.Folder)
	return p, err
}

// NewHandler returns the handler that f has for a new connection, which may be captured.
func (p *Point) NewHandler(f gateway.HandlerFactory, conn gateway.ConnectionAdapter) (gateway.ConnectionHandler, error) {
	return tap.NewHandler(f, conn, p.open())
}

// Close ends the captures. What connections do from now on is not captured.
func (p *Point) Close(context.Context) error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	for _, l := range p.livesNow() {
		l.finish()
	}
	if p.folder != nil {
		return p.folder.close()
	}
	return nil
}

// header is that of a capture that begins now.
func (p *point) header() Header {
	c := p.cfg
	return Header{Exgate: c.Exgate, Listener: c.Listener, Handler: c.Handler, Source: c.Source, Started: time.Now()}
}

func (p *point) counted(n int) { p.metrics.bytes.WithLabelValues(p.name).Add(float64(n)) }

// open decides whether a new connection is captured.
func (p *point) open() tap.Sink {
	var sinks tee
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
type tee []tap.Sink

func (b tee) Record(r *tap.Record) {
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
