package remote_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"

	handlerv1 "github.com/exgate/exgate/proto/exgate/handler/v1"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/remote"
)

// mortal is a handler of sessions that echoes. Events can end its stream, or its process, which then restarts at its
// address.
type mortal struct {
	handlerv1.UnimplementedSessionHandlerServer
	poisonous func(e *handlerv1.Event, id string) bool
	dies      bool
	stuck     chan struct{} // closed when events are answered; nil: always

	poisoned atomic.Int32 // number of ends
	streams  atomic.Int32
	heard    atomic.Int32 // events other than created

	address string
	tasks   sync.WaitGroup
	mu      sync.Mutex // guards the fields below
	server  *grpc.Server
	over    bool
}

// serveMortal serves it to devices.
func serveMortal(t *testing.T, m *mortal, cfg remote.ClientConfig) *devices {
	t.Helper()
	m.address = gatewaytest.FreeAddress(t)
	must(t, m.start())
	t.Cleanup(m.stop)
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	cfg.Name, cfg.Addresses, cfg.Dialect = "demo", []string{m.address}, remote.DialectSession
	return serveDevices(t, cfg, a)
}

func (m *mortal) start() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.over {
		return nil
	}
	l, err := net.Listen("tcp", m.address)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	m.server = server
	handlerv1.RegisterSessionHandlerServer(server, m)
	m.tasks.Go(func() { _ = server.Serve(l) })
	return nil
}

func (m *mortal) stop() {
	m.mu.Lock()
	m.over = true
	m.server.Stop()
	m.mu.Unlock()
	m.tasks.Wait()
}

// restart ends the process and starts it again.
func (m *mortal) restart() error {
	m.mu.Lock()
	m.server.Stop()
	m.mu.Unlock()
	return m.start()
}

// end ends the stream, or the process too.
func (m *mortal) end(ctx context.Context) error {
	m.poisoned.Add(1)
	if m.dies {
		m.tasks.Go(func() { _ = m.restart() })
		<-ctx.Done()
	}
	return errors.New("poisoned")
}

func (m *mortal) Session(stream sessionServer) error {
	if _, err := stream.Recv(); err != nil {
		return err
	}
	m.streams.Add(1)
	ids := make(map[uint64]string)
	if err := stream.Send(&handlerv1.HandlerFrame{Hello: &handlerv1.HandlerHello{Version: 1}}); err != nil {
		return err
	}
	for {
		frame, err := stream.Recv()
		if err != nil {
			return err
		}
		answer := &handlerv1.HandlerFrame{Pong: frame.GetPing()}
		for _, e := range frame.GetEvents() {
			if created := e.GetCreated(); created != nil {
				ids[e.GetConn()] = created.GetId()
			} else {
				m.heard.Add(1)
			}
			if m.poisonous != nil && m.poisonous(e, ids[e.GetConn()]) {
				return m.end(stream.Context())
			}
			answer.Commands = append(answer.Commands, echoOf(e))
		}
		if m.stuck != nil {
			select {
			case <-m.stuck:
			case <-stream.Context().Done():
				return nil
			}
		}
		if err := stream.Send(answer); err != nil {
			return err
		}
	}
}

func echoOf(e *handlerv1.Event) *handlerv1.Command {
	c := &handlerv1.Command{Conn: e.GetConn(), Ack: e.GetSeq()}
	if b := e.GetBytes(); len(b) > 0 {
		c.Command = &handlerv1.Command_Send{Send: b}
	}
	return c
}

// echoes sends n lines one after the other and expects each back once.
func echoes(c net.Conn, from, n int) error {
	for i := from; i < from+n; i++ {
		line := fmt.Appendf(nil, "<%04d>", i)
		if _, err := c.Write(line); err != nil {
			return err
		}
		if err := c.SetReadDeadline(time.Now().Add(90 * time.Second)); err != nil {
			return err
		}
		got := make([]byte, len(line))
		if _, err := io.ReadFull(c, got); err != nil {
			return fmt.Errorf("echo %d: %w", i, err)
		}
		if !bytes.Equal(got, line) {
			return fmt.Errorf("echo %q of %q", got, line)
		}
	}
	return nil
}

