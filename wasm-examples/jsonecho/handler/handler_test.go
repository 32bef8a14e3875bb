package handler_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/exgate/exgate/wasm-examples/jsonecho/handler"
)

// device records a handler's calls and answers them at once, or when the test wants it.
type device struct {
	handler *handler.Handler
	lines   []string
	atOnce  bool
	refuse  bool
	waiting []func(bool)
}

func newDevice() *device {
	d := &device{}
	d.handler = handler.New(d)
	return d
}

func (d *device) note(format string, args ...any) {
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

func (d *device) ask(done func(bool), format string, args ...any) {
	d.note(format, args...)
	if d.atOnce {
		done(!d.refuse)
		return
	}
	d.waiting = append(d.waiting, done)
}

func (d *device) answer(ok bool) {
	done := d.waiting[0]
	d.waiting = d.waiting[1:]
	done(ok)
}

func (d *device) Send(b []byte)             { d.note("send %s", b) }
func (d *device) Close()                    { d.note("close") }
func (d *device) StartTimer(seconds uint32) { d.note("timer %d", seconds) }

func (d *device) Authenticate(c handler.Client, password string, done func(bool)) {
	d.ask(done, "authenticate %+v %s", c, password)
}

func (d *device) Publish(topic string, qos uint32, payload []byte, done func(bool)) {
	d.ask(done, "publish %s %d %s", topic, qos, payload)
}

func (d *device) RawPublish(topic string, qos uint32, payload []byte, done func(bool)) {
	d.ask(done, "raw publish %s %d %s", topic, qos, payload)
}

func (d *device) Subscribe(filter string, qos uint32, done func(bool)) {
	d.ask(done, "subscribe %s %d", filter, qos)
}

func (d *device) Unsubscribe(filter string, done func(bool)) { d.ask(done, "unsubscribe %s", filter) }

func (d *device) expect(t *testing.T, want ...string) {
	t.Helper()
	if got, want := strings.Join(d.lines, "\n"), strings.Join(want, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	d.lines = nil
}

const connect = `{"type":1,"clientinfo":{"proto_name":"demo","proto_ver":"v0.1","clientid":"c1","keepalive":60},` +
	`"password":"secret"}`

func TestConversation(t *testing.T) {
	for _, atOnce := range []bool{true, false} {
		d := newDevice()
		d.atOnce = atOnce
		d.handler.Receive([]byte(connect +
			`{"type":5,"topic":"t/#","qos":1}{"type":3,"topic":"t/a","qos":2,"payload":"x}\"{"}` +
			`{"type":10,"topic":"r","payload":"y"}{"type":7,"topic":"t/#"}`))
		for i := 0; !atOnce && i < 5; i++ {
			if !d.handler.Waiting() {
				t.Fatal("nothing waits")
			}
			d.answer(true)
		}
		d.handler.Deliver("t/a", 2, []byte(`x}"{`))
		d.handler.Receive([]byte(`{"type":9}{"type":3}`))
		d.handler.Deliver("t/a", 0, nil)
		d.expect(t,
			"authenticate {ProtoName:demo ProtoVersion:v0.1 ClientID:c1 Username: Mountpoint: Keepalive:60} secret",
			"timer 60", `send {"type":2,"code":0}`,
			"subscribe t/# 1", `send {"type":6,"code":0}`,
			`publish t/a 2 x}"{`, `send {"type":4,"code":0}`,
			"raw publish r 0 y", `send {"type":4,"code":0}`,
			"unsubscribe t/#", `send {"type":8,"code":0}`,
			`send {"type":3,"topic":"t/a","qos":2,"payload":"x}\"{"}`,
			"close")
	}
}

func TestRefusedLoginCloses(t *testing.T) {
	d := newDevice()
	d.handler.Receive([]byte(`{"type":1,"clientinfo":{"clientid":"c1"}}{"type":3}`))
	d.answer(false)
	d.expect(t, "authenticate {ProtoName: ProtoVersion: ClientID:c1 Username: Mountpoint: Keepalive:0} ",
		`send {"type":2,"code":1}`, "close")
}

func TestTimeoutSaysGoodbye(t *testing.T) {
	d := newDevice()
	d.handler.Timeout()
	d.expect(t, `send {"type":9}`, "close")
}

func TestFramesInAnyPieces(t *testing.T) {
	input := " \n{\"type\":5,\"topic\":\"{\\\\\\\"}\"}\r\n\t" + `{"type":7,"topic":"a","more":{"deep":[{}]}}{"type":9}`
	for size := 1; size <= len(input); size++ {
		d := newDevice()
		d.atOnce = true
		for rest := input; len(rest) > 0; {
			n := min(size, len(rest))
			d.handler.Receive([]byte(rest[:n]))
			rest = rest[n:]
		}
		d.expect(t, `subscribe {\"} 0`, `send {"type":6,"code":0}`, "unsubscribe a", `send {"type":8,"code":0}`,
			"close")
	}
}

func TestBadInputCloses(t *testing.T) {
	for name, input := range map[string]string{
		"no JSON":           "GET / HTTP/1.0",
		"not an object":     "[1]",
		"invalid object":    `{"type":}`,
		"wrong field":       `{"type":"one"}`,
		"qos too large":     `{"type":3,"qos":4294967296}`,
		"unknown type":      `{"type":77}`,
		"many members":      `{"x":[` + strings.Repeat("1,", 40) + `1]}`,
		"deep":              `{"x":` + strings.Repeat("[", 41) + strings.Repeat("]", 41) + `}`,
		"endless":           `{"x":"` + strings.Repeat("y", 20_000),
		"nested":            strings.Repeat(`{"x":`, 20_000),
		"too much at once":  strings.Repeat(" ", 200_000),
		"behind a good one": `{"type":9}]`,
	} {
		d := newDevice()
		for rest := input; len(rest) > 0; {
			n := min(16_000, len(rest))
			d.handler.Receive([]byte(rest[:n]))
			rest = rest[n:]
		}
		if name == "too much at once" {
			d = newDevice()
			d.handler.Receive([]byte(input))
		}
		if len(d.lines) != 1 || d.lines[0] != "close" {
			t.Errorf("%s: %q", name, d.lines)
		}
	}
}

func TestFloodOfRefusedRequestsCloses(t *testing.T) {
	d := newDevice()
	d.atOnce, d.refuse = true, true
	d.handler.Receive([]byte(strings.Repeat(`{"type":3}`, 2000)))
	if n := len(d.lines); n != 21 || d.lines[n-1] != "close" {
		t.Errorf("%d lines, the last %q", n, d.lines[n-1])
	}
}

func FuzzReceive(f *testing.F) {
	f.Add([]byte(connect), []byte(`{"type":9}`), true)
	f.Add([]byte(`{"type":3,"to`), []byte(`pic":"\u0000"}`), false)
	f.Fuzz(func(_ *testing.T, first, second []byte, ok bool) {
		d := newDevice()
		d.atOnce, d.refuse = true, !ok
		d.handler.Receive(first)
		d.handler.Receive(second)
		d.handler.Deliver("t", 0, first)
	})
}
