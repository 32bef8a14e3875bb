package jsonecho_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/exgate/exgate/hostabi"
	"github.com/exgate/exgate/hostabi/guesttest"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/wasm"
	"github.com/exgate/exgate/wasm-examples/jsonecho"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const conn = 1 << 40

const connect = `{"type":1,"clientinfo":{"proto_name":"p","proto_ver":"1","clientid":"c","keepalive":60},` +
	`"password":"secret"}`

func expect(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n%s\nwant\n%s", what, got, want)
	}
}

// TestModule runs the compiled module; guest has the tests of what it does.
func TestModule(t *testing.T) {
	g := guesttest.Load(t, jsonecho.Module, guesttest.Config{MemoryPages: 1024})
	g.Created(conn, hostabi.ConnInfo{})
	if a := g.Bytes(conn, connect); a != hostabi.ActionPause {
		t.Errorf("action %d while the login is under way", a)
	}
	const token = 1 << 32 // the SDK's first
	g.Result(conn, token, hostabi.CodeSuccess, "")
	g.Bytes(conn, `{"type":5,"topic":"t","qos":2}{"type":3,"topic":"t","qos":1,"payload":"x"}{"type":7,"topic":"t"}`)
	g.Result(conn, token+1, hostabi.CodeSuccess, "")
	g.Result(conn, token+2, hostabi.CodePermissionDeny, "no")
	g.Result(conn, token+3, hostabi.CodeSuccess, "")
	g.Messages(conn, hostabi.Message{Topic: "t", QoS: 1, Payload: []byte("x")})
	g.Timer(conn)
	expect(t, "sent", g.Sent(conn), `{"type":2,"code":0}{"type":6,"code":0}{"type":4,"code":1}{"type":8,"code":0}`+
		`{"type":3,"topic":"t","qos":1,"payload":"x"}{"type":9}`)
	expect(t, "calls", g.Calls(), strings.ReplaceAll(
		`authenticate CONN token=4294967296 proto="p"/"1" clientid="c" username="" mountpoint="" password="secret"
start_timer CONN type=0 seconds=60
resume CONN
subscribe CONN token=4294967297 "t" qos=2
publish CONN token=4294967298 "t" qos=1 "x"
unsubscribe CONN token=4294967299 "t"
resume CONN
close CONN ""`, "CONN", fmt.Sprint(conn)))
	g.Closed(conn, "normal")
}

// TestGarbageIsCollected makes far more garbage than the memory limit: a guest whose scheduler never runs would die of
// it.
func TestGarbageIsCollected(t *testing.T) {
	g := guesttest.Load(t, jsonecho.Module, guesttest.Config{MemoryPages: 256})
	frame := `{"type":3,"payload":"` + strings.Repeat("x", 4000) + `"}`
	g.Refuse("publish", hostabi.CodePermissionDeny)
	for id := range int64(300) {
		g.Created(id, hostabi.ConnInfo{})
		for range 50 {
			g.Bytes(id, frame)
		}
		g.Sent(id)
		g.Calls()
		g.Closed(id, "tcp_closed")
	}
	if mib := g.MemoryPages() / 16; mib > 12 {
		t.Errorf("60 MB of frames left %d MiB of memory", mib)
	}
}

// quiet is a connection that accepts everything.
type quiet struct{ gateway.ConnectionAdapter }

func (quiet) ID() string { return "quiet" }

func (quiet) Send([]byte) gateway.Result { return gateway.OK }

func (quiet) Close(gateway.CloseReason) gateway.Result { return gateway.OK }
func (quiet) Pause()                                   {}
func (quiet) Resume() gateway.Result                   { return gateway.OK }

func (quiet) Publish(string, uint32, []byte, gateway.Done) gateway.Result { return gateway.OK }

func (quiet) Authenticate(gateway.ClientInfo, string, gateway.Done) gateway.Result { return gateway.OK }

func (quiet) Subscribe(string, uint32, gateway.Done) gateway.Result { return denied }

func (quiet) Post(event func() error) bool { return event() == nil }

var denied = gateway.Refuse(gateway.CodePermissionDeny, "denied")

// TestHostileDevicesStayWithinTheLimits sends what costs a guest most; none may end the instance, which serves other
// devices too.
func TestHostileDevicesStayWithinTheLimits(t *testing.T) {
	e, err := wasm.New(t.Context(), wasm.Config{
		Name: "jsonecho", Module: jsonecho.Module, Shards: 1, Limits: wasm.Limits{MemoryPages: 1024, Fuel: 10_000_000},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	for name, input := range map[string]string{
		"refused frames":    strings.Repeat(`{"type":5}`, 2400),
		"spaces":            strings.Repeat(" ", 24_000),
		"longest frame":     `{"type":3,"payload":"` + strings.Repeat(`\u0001`, 670) + `"}`,
		"many fields":       "{" + strings.Repeat(`"a":0,`, 2700) + `"a":0}`,
		"frames of fields":  strings.Repeat(`{"type":5`+strings.Repeat(`,"a":0`, 32)+"}", 100),
		"deep":              `{"a":` + strings.Repeat("[", 8000) + strings.Repeat("]", 8000) + "}",
		"many large frames": strings.Repeat(`{"type":5,"topic":"`+strings.Repeat("x", 4000)+`"}`, 6),
	} {
		h, err := e.NewHandler(quiet{})
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range []error{
			h.OnSocketCreated(gateway.ConnInfo{}), h.OnReceivedBytes([]byte(input)),
			h.OnSocketClosed(gateway.ReasonTCPClosed),
		} {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
