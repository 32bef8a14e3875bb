package handler_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	handlerv1 "github.com/exgate/exgate/proto/exgate/handler/v1"
	"github.com/exgate/exgate/proto/exproto"
	handler "github.com/exgate/exgate/proto/sdk/go"
)

// stream is a gateway's end of a session.
type stream struct {
	grpc.BidiStreamingClient[handlerv1.GatewayFrame, handlerv1.HandlerFrame]
	t      *testing.T
	cancel context.CancelFunc
	queue  []*handlerv1.Command
}

// openSession opens a stream, of which both sides have said hello.
func openSession(t *testing.T, address string) *stream {
	t.Helper()
	return openSessionWith(t, address, "timers", "state", "properties")
}

// openSessionWith is openSession for a gateway with these features.
func openSessionWith(t *testing.T, address string, features ...string) *stream {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	rpc, err := handlerv1.NewSessionHandlerClient(dial(t, address)).Session(ctx)
	must(t, err)
	s := &stream{BidiStreamingClient: rpc, t: t, cancel: cancel}
	must(t, s.Send(&handlerv1.GatewayFrame{
		Hello: &handlerv1.GatewayHello{Version: 1, WindowEvents: 64, WindowBytes: 1 << 16, Features: features},
	}))
	hello, err := s.Recv()
	must(t, err)
	expect(t, "version", hello.GetHello().GetVersion(), uint32(1))
	return s
}

func (s *stream) events(events ...*handlerv1.Event) {
	s.t.Helper()
	must(s.t, s.Send(&handlerv1.GatewayFrame{Events: events}))
}

// next is the next command that is not empty.
func (s *stream) next() *handlerv1.Command {
	s.t.Helper()
	for len(s.queue) == 0 {
		frame, err := s.Recv()
		must(s.t, err)
		s.queue = frame.GetCommands()
	}
	c := s.queue[0]
	s.queue = s.queue[1:]
	return c
}

// acked reads commands until the ack of an event and returns what was sent meanwhile.
func (s *stream) acked(conn, seq uint64) (sent string) {
	s.t.Helper()
	for {
		c := s.next()
		sent += string(c.GetSend())
		if c.GetConn() == conn && c.GetAck() == seq {
			return sent
		}
	}
}

func created(conn, seq uint64, resumed bool) *handlerv1.Event {
	c := &handlerv1.Created{Id: fmt.Sprint("id", conn), Resumed: resumed, Conninfo: &exproto.ConnInfo{}}
	return &handlerv1.Event{Conn: conn, Seq: seq, Event: &handlerv1.Event_Created{Created: c}}
}

func received(conn, seq uint64, b string) *handlerv1.Event {
	return &handlerv1.Event{Conn: conn, Seq: seq, Event: &handlerv1.Event_Bytes{Bytes: []byte(b)}}
}

func closed(conn, seq uint64) *handlerv1.Event {
	return &handlerv1.Event{
		Conn: conn, Seq: seq, Event: &handlerv1.Event_Closed{Closed: &handlerv1.Closed{Reason: "tcp_closed"}},
	}
}

func result(conn, token uint64) *handlerv1.Event {
	return &handlerv1.Event{Conn: conn, Event: &handlerv1.Event_Result{Result: &handlerv1.Result{Token: token}}}
}

// echo answers each line with itself, and executes those that are commands.
type echo struct {
	handler.Nothing
	said *said
}

// said records the events of all connections of a test.
type said struct {
	mu    sync.Mutex
	lines []string
	more  chan struct{}
}

func newSaid() *said { return &said{more: make(chan struct{}, 1000)} }

func (s *said) add(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, fmt.Sprintf(format, args...))
	s.more <- struct{}{}
}

// await waits for n lines and returns them all.
func (s *said) await(n int) string {
	for range n {
		<-s.more
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.lines, "\n")
}

func (e *echo) OnSocketCreated(c *handler.Conn) {
	if c.Resumed() {
		e.said.add("%s resumed", c.ID())
	}
}

