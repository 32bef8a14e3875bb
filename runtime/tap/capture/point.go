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

// Config configures a [Point].
type Config struct {
	// Listener is the name of the listener, in headers, file names and metrics. It is required.
	Listener string
	// Handler is the kind of handler, wasm or grpc, for headers. Optional.
	Handler string
	// Source is the module or the addresses of the handler, for headers. Optional.
	Source string
	// Exgate is the version of the program, for headers. Optional.
	Exgate string
	// Folder says where a sample of the connections is recorded. If nil, none is.
	Folder *Folder
	// KeepPasswords records what devices send unchanged and holds nothing back. It is for recordings in which the user
	// plays the device. If false, passwords are covered.
	KeepPasswords bool
	// Logger receives errors of files. If zero, slog.Default().
	Logger *slog.Logger
	// Metrics is the set of counters to use. If zero, an unregistered set.
	Metrics *Metrics
}

// Point captures connections of a listener. Others cost nothing.
type Point struct{ point }

var _ tap.Tapper = (*Point)(nil)

// point is the part of a Point that sessions use.
type point struct {
	cfg     Config
	name    string
	metrics *Metrics
	memory  budget
	folder  *folder // nil without one

	mu     sync.Mutex // guards closed, and writes to lives
	lives  atomic.Pointer[[]*liveCapture]
	closed bool
}

// New creates a point. Errors are those of Folder.
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

// NewHandler creates a handler of f for a new connection, which may be captured.
func (p *Point) NewHandler(f gateway.HandlerFactory, conn gateway.ConnectionAdapter) (gateway.ConnectionHandler,
	error,
) {
	return tap.NewHandler(f, conn, p.open())
}

// Close ends the captures. Later records are ignored.
func (p *Point) Close(context.Context) error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	for _, l := range p.liveCaptures() {
		l.finish()
	}
	if p.folder != nil {
		return p.folder.close()
	}
	return nil
}

// header returns the header of a capture that begins now.
func (p *point) header() Header {
	c := p.cfg
	return Header{Exgate: c.Exgate, Listener: c.Listener, Handler: c.Handler, Source: c.Source, Started: time.Now()}
}

func (p *point) counted(n int) { p.metrics.bytes.WithLabelValues(p.name).Add(float64(n)) }

// open returns the sink of a new connection, or nil if it is not captured.
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

// tee passes the records of one connection to several sinks.
type tee []tap.Sink

func (b tee) Record(r *tap.Record) {
	for _, sink := range b {
		sink.Record(r)
	}
}

var errClosed = errors.New("the listener is being closed")

// add adds a live capture.
func (p *point) add(l *liveCapture) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errClosed
	}
	p.setLiveCaptures(append(p.liveCaptures(), l))
	return nil
}

func (p *point) remove(l *liveCapture) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.setLiveCaptures(slices.DeleteFunc(p.liveCaptures(), func(o *liveCapture) bool { return o == l }))
}

// liveCaptures returns a copy of the live captures.
func (p *point) liveCaptures() []*liveCapture {
	if lives := p.lives.Load(); lives != nil {
		return slices.Clone(*lives)
	}
	return nil
}

func (p *point) setLiveCaptures(lives []*liveCapture) {
	if len(lives) == 0 {
		p.lives.Store(nil)
		return
	}
	p.lives.Store(&lives)
}
