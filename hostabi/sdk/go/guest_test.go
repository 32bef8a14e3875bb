package exproto_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	exproto "github.com/exgate/exgate/hostabi/sdk/go"
	"github.com/exgate/exgate/hostabi/sdk/go/exprototest"
)

// teller writes down its events and does what the device's bytes say.
type teller struct {
	conn  *exproto.Conn
	lines *[]string
}

func (h *teller) tell(format string, args ...any) {
	*h.lines = append(*h.lines, fmt.Sprintf(format, args...))
}

func (h *teller) OnSocketCreated(info exproto.ConnInfo) exproto.Action {
	h.tell("created %d %v %v %v", info.SocketType, info.Peer, info.Local, info.PeerCert)
	return exproto.Continue
}

func (h *teller) answered(name string) func(exproto.Result) {
	return func(r exproto.Result) { h.tell("%s answered %v %q %v", name, r.Code, r.Message, r.OK()) }
}

func (h *teller) OnReceivedBytes(b []byte) exproto.Action {
	switch string(b) {
	case "callbacks":
		h.conn.Authenticate(exproto.ClientInfo{"p", "v", "id", "user", "m/"}, "secret", h.answered("authenticate"))
		h.conn.Publish("t", 1, []byte("x"), h.answered("publish"))
		h.conn.Subscribe("t/#", 2, h.answered("subscribe"))
		h.conn.Unsubscribe("t/#", h.answered("unsubscribe"))
		h.conn.Publish("quiet", 0, nil, nil)
		return exproto.Pause
	case "tokens":
		h.conn.WithToken(1).Authenticate(exproto.ClientInfo{ClientID: "id"}, "")
		h.conn.WithToken(2).Publish("t", 1, []byte("x"))
		h.conn.WithToken(3).Subscribe("t/#", 2)
		h.conn.WithToken(1<<32 - 1).Unsubscribe("t/#")
	case "others":
		h.conn.StartTimer(30)
		h.conn.SetTimer(3, 250)
		h.conn.SetTimer(3, -1)
		h.conn.SaveState([]byte("7"), nil)
		h.conn.Resume()
		h.conn.Log(exproto.LevelWarn, "hello")
		h.conn.Send([]byte("sent"))
		h.conn.Close("done")
	case "refused":
		h.tell("%v", h.conn.Publish("t", 1, nil, h.answered("publish")))
	default:
		h.tell("bytes %s", b)
	}
	return exproto.Continue
}

func (h *teller) OnTimerTimeout(t exproto.TimerType) exproto.Action {
	h.tell("timer %d", t)
	return exproto.Close
}

func (h *teller) OnReceivedMessages(messages []exproto.Message) exproto.Action {
	for _, m := range messages {
		h.tell("message %s %s %d %s %s %s %d", m.Node, m.ID, m.QoS, m.From, m.Topic, m.Payload, m.Timestamp)
	}
	return exproto.Continue
}

func (h *teller) OnResult(token int64, r exproto.Result) exproto.Action {
	h.tell("token %d answered %v", token, r.Code)
	return exproto.Close
}

func (h *teller) OnDrain() exproto.Action {
	h.tell("drain")
	return exproto.Continue
}

func (h *teller) OnAlarm(id uint32) exproto.Action {
	h.tell("alarm %d", id)
	return exproto.Pause
}

func (h *teller) OnSocketClosed(reason string) { h.tell("closed %s", reason) }

func start(t *testing.T) (*exprototest.Device, func() string) {
	t.Helper()
	var lines []string
	g := exprototest.Start(t, func([]byte) (exproto.NewHandler, error) {
		return func(c *exproto.Conn) exproto.Handler { return &teller{conn: c, lines: &lines} }, nil
	}, "")
	d, _ := g.Connect(exproto.ConnInfo{})
	lines = nil
	return d, func() string {
		s := strings.Join(lines, "\n")
		lines = nil
		return s
	}
}