func (e *echo) OnReceivedBytes(c *handler.Conn, b []byte) {
	switch string(b) {
	case "panic":
		panic("as told")
	case "subscribe":
		e.said.add("%s subscribed: %v", c.ID(), c.Subscribe("t", 1))
	case "alarm":
		e.said.add("%s set: %v", c.ID(), c.SetTimer(3, 250*time.Millisecond))
	case "login":
		e.said.add("%s login: %v, state %q", c.ID(), c.Authenticate(&handler.ClientInfo{Clientid: "c"}, ""), c.State())
	case "save":
		e.said.add("%s saved: %v", c.ID(), c.SaveState([]byte("8")))
	case "with":
		e.said.add("%s with: %v", c.ID(), c.PublishWith("t", 0, nil, &handler.Properties{Retain: true}))
	case "cancel":
		e.said.add("%s cancelled: %v", c.ID(), c.SetTimer(3, -time.Second))
	default:
		_ = c.Send(b)
	}
}

func (e *echo) OnAlarm(c *handler.Conn, id uint32) { e.said.add("%s alarm %d", c.ID(), id) }

func (e *echo) OnSocketClosed(c *handler.Conn, reason string) {
	e.said.add("%s closed %s, then %v", c.ID(), reason, c.Send([]byte("x")))
}

func serveEcho(t *testing.T, cfg handler.Config) (string, *said) {
	t.Helper()
	s := newSaid()
	cfg.New = func() handler.Handler { return &echo{said: s} }
	return serve(t, cfg), s
}

func TestSessionEchoes(t *testing.T) {
	address, said := serveEcho(t, handler.Config{})
	s := openSession(t, address)
	s.events(created(1, 1, false), created(2, 1, false), received(1, 2, "a"), received(2, 2, "b"), received(1, 3, "c"))
	sent := make(map[uint64]string)
	for acks := map[uint64]uint64{}; acks[1] < 3 || acks[2] < 2; {
		c := s.next()
		sent[c.GetConn()] += string(c.GetSend())
		acks[c.GetConn()] = max(acks[c.GetConn()], c.GetAck())
	}
	expect(t, "echoes", sent[1]+" "+sent[2], "ac b")
	s.events(received(9, 1, "nobody"), closed(1, 4))
	s.acked(1, 4)
	expect(t, "told", said.await(1),
		"id1 closed tcp_closed, then CONN_PROCESS_NOT_ALIVE: the connection is closed or its stream has ended")
	must(t, s.Send(&handlerv1.GatewayFrame{Ping: 7}))
	frame, err := s.Recv()
	must(t, err)
	expect(t, "pong", frame.GetPong(), uint64(7))
}

// A callback that waits for a result delays neither other connections nor, for ever, the end of its own.
func TestSessionCallbackThatWaits(t *testing.T) {
	address, said := serveEcho(t, handler.Config{})
	s := openSession(t, address)
	s.events(created(1, 1, false), created(2, 1, false), received(1, 2, "subscribe"))
	var token uint64
	for token == 0 {
		token = s.next().GetToken()
	}
	s.events(received(2, 2, "b"))
	expect(t, "the other's echo", s.acked(2, 2), "b")
	s.events(result(1, token+1), result(1, token))
	s.acked(1, 2)
	expect(t, "told", said.await(1), "id1 subscribed: <nil>")
	s.events(received(1, 3, "subscribe"), closed(1, 4))
	s.acked(1, 4)
	if got := said.await(2); !strings.Contains(got, "id1 subscribed: CONN_PROCESS_NOT_ALIVE") ||
		!strings.Contains(got, "id1 closed tcp_closed") {
		t.Error(got)
	}
}

// nextTimer reads commands up to the next set_timer, and answers that.
func (s *stream) nextTimer() *handlerv1.SetTimer {
	s.t.Helper()
	for {
		if c := s.next(); c.GetSetTimer() != nil {
			s.events(result(c.GetConn(), c.GetToken()))
			return c.GetSetTimer()
		}
	}
}

