package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/exgate/exgate/runtime/gateway"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// journal is a log of lines that tests compare.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, fmt.Sprintf(format, args...))
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.lines, "\n")
}

// socket is a Transport in memory. The device's side takes bytes while room lasts.
type socket struct {
	mu       sync.Mutex
	cond     *sync.Cond
	room     int // bytes that may still be written without waiting; negative: no bound
	out      []byte
	deadline time.Time
	wrClosed bool
	closed   bool
	aborted  bool
	in       chan []byte
	gone     chan struct{}
	once     sync.Once
	linger   time.Duration
	left     error // what the next read would find
}

func newSocket(room int) *socket {
	s := &socket{room: room, in: make(chan []byte), gone: make(chan struct{})}
	s.cond = sync.NewCond(&s.mu)
	return s
}

func (s *socket) Info() gateway.ConnInfo {
	return gateway.ConnInfo{
		Peer:  netip.MustParseAddrPort("192.0.2.1:4000"),
		Local: netip.MustParseAddrPort("192.0.2.2:7993"),
	}
}

func (s *socket) TryWrite(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.wrClosed {
		return 0, net.ErrClosed
	}
	return s.take(b), nil
}

func (s *socket) take(b []byte) int {
	n := len(b)
	if s.room >= 0 {
		n = min(n, s.room)
		s.room -= n
	}
	s.out = append(s.out, b[:n]...)
	return n
}

func (s *socket) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	done := 0
	for done < len(b) {
		switch n := s.take(b[done:]); {
		case s.closed:
			return done, net.ErrClosed
		case n > 0:
			done += n
		case !s.deadline.IsZero() && !time.Now().Before(s.deadline):
			return done, os.ErrDeadlineExceeded
		default:
			s.cond.Wait()
		}
	}
	return done, nil
}

func (s *socket) SetWriteDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deadline = t
	if !t.IsZero() {
		time.AfterFunc(time.Until(t), s.cond.Broadcast)
	}
	return nil
}

func (s *socket) CloseWrite(linger time.Duration) error {
	s.mu.Lock()
	s.wrClosed, s.linger = true, linger
	s.mu.Unlock()
	s.once.Do(func() { close(s.gone) }) // the double's peer closes at once
	return nil
}

func (s *socket) Close() error {
	s.mu.Lock()
	s.closed = true
	s.cond.Broadcast()
	s.mu.Unlock()
	s.once.Do(func() { close(s.gone) })
	return nil
}

func (s *socket) Abort() error {
	s.mu.Lock()
	s.aborted = true
	s.mu.Unlock()
	return s.Close()
}

// leave makes the peer close after what it has sent.
func (s *socket) leave(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = err
}

func (s *socket) Peek() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.left
}

func (s *socket) allow(room int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.room = room
	s.cond.Broadcast()
}

func (s *socket) written() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.out)
}

func (s *socket) isClosed() (closed, aborted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed, s.aborted
}

// serve reads as a listener does.
func (s *socket) serve(c *gateway.Conn) {
	for c.WaitReadable() == nil {
		select {
		case b, ok := <-s.in:
			if !ok {
				c.ReadEnded(io.EOF)
				return
			}
			_ = c.Receive(b)
		case <-s.gone:
			c.ReadEnded(net.ErrClosed)
			return
		}
	}
	<-s.gone
	c.ReadEnded(net.ErrClosed)
}

// testListener is a Listener whose sockets a test makes.
type testListener struct {
	attach  func(gateway.Transport) (*gateway.Conn, error)
	serving chan struct{}
	closed  chan struct{}
	once    sync.Once
}

func newTestListener() *testListener {
	return &testListener{serving: make(chan struct{}), closed: make(chan struct{})}
}

func (h *testListener) Serve(attach func(gateway.Transport) (*gateway.Conn, error)) error {
	h.attach = attach
	close(h.serving)
	<-h.closed
	return nil
}
func (h *testListener) Addr() net.Addr { return &net.TCPAddr{} }
func (h *testListener) Close() error   { h.once.Do(func() { close(h.closed) }); return nil }

