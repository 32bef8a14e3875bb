package hostabi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// recorder is a host that writes calls down and answers with code.
type recorder struct {
	log  []string
	code Code
}

func (r *recorder) note(format string, args ...any) Code {
	r.log = append(r.log, fmt.Sprintf(format, args...))
	return r.code
}

func (r *recorder) Send(conn int64, b []byte) Code    { return r.note("send %d %q", conn, b) }
func (r *recorder) Close(conn int64, why []byte) Code { return r.note("close %d %q", conn, why) }
func (r *recorder) Authenticate(conn, token int64, b []byte) Code {
	return r.note("authenticate %d %d %x", conn, token, b)
}

func (r *recorder) StartTimer(conn int64, timer, seconds uint32) Code {
	return r.note("start_timer %d %d %d", conn, timer, seconds)
}

func (r *recorder) SaveState(conn, token int64, value []byte) Code {
	return r.note("save_state %d %d %q", conn, token, value)
}

func (r *recorder) SetTimer(conn int64, id uint32, ms int32) Code {
	return r.note("set_timer %d %d %d", conn, id, ms)
}

func (r *recorder) Publish(conn, token int64, topic []byte, qos uint32, payload []byte) Code {
	return r.note("publish %d %d %q %d %q", conn, token, topic, qos, payload)
}

func (r *recorder) PublishWith(conn, token int64, topic []byte, qos uint32, payload, props []byte) Code {
	return r.note("publish_with %d %d %s %d %s %s", conn, token, topic, qos, payload, props)
}

func (r *recorder) Subscribe(conn, token int64, topic []byte, qos uint32) Code {
	return r.note("subscribe %d %d %q %d", conn, token, topic, qos)
}

func (r *recorder) Unsubscribe(conn, token int64, topic []byte) Code {
	return r.note("unsubscribe %d %d %q", conn, token, topic)
}
func (r *recorder) Resume(conn int64) Code       { return r.note("resume %d", conn) }
func (r *recorder) Log(level int32, text []byte) { r.note("log %d %q", level, text) }

// start runs a guest of runtime/wasm/testdata over a recorder.
func start(t *testing.T, name string) (*recorder, func(packet string) (uint64, error)) {
	t.Helper()
	host := &recorder{}
	ctx := WithHost(context.Background(), host)
	r := wazero.NewRuntime(ctx)
	t.Cleanup(func() { _ = r.Close(ctx) })
	if err := Instantiate(ctx, r); err != nil {
		t.Fatal(err)
	}
	m, err := r.Instantiate(ctx, guest(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return host, func(packet string) (uint64, error) { return push(ctx, m, packet) }
}

// push hands a packet of connection 5 to a guest.
func push(ctx context.Context, m api.Module, packet string) (uint64, error) {
	p, err := m.ExportedFunction(ExportBuffer).Call(ctx, uint64(len(packet)))
	if err != nil {
		return 0, err
	}
	m.Memory().WriteString(uint32(p[0]), packet)
	action, err := m.ExportedFunction(ExportBytes).Call(ctx, 5, p[0], uint64(len(packet)))
	if err != nil {
		return 0, err
	}
	return action[0], nil
}

func TestCallsReachTheHost(t *testing.T) {
	for _, c := range []struct {
		packet string
		code   Code
		action Action
		want   []string
	}{
		{"zip", 0, ActionContinue, []string{`send 5 "b\x00zip"`}},
		{"A", 0, ActionPause, []string{"authenticate 5 1 12041a0263311a027077"}},
		{"Phello", CodePermissionDeny, ActionContinue, []string{`publish 5 2 "up" 1 "hello"`, `send 5 "p\x05"`}},
		{"P", CodeLimit, ActionContinue, []string{`publish 5 2 "up" 1 ""`, `send 5 "p\x10"`}},
		{"S", 0, ActionContinue, []string{`subscribe 5 3 "down/#" 1`, `send 5 "s\x00"`}},
		{"U", 0, ActionContinue, []string{`unsubscribe 5 4 "down/#"`, `send 5 "u\x00"`}},
		{"T", 0, ActionContinue, []string{"start_timer 5 0 30", `send 5 "t\x00"`}},
		{"C", 0, ActionClose, []string{`close 5 "bye\n"`}},
	} {
		host, bytesEvent := start(t, "scenario")
		host.code = c.code
		action, err := bytesEvent(c.packet)
		if err != nil || Action(action) != c.action {
			t.Errorf("%q: action %d, %v", c.packet, action, err)
		}
		if got := strings.Join(host.log, "|"); got != strings.Join(c.want, "|") {
			t.Errorf("%q: %s", c.packet, got)
		}
	}
}

func TestBadPointersTrap(t *testing.T) {
	_, bytesEvent := start(t, "hostile")
	_, err := bytesEvent("p")
	var bad *MemoryError
	if !errors.As(err, &bad) || *bad != (MemoryError{"send", 0xfffffff0, 64}) {
		t.Errorf("got %v", err)
	}
}

func TestCheckNamesWhatIsMissing(t *testing.T) {
	r := wazero.NewRuntime(context.Background())
	defer func() { _ = r.Close(context.Background()) }()
	whole := guest(t, "scenario")
	for _, c := range []struct{ old, new, want string }{
		{"x", "x", ""},
		{"exproto_v1_event", "exproto_v2_event", "does not export exproto_v1_event(i32, i64, i64, i32, i32) -> i32"},
		{"memory", "nemory", `does not export its memory as "memory"`},
		{"subscribe", "prescribe", "imports prescribe from exproto_v1, which has no such function"},
		{
			"exproto_v1\x04send", "wroproto_1\x04send",
			`imports send from "wroproto_1": only exproto_v1 and wasi_snapshot_preview1 are provided`,
		},
		{"\x05close", "\x05_open", "imports _open from exproto_v1"},
	} {
		m, err := r.CompileModule(context.Background(), bytes.Replace(whole, []byte(c.old), []byte(c.new), 1))
		if err != nil {
			t.Fatalf("%q: %v", c.new, err)
		}
		err = Check(m)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, want %q", c.new, err, c.want)
		}
	}
}

func TestSignatureText(t *testing.T) {
	for want, s := range map[string]Signature{
		"()":                          {},
		"(i32)":                       {Params: []api.ValueType{i32}},
		"(i64, i32, i32) -> i32":      Exports()[ExportBytes],
		"() -> (i32, i64)":            {Results: []api.ValueType{i32, i64}},
		"(i64, i64, i32, i32) -> i32": Imports()["authenticate"],
	} {
		if got := s.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestKindText(t *testing.T) {
	if got := fmt.Sprint(KindCreated, KindDrain, Kind(77)); got != "created drain Kind(77)" {
		t.Error(got)
	}
}