func TestSessionState(t *testing.T) {
	address, said := serveEcho(t, handler.Config{})
	s := openSession(t, address)
	s.events(created(1, 1, false), received(1, 2, "login"), received(1, 3, "save"))
	login := s.nextWithToken()
	with := result(1, login.GetToken())
	with.GetResult().State = []byte("7")
	s.events(with)
	save := s.nextWithToken()
	expect(t, "saved", string(save.GetSaveState().GetState()), "8")
	s.events(result(1, save.GetToken()))
	s.acked(1, 3)
	expect(t, "told", said.await(2), "id1 login: <nil>, state \"7\"\nid1 saved: <nil>")
}

func TestSessionStateOfAnOlderGateway(t *testing.T) {
	address, said := serveEcho(t, handler.Config{})
	s := openSessionWith(t, address)
	s.events(created(1, 1, false), received(1, 2, "save"))
	s.acked(1, 2)
	expect(t, "told", said.await(1),
		"id1 saved: PARAMS_TYPE_ERROR: the gateway keeps no state: it needs a newer version")
}

// nextWithToken reads commands up to the next one that has a result.
func (s *stream) nextWithToken() *handlerv1.Command {
	s.t.Helper()
	for {
		if c := s.next(); c.GetToken() != 0 {
			return c
		}
	}
}

func TestSessionTimers(t *testing.T) {
	address, said := serveEcho(t, handler.Config{})
	s := openSession(t, address)
	s.events(created(1, 1, false), received(1, 2, "alarm"), received(1, 3, "cancel"))
	expect(t, "set", s.nextTimer().String(), (&handlerv1.SetTimer{Id: 3, Ms: 250}).String())
	expect(t, "cancelled", s.nextTimer().String(), (&handlerv1.SetTimer{Id: 3, Ms: -1}).String())
	s.events(&handlerv1.Event{Conn: 1, Seq: 4, Event: &handlerv1.Event_Alarm{Alarm: &handlerv1.Alarm{Id: 3}}})
	s.acked(1, 4)
	expect(t, "told", said.await(3), "id1 set: <nil>\nid1 cancelled: <nil>\nid1 alarm 3")
}

// A gateway without timers would ignore the command; the handler learns why its timer never fires.
func TestSessionTimersOfAnOlderGateway(t *testing.T) {
	address, said := serveEcho(t, handler.Config{})
	s := openSessionWith(t, address)
	s.events(created(1, 1, false), received(1, 2, "alarm"))
	s.acked(1, 2)
	expect(t, "told", said.await(1),
		"id1 set: PARAMS_TYPE_ERROR: the gateway has no timers: it needs a newer version")
}

// A panic closes the connection and is acknowledged; others live on.
func TestSessionPanic(t *testing.T) {
	address, _ := serveEcho(t, handler.Config{})
	s := openSession(t, address)
	s.events(created(1, 1, false), received(1, 2, "panic"))
	for s.next().GetClose() == nil {
	}
	s.events(created(2, 1, false), received(2, 2, "b"))
	expect(t, "the other's echo", s.acked(2, 2), "b")
}

// The end of a stream is the end of its connections. They may come again.
func TestSessionThatIsLost(t *testing.T) {
	address, said := serveEcho(t, handler.Config{})
	s := openSession(t, address)
	s.events(created(1, 1, false), received(1, 2, "subscribe"))
	for s.next().GetToken() == 0 {
	}
	s.cancel()
	const gone = "CONN_PROCESS_NOT_ALIVE: the connection is closed or its stream has ended"
	expect(t, "told", said.await(2), "id1 subscribed: "+gone+"\nid1 closed "+handler.ReasonStreamLost+", then "+gone)
	s = openSession(t, address)
	s.events(created(5, 0, true), received(5, 2, "again"))
	expect(t, "echo", s.acked(5, 2), "again")
	if got := said.await(1); !strings.HasSuffix(got, "id5 resumed") {
		t.Error(got)
	}
}

func TestSessionOfAnotherVersion(t *testing.T) {
	address, _ := serveEcho(t, handler.Config{})
	rpc, err := handlerv1.NewSessionHandlerClient(dial(t, address)).Session(t.Context())
	must(t, err)
	must(t, rpc.Send(&handlerv1.GatewayFrame{}))
	_, err = rpc.Recv()
	expect(t, "status", status.Code(err), codes.FailedPrecondition)
}
