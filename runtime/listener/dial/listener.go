package dial

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"sync"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener/admission"
)

// Listener dials targets and passes their connections to the gateway.
type Listener struct {
	cfg     Config
	log     *slog.Logger
	metrics *listenerMetrics
	lines   failureLog

	ctx    context.Context // ends with Close: nothing is dialed any more
	cancel context.CancelFunc
	slots  chan struct{} // one for each attempt under way
	others chan struct{} // one for each of them to a target that was not connected before

	connect func(*dialer) (socket, error) // makes one attempt

	attach func(gateway.Transport) (*gateway.Conn, error) // set by Serve, before the first target

	mu      sync.Mutex               // guards the fields below
	targets map[string]*dialer       // by name
	ending  map[string]*dialer       // the last one of each name that was removed and whose socket may still be open
	sockets map[socket]*gateway.Conn // the open ones; the connection is nil until it is attached
	aborted bool
	opening sync.WaitGroup // targets that may still attach a connection
	running sync.WaitGroup // targets whose goroutine runs
}

var _ gateway.Listener = (*Listener)(nil)

// New checks cfg. Nothing is dialed before Serve.
func New(cfg Config) (*Listener, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("dialing: %w", err)
	}
	l := &Listener{
		cfg: cfg, log: cfg.Logger.With("listener", cfg.Name), metrics: cfg.Metrics.listener(cfg.Name),
		slots: make(chan struct{}, cfg.MaxDialing), others: make(chan struct{}, max(cfg.MaxDialing/2, 1)),
		targets: make(map[string]*dialer), ending: make(map[string]*dialer), sockets: make(map[socket]*gateway.Conn),
	}
	l.connect = (*dialer).dial
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l, nil
}

// Addr describes the targets: there is no listening socket.
func (l *Listener) Addr() net.Addr { return targetsAddr(len(l.cfg.Targets.Targets)) }

// targetsAddr is a number of targets.
type targetsAddr int

func (targetsAddr) Network() string { return "dial" }

func (a targetsAddr) String() string {
	if a == 1 {
		return "1 target"
	}
	return fmt.Sprintf("%d targets", int(a))
}

// Serve dials the targets until Close.
func (l *Listener) Serve(attach func(gateway.Transport) (*gateway.Conn, error)) error {
	l.attach = attach
	l.use(l.cfg.Targets)
	if l.cfg.File != nil {
		l.cfg.File.watch(l.ctx, l.log, l.reload)
	}
	<-l.ctx.Done()
	return nil
}

// Close stops dialing. Connections stay, and are not dialed again when they end.
func (l *Listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cancel()
	l.metrics.targets.Set(0)
	l.metrics.wrong.Set(0)
	return nil
}

// Attached waits, after Close, until each connection that was being dialed is attached to the gateway or has failed.
func (l *Listener) Attached(ctx context.Context) error {
	return wait(ctx, &l.opening, "being opened", l.cfg.Name)
}

// End closes, after Close, the connections that are left and waits until each target's socket is closed. When ctx ends
// first, it aborts those that are not, so that each target is free when End returns.
func (l *Listener) End(ctx context.Context) error {
	for _, c := range l.conns() {
		c.Close(gateway.ReasonShutdown)
	}
	err := wait(ctx, &l.running, "being closed", l.cfg.Name)
	if err != nil {
		l.abort()
	}
	return err
}

// conns returns the attached connections.
func (l *Listener) conns() (all []*gateway.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.sockets {
		if c != nil {
			all = append(all, c)
		}
	}
	return all
}

// abort closes the open sockets, and has those that are still being opened closed at once.
func (l *Listener) abort() {
	l.mu.Lock()
	l.aborted = true
	left := maps.Clone(l.sockets)
	l.mu.Unlock()
	for s := range left {
		_ = s.Abort()
	}
}

// opened notes an open socket, and its connection once that is attached. It reports false after abort.
func (l *Listener) opened(s socket, c *gateway.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sockets[s] = c
	return !l.aborted
}

func (l *Listener) closed(s socket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.sockets, s)
}

func wait(ctx context.Context, group *sync.WaitGroup, what, name string) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		group.Wait()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for connections of %s that are %s: %w", name, what, ctx.Err())
	}
}

// use makes list the targets: it starts the new ones and ends those that are not in it. A target that has changed is
// dialed anew when its connection has ended.
func (l *Listener) use(list List) (added, removed int) {
	for _, wrong := range list.Wrong[:min(len(list.Wrong), maxWrongLines)] {
		l.log.Warn("wrong target; the others are not affected", "error", wrong)
	}
	if more := len(list.Wrong) - maxWrongLines; more > 0 {
		l.log.Warn("more wrong targets", "count", more)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Err() != nil {
		return 0, 0
	}
	kept := make(map[string]bool, len(list.Targets))
	for _, t := range list.Targets {
		kept[t.Name] = true
		before := l.targets[t.Name]
		if before != nil && before.Target == t {
			continue
		}
		if before != nil {
			removed++
			l.remove(before)
		}
		added++
		l.start(t)
	}
	for _, wrong := range list.Wrong {
		kept[wrong.Name] = true // what it was before is better than nothing
	}
	for name, t := range l.targets {
		if !kept[name] {
			removed++
			l.remove(t)
		}
	}
	l.metrics.targets.Set(float64(len(l.targets)))
	l.metrics.wrong.Set(float64(len(list.Wrong)))
	return added, removed
}

// maxWrongLines bounds the wrong lines of one list that are logged.
const maxWrongLines = 20

func (l *Listener) reload(list List) {
	added, removed := l.use(list)
	l.log.Info("list of targets reloaded", "file", l.cfg.File.path, "targets", len(list.Targets), "started", added,
		"ended", removed, "wrong", len(list.Wrong))
}

// acquire takes a slot for an attempt. A target that was connected before does not wait for the others, which share
// half of the slots. It reports false if ctx ended.
func (l *Listener) acquire(ctx context.Context, connected bool) (release func(), ok bool) {
	if connected {
		return func() { <-l.slots }, take(ctx, l.slots)
	}
	if !take(ctx, l.others) {
		return nil, false
	}
	if !take(ctx, l.slots) {
		<-l.others
		return nil, false
	}
	return func() {
		<-l.slots
		<-l.others
	}, true
}

func take(ctx context.Context, slots chan struct{}) bool {
	select {
	case slots <- struct{}{}:
		return ctx.Err() == nil || give(slots)
	case <-ctx.Done():
		return false
	}
}

// give gives a slot back and returns false.
func give(slots chan struct{}) bool {
	<-slots
	return false
}

// ticket admits a connection for an attempt.
func (l *Listener) ticket() (admission.Ticket, error) {
	t, ok := l.cfg.Admission.AdmitDialed()
	if !ok {
		return t, errLimit
	}
	return t, nil
}