func poison(e *handlerv1.Event, _ string) bool { return bytes.Contains(e.GetBytes(), []byte("poison")) }

// talkBeside makes honest devices talk until done is closed.
func talkBeside(t *testing.T, conns []net.Conn, done <-chan struct{}) (wait func()) {
	t.Helper()
	var talking sync.WaitGroup
	errs := make([]error, len(conns))
	for i, c := range conns {
		talking.Go(func() {
			for n := 0; errs[i] == nil; n++ {
				errs[i] = echoes(c, n, 1)
				select {
				case <-done:
					if errs[i] == nil {
						errs[i] = echoes(c, n+1, 3)
					}
					return
				default:
				}
			}
		})
	}
	return func() {
		t.Helper()
		talking.Wait()
		for i, err := range errs {
			if err != nil {
				t.Errorf("device %d: %v", i, err)
			}
		}
	}
}

// An event of one device that ends the stream, or the process, closes that device and no other.
func TestSessionEndedByOneDevice(t *testing.T) {
	const honest = 50
	for _, test := range []struct {
		policy remote.OnFailure
		dies   bool
	}{
		{remote.OnFailureHold, false}, {remote.OnFailureHold, true}, {remote.OnFailureRetry, false},
	} {
		t.Run(fmt.Sprintf("%s, dies %v", test.policy, test.dies), func(t *testing.T) {
			m := &mortal{poisonous: poison, dies: test.dies}
			log := new(gatewaytest.Log)
			d := serveMortal(t, m, remote.ClientConfig{OnFailure: test.policy, Logger: log.Logger()})
			conns := make([]net.Conn, honest)
			for i := range conns {
				conns[i] = d.connect(t)
				must(t, echoes(conns[i], 0, 1))
			}
			bad := d.connect(t)
			done := make(chan struct{})
			wait := talkBeside(t, conns, done)
			tell(t, []net.Conn{bad}, "poison")
			expectEnd(t, bad)
			close(done)
			wait()
			if n := m.poisoned.Load(); n > 6 {
				t.Errorf("%d ends", n)
			}
			if n := d.metric(t, "exgate_handler_failures_total", "handler_stream_ended"); n != 1 {
				t.Errorf("%v devices were closed for that", n)
			}
			if text := log.String(); strings.Count(text, "whose events end the handler's stream") != 1 ||
				!strings.Contains(text, "listener=tcp") {
				t.Errorf("the log: %s", text)
			}
		})
	}
}

// With retry, a handler that dies receives no event again, see docs/handlers.md. Devices without an event in flight
// stay.
func TestSessionHandlerKilledByOneDevice(t *testing.T) {
	m := &mortal{poisonous: poison, dies: true}
	d := serveMortal(t, m, remote.ClientConfig{OnFailure: remote.OnFailureRetry})
	conns := make([]net.Conn, 50)
	for i := range conns {
		conns[i] = d.connect(t)
		must(t, echoes(conns[i], 0, 1))
	}
	bad := d.connect(t)
	tell(t, []net.Conn{bad}, "poison")
	expectEnd(t, bad)
	done := make(chan struct{})
	close(done)
	talkBeside(t, conns, done)()
	if n := m.poisoned.Load(); n != 1 {
		t.Errorf("%d ends", n)
	}
}

// With retry, events in flight when another one ends the stream are sent again in order, and each is answered once.
func TestSessionRetriesEventsInFlight(t *testing.T) {
	const honest, lines = 20, 200
	m := &mortal{poisonous: poison}
	d := serveMortal(t, m, remote.ClientConfig{OnFailure: remote.OnFailureRetry})
	conns := make([]net.Conn, honest)
	want := make([]byte, 0, lines*6)
	for i := range lines {
		want = fmt.Appendf(want, "<%04d>", i)
	}
	for i := range conns {
		conns[i] = d.connect(t)
		must(t, echoes(conns[i], 0, 1))
	}
	bad := d.connect(t)
	var writing sync.WaitGroup
	for _, c := range conns {
		writing.Go(func() {
			for rest := want; len(rest) > 0; rest = rest[6:] {
				if _, err := c.Write(rest[:6]); err != nil {
					t.Errorf("a device was closed: %v", err)
					return
				}
			}
		})
	}
	tell(t, []net.Conn{bad}, "poison")
	for i, c := range conns {
		got := make([]byte, len(want))
		must(t, c.SetReadDeadline(time.Now().Add(90*time.Second)))
		if n, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, want) {
			t.Errorf("device %d: %d of %d bytes, in order: %v, %v", i, n, len(want),
				bytes.HasPrefix(want, got[:n]), err)
		}
	}
	writing.Wait()
	expectEnd(t, bad)
	expectOpen(t, conns)
	if n := m.poisoned.Load(); n > 6 {
		t.Errorf("%d ends", n)
	}
	if n := d.metric(t, "exgate_handler_failures_total"); n != 1 {
		t.Errorf("%v devices failed, want the one", n)
	}
}