// open attaches a socket and reads it on a goroutine.
func (h *testListener) open(t *testing.T, s interface {
	gateway.Transport
	serve(*gateway.Conn)
},
) *gateway.Conn {
	t.Helper()
	<-h.serving
	c, err := h.attach(s)
	if err != nil {
		t.Fatalf("attach: %v", err)
	}
	go s.serve(c)
	return c
}

// script is a factory and the handler of each of its connections; a nil function does nothing.
type script struct {
	journal
	created  func(a gateway.ConnectionAdapter) error
	bytes    func(a gateway.ConnectionAdapter, b []byte) error
	timer    func(a gateway.ConnectionAdapter) error
	alarm    func(a gateway.ConnectionAdapter, id uint32) error
	messages func(a gateway.ConnectionAdapter, m []gateway.Message) error
	closed   func(r gateway.CloseReason)
	refuse   error
	keeps    bool // state
	freed    chan struct{}
}

func newScript() *script { return &script{freed: make(chan struct{})} }

func (s *script) NewHandler(a gateway.ConnectionAdapter) (gateway.ConnectionHandler, error) {
	if s.refuse != nil {
		return nil, s.refuse
	}
	return &scripted{s, a}, nil
}
func (s *script) Close(context.Context) error { close(s.freed); return nil }

type scripted struct {
	*script
	a gateway.ConnectionAdapter
}

func (s *scripted) OnSocketCreated(gateway.ConnInfo) error {
	s.add("created")
	if s.created == nil {
		return nil
	}
	return s.created(s.a)
}

func (s *scripted) OnReceivedBytes(b []byte) error {
	s.add("bytes %s", b)
	if s.bytes == nil {
		return nil
	}
	return s.bytes(s.a, b)
}

func (s *scripted) OnTimerTimeout(gateway.TimerType) error {
	s.add("timer")
	if s.timer == nil {
		return nil
	}
	return s.timer(s.a)
}

func (s *scripted) OnAlarm(id uint32) error {
	s.add("alarm %d", id)
	if s.alarm == nil {
		return nil
	}
	return s.alarm(s.a, id)
}

func (s *scripted) OnReceivedMessages(m []gateway.Message) error {
	var topics []string
	for _, x := range m {
		if x.Node != "n1" {
			s.add("message of node %q", x.Node)
		}
		topics = append(topics, x.Topic+"="+string(x.Payload))
	}
	s.add("messages %s", strings.Join(topics, " "))
	if s.messages == nil {
		return nil
	}
	return s.messages(s.a, m)
}

func (s *scripted) OnSocketClosed(r gateway.CloseReason) error {
	s.add("closed %s", r.Name)
	if s.closed != nil {
		s.closed(r)
	}
	return nil
}

func (s *scripted) OnDrain() error { s.add("drain"); return nil }

func (s *scripted) KeepsState() bool { return s.keeps }

// upstream is a Connector whose answers a test controls.
type upstream struct {
	journal
	mu      sync.Mutex
	down    map[string]gateway.Downlink
	connect func(ctx context.Context, c gateway.ClientInfo) error
	// connected is called before Connect returns, and result is that of calls.
	connected func(gateway.Downlink)
	result    gateway.Result
	hold      bool // results wait for release
	held      []gateway.Done
	sessions  int
	freed     chan struct{}
}

func newUpstream() *upstream {
	return &upstream{down: map[string]gateway.Downlink{}, freed: make(chan struct{})}
}