func expect(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestEventsReachTheHandler(t *testing.T) {
	d, told := start(t)
	d.Receive("hello")
	d.Deliver(exproto.Message{"n", "i", 2, "f", "t", []byte("p"), 1_790_000_000_000, nil}, exproto.Message{Topic: "u"})
	if a := d.Timeout(); a != exproto.Close {
		t.Errorf("the action %d of an event is lost", a)
	}
	if a := d.Alarm(15); a != exproto.Pause {
		t.Errorf("an alarm got action %d", a)
	}
	d.Drain()
	d.Disconnect("tcp_closed")
	if a := d.Receive("late"); a != exproto.Close {
		t.Errorf("bytes of a connection that is gone got action %d", a)
	}
	expect(t, told(),
		"bytes hello\nmessage n i 2 f t p 1790000000000\nmessage   0  u  0\n"+
			"timer 0\nalarm 15\ndrain\nclosed tcp_closed")
}

func TestConnInfoIsDecoded(t *testing.T) {
	var lines []string
	g := exprototest.Start(t, func([]byte) (exproto.NewHandler, error) {
		return func(c *exproto.Conn) exproto.Handler { return &teller{conn: c, lines: &lines} }, nil
	}, "")
	g.Connect(exproto.ConnInfo{
		SocketType: exproto.SocketDTLS, Peer: exproto.Address{Host: "2001:db8::1", Port: 65535},
		Local:    exproto.Address{Host: "10.0.0.1", Port: 7993},
		PeerCert: &exproto.CertificateInfo{CommonName: "pump", DistinguishedName: "CN=pump"},
	})
	expect(t, strings.Join(lines, "\n"), "created 3 [2001:db8::1]:65535 10.0.0.1:7993 &{pump CN=pump}")
}

func TestCallbacksGetTheirAnswers(t *testing.T) {
	d, told := start(t)
	if a := d.Receive("callbacks"); a != exproto.Pause {
		t.Errorf("action %d, want pause", a)
	}
	expect(t, d.Calls(), `authenticate proto="p"/"v" clientid="id" username="user" mountpoint="m/" password="secret"
publish "t" qos=1 "x"
subscribe "t/#" qos=2
unsubscribe "t/#"
publish "quiet" qos=0 ""`)
	d.Answer(exproto.Success, "")
	d.Answer(exproto.PermissionDeny, "not you")
	d.Answer(exproto.Limit, "")
	d.Answer(exproto.Success, "")
	expect(t, told(), `authenticate answered SUCCESS "" true
publish answered PERMISSION_DENY "not you" false
subscribe answered LIMIT "" false
unsubscribe answered SUCCESS "" true`)
}

func TestTokensGetTheirAnswers(t *testing.T) {
	d, told := start(t)
	d.Receive("tokens")
	for range 4 {
		if a := d.Answer(exproto.Success, ""); a != exproto.Close {
			t.Errorf("the action %d of OnResult is lost", a)
		}
	}
	expect(t, told(), `token 1 answered SUCCESS
token 2 answered SUCCESS
token 3 answered SUCCESS
token 4294967295 answered SUCCESS`)
}

func TestOtherCalls(t *testing.T) {
	d, _ := start(t)
	d.Receive("others")
	expect(t, d.Calls(), "start_timer type=0 seconds=30\nset_timer id=3 ms=250\nset_timer id=3 ms=-1\n"+
		"save_state \"7\"\nresume\nclose \"done\"")
	expect(t, d.Sent(), "sent")
}

func TestRefusedCallIsNotAnswered(t *testing.T) {
	var lines []string
	g := exprototest.Start(t, func([]byte) (exproto.NewHandler, error) {
		return func(c *exproto.Conn) exproto.Handler { return &teller{conn: c, lines: &lines} }, nil
	}, "")
	d, _ := g.Connect(exproto.ConnInfo{})
	lines = nil
	g.Refuse("publish", exproto.Code(99))
	d.Receive("refused")
	expect(t, strings.Join(lines, "\n"), "Code(99)")
}

func TestCallbacksEndWithTheConnection(t *testing.T) {
	d, told := start(t)
	d.Receive("callbacks")
	d.Disconnect("tcp_closed")
	d.Answer(exproto.Success, "")
	expect(t, told(), "closed tcp_closed")
}

func TestProtocolThatRefusesItsConfiguration(t *testing.T) {
	h := &logged{}
	g := exproto.NewGuest(h)
	if code := g.Init(func([]byte) (exproto.NewHandler, error) { return nil, errors.New("no such site") },
		nil); code != 1 {
		t.Errorf("init returned %d", code)
	}
	if code := g.Init(nil, nil); code != 1 {
		t.Errorf("init without a protocol returned %d", code)
	}
	expect(t, h.text, "starting: no such site;the module never called exproto.Serve: call it in an init function;")
}

type logged struct {
	exproto.Host
	text string
}

func (l *logged) Log(_ exproto.Level, text string) { l.text += text + ";" }

func TestMalformedEventsCloseTheirConnection(t *testing.T) {
	h := &logged{}
	g := exproto.NewGuest(h)
	g.Init(func([]byte) (exproto.NewHandler, error) {
		return func(*exproto.Conn) exproto.Handler { return exproto.Defaults{} }, nil
	}, nil)
	g.Event(1, 1, 0, nil)
	for _, kind := range []int32{4, 5} {
		if a := g.Event(kind, 1, 0, []byte{0x12}); a != exproto.Close {
			t.Errorf("kind %d: action %d", kind, a)
		}
	}
	if a := g.Event(1, 2, 0, []byte{0x07}); a != exproto.Close {
		t.Errorf("created: action %d", a)
	}
	if a := g.Event(7, 1, 3, nil); a != exproto.Continue {
		t.Errorf("an alarm of a handler without OnAlarm got action %d", a)
	}
	if a := g.Event(77, 1, 0, nil); a != exproto.Continue {
		t.Errorf("an unknown kind got action %d", a)
	}
}