// Poisonous events of any kind: in the first event, in the last, at the end of the connection, of several devices at
// once. The honest devices stay.
func TestSessionEndedByAnyEvent(t *testing.T) {
	const honest, bad = 20, 3
	for name, test := range map[string]struct {
		say       []string
		leave     bool
		poisonous func(e *handlerv1.Event) bool
	}{
		"created": {
			poisonous: func(e *handlerv1.Event) bool { return e.GetCreated() != nil || e.GetSeq() != 0 },
		},
		"behind honest bytes": {
			say: []string{"x", "y", "poison", "z"}, poisonous: func(e *handlerv1.Event) bool { return poison(e, "") },
		},
		"closed": {
			say: []string{"x"}, leave: true, poisonous: func(e *handlerv1.Event) bool { return e.GetClosed() != nil },
		},
	} {
		t.Run(name, func(t *testing.T) {
			var known sync.Map // ids of honest devices
			var ready atomic.Bool
			m := &mortal{poisonous: func(e *handlerv1.Event, id string) bool {
				if !ready.Load() {
					known.Store(id, true)
					return false
				}
				_, ok := known.Load(id)
				return !ok && test.poisonous(e)
			}}
			d := serveMortal(t, m, remote.ClientConfig{OnFailure: remote.OnFailureHold})
			conns := make([]net.Conn, honest)
			for i := range conns {
				conns[i] = d.connect(t)
				must(t, echoes(conns[i], 0, 1))
			}
			ready.Store(true)
			done := make(chan struct{})
			wait := talkBeside(t, conns, done)
			for range bad {
				c := d.connect(t)
				for _, s := range test.say {
					tell(t, []net.Conn{c}, s)
				}
				if test.leave {
					must(t, c.Close())
				}
			}
			if test.leave {
				gatewaytest.Eventually(t, "the ends are given up", func() bool {
					return d.metric(t, "exgate_handler_closed_undelivered_total", "ended_streams") == bad
				})
			} else {
				gatewaytest.Eventually(t, "the devices are closed", func() bool {
					return d.metric(t, "exgate_handler_failures_total", "handler_stream_ended") == bad
				})
			}
			close(done)
			wait()
			if n := m.poisoned.Load(); n > 6*bad {
				t.Errorf("%d ends for %d devices", n, bad)
			}
		})
	}
}

// Handlers that restart while honest events are in flight convict no device.
func TestSessionRestartsConvictNobody(t *testing.T) {
	m := &mortal{stuck: make(chan struct{})}
	d := serveMortal(t, m, remote.ClientConfig{OnFailure: remote.OnFailureHold})
	conns := make([]net.Conn, 50)
	for i := range conns {
		conns[i] = d.connect(t)
	}
	tell(t, conns, "hello")
	for range 5 {
		before := m.streams.Load()
		gatewaytest.Eventually(t, "an event is under way", func() bool { return m.heard.Swap(0) > 0 })
		must(t, m.restart())
		gatewaytest.Eventually(t, "the next stream", func() bool { return m.streams.Load() > before })
	}
	close(m.stuck)
	for _, c := range conns {
		must(t, c.SetReadDeadline(time.Now().Add(90*time.Second)))
		got := make([]byte, 5)
		_, err := io.ReadFull(c, got)
		must(t, err)
		expect(t, "echo", string(got), "hello")
	}
	expectOpen(t, conns)
	if n := d.metric(t, "exgate_handler_failures_total"); n != 0 {
		t.Errorf("%v failures", n)
	}
}