func (u *upstream) Connect(ctx context.Context, c gateway.Device, password string, d gateway.Downlink) (gateway.Session,
	error,
) {
	if u.connect != nil {
		if err := u.connect(ctx, c.ClientInfo); err != nil {
			return nil, err
		}
	}
	if password == "wrong" {
		return nil, &gateway.ResultError{Result: gateway.Refuse(gateway.CodePermissionDeny, "bad password")}
	}
	if u.connected != nil {
		u.connected(d)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.down[c.ClientID] = d
	u.sessions++
	return &session{u, c.ClientID}, nil
}
func (u *upstream) Close(context.Context) error { close(u.freed); return nil }

func (u *upstream) deliver(client, topic, payload string, qos byte) bool {
	u.mu.Lock()
	d := u.down[client]
	u.mu.Unlock()
	return d.Deliver(gateway.Message{Topic: topic, Payload: []byte(payload), QoS: qos})
}

func (u *upstream) finish(done gateway.Done, r gateway.Result) {
	u.mu.Lock()
	if u.hold {
		u.held = append(u.held, done)
		u.mu.Unlock()
		return
	}
	u.mu.Unlock()
	done(r)
}

func (u *upstream) release(n int) {
	u.mu.Lock()
	held := u.held[:n]
	u.held = u.held[n:]
	u.mu.Unlock()
	for _, done := range held {
		done(gateway.OK)
	}
}

type session struct {
	u  *upstream
	id string
}

func (s *session) Publish(topic string, qos byte, payload []byte, props *gateway.Properties, done gateway.Done) {
	if props != nil {
		payload = fmt.Appendf(nil, "%s %v", payload, props)
	}
	s.u.add("%s publish %s %d %s", s.id, topic, qos, payload)
	s.u.finish(done, s.u.result)
}

func (s *session) Subscribe(filter string, qos byte, done gateway.Done) {
	s.u.add("%s subscribe %s %d", s.id, filter, qos)
	s.u.finish(done, gateway.OK)
}

func (s *session) Unsubscribe(filter string, done gateway.Done) {
	s.u.add("%s unsubscribe %s", s.id, filter)
	s.u.finish(done, gateway.OK)
}

func (s *session) Close() { s.u.add("%s close", s.id) }

// fixture is a gateway with one listener "l", one handler "h" and one connector "c".
type fixture struct {
	gw  *gateway.Gateway
	lis *testListener
	h   *script
	up  *upstream
}

func newFixture(t *testing.T, limits gateway.Limits, mountpoint string) *fixture {
	t.Helper()
	return newFixtureOf(t, gateway.Config{}, limits, mountpoint)
}

func newFixtureOf(t *testing.T, cfg gateway.Config, limits gateway.Limits, mountpoint string) *fixture {
	t.Helper()
	w := &fixture{lis: newTestListener(), h: newScript(), up: newUpstream()}
	cfg.Node = "n1"
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	w.gw = gateway.New(cfg)
	err := errors.Join(
		w.gw.SetHandler("h", w.h),
		w.gw.SetConnector("c", w.up),
		w.gw.AddListener("l", w.lis, gateway.ListenerConfig{
			Handler: "h", Connector: "c", Mountpoint: mountpoint,
			Limits: limits,
		}),
	)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *fixture) stop(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := w.gw.Shutdown(ctx); err != nil {
		t.Errorf("shutdown: %v", err)
	}
}

// after lets d pass, in a synctest bubble, and then compares the handler's events.
func (w *fixture) after(t *testing.T, d time.Duration, events string) {
	t.Helper()
	time.Sleep(d)
	synctest.Wait()
	equal(t, fmt.Sprint("events after ", d), w.h.String(), events)
}

func equal(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n got:\n%s\nwant:\n%s", what, got, want)
	}
}

// login authenticates and waits for the result.
func login(t *testing.T, a gateway.ConnectionAdapter, id string) {
	t.Helper()
	done := make(chan gateway.Result, 1)
	if r := a.Authenticate(gateway.ClientInfo{ClientID: id, Username: "u-" + id}, "pw",
		func(r gateway.Result) { done <- r }); !r.Ok() {
		t.Fatalf("authenticate: %v", r)
	}
	if r := <-done; !r.Ok() {
		t.Fatalf("authenticated: %v", r)
	}
}
