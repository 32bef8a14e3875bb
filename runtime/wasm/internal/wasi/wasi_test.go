package wasi

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/exgate/exgate/hostabi"
	"github.com/exgate/exgate/internal/wasmtest"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// guestCalling calls one function of WASI for each packet, with constant parameters, and returns what it returned as
// the action.
func guestCalling(name string, params ...int64) []byte {
	s := Imports()[name]
	m := wasmtest.Guest()
	m.Imports = []wasmtest.Import{{Module: hostabi.WASIModuleName, Name: name, Params: s.Params, Results: s.Results}}
	var code []byte
	for i, p := range params {
		op := byte(0x41)
		if s.Params[i] == api.ValueTypeI64 {
			op = 0x42
		}
		code = append(code, op)
		code = wasmtest.Signed(code, p)
	}
	code = append(code, 0x10, 0)
	if len(s.Results) == 0 {
		code = append(code, 0x41, 0)
	}
	return m.With("exproto_v1_bytes", append(code, 0x0b)...).Bytes()
}

// testGuest is a guest in a runtime that provides WASI and nothing else.
type testGuest struct {
	module api.Module
	room   int // bytes that it may still pay for
	calls  int
}

func newGuest(t *testing.T, module []byte) *testGuest {
	t.Helper()
	g := &testGuest{}
	r := wazero.NewRuntime(t.Context())
	t.Cleanup(func() { must(t, r.Close(context.Background())) })
	must(t, Provide(t.Context(), r, func(context.Context) Guest { return g }))
	code, err := r.CompileModule(t.Context(), module)
	must(t, err)
	must(t, Check(code))
	g.module, err = r.InstantiateModule(t.Context(), code, wazero.NewModuleConfig())
	must(t, err)
	return g
}

func (g *testGuest) Call()             { g.calls++ }
func (g *testGuest) Spent() uint64     { return 42 }
func (g *testGuest) Write(int, []byte) {}

func (g *testGuest) Pay(n int) bool {
	if n > g.room {
		return false
	}
	g.room -= n
	return true
}

func (g *testGuest) memory() api.Memory { return g.module.Memory() }

// receive writes packet where the guest reads it, and returns what the guest's call of WASI returned.
func (g *testGuest) receive(packet string) (errno, error) {
	g.memory().WriteString(packetAt, packet)
	results, err := g.module.ExportedFunction("exproto_v1_bytes").
		Call(context.Background(), 0, packetAt, uint64(len(packet)))
	if err != nil {
		return 0, err
	}
	return errno(results[0]), nil
}

// packetAt is the address of the packet, and room that of unused memory.
const (
	packetAt = 1024
	room     = 100_000
)

func TestCalls(t *testing.T) {
	for _, c := range []struct {
		name   string
		params []int64
		want   errno
		memory string // at room, as %x
	}{
		{"args_sizes_get", []int64{room, room + 4}, 0, "0000000000000000"},
		{"environ_sizes_get", []int64{room, -1}, errnoFault, ""},
		{"args_get", []int64{room, room}, 0, ""},
		{"clock_res_get", []int64{0, room}, 0, "0100000000000000"},
		{"clock_res_get", []int64{3, room}, errnoInvalid, ""},
		{"clock_time_get", []int64{2, 0, room}, 0, "2a00000000000000"},
		{"clock_time_get", []int64{7, 0, room}, errnoInvalid, ""},
		{"clock_time_get", []int64{1, 0, -4}, errnoFault, ""},
		{"random_get", []int64{-4, 100}, errnoFault, ""},
		{"random_get", []int64{0, 150_000}, errnoAgain, ""},
		{"sched_yield", nil, 0, ""},
		{"proc_raise", []int64{9}, errnoNoSys, ""},
		{"fd_prestat_get", []int64{3, room}, errnoBadFile, ""},
		{"path_open", []int64{3, 0, 0, 0, 0, 0, 0, 0, 0}, errnoBadFile, ""},
		{"sock_send", []int64{1, 0, 0, 0, 0}, errnoBadFile, ""},
		{"fd_read", []int64{0, room, 1, room}, 0, "00000000"},
		{"fd_read", []int64{1, room, 1, room}, errnoBadFile, ""},
		{"fd_fdstat_get", []int64{1, room}, 0, "02000000"},
		{"fd_fdstat_get", []int64{3, room}, errnoBadFile, ""},
		{"fd_write", []int64{5, 1024, 1, room}, errnoBadFile, ""},
		{"fd_write", []int64{1, 1024, 65, room}, errnoInvalid, ""},
		{"fd_write", []int64{1, -8, 2, room}, errnoFault, ""},
		{"poll_oneoff", []int64{1024, room, 1, room + 64}, 0, "2a00000000000000" + "0000" + "00"},
		{"poll_oneoff", []int64{1024, room, 0, room}, errnoInvalid, ""},
		{"poll_oneoff", []int64{1024, room, 1 << 20, room}, errnoInvalid, ""},
		{"poll_oneoff", []int64{-8, room, 1, room}, errnoFault, ""},
	} {
		t.Run(fmt.Sprint(c.name, c.params), func(t *testing.T) {
			g := newGuest(t, guestCalling(c.name, c.params...))
			g.room = 100_000
			got, err := g.receive(
				"\x2a\x00\x00\x00\x00\x00\x00\x00" + strings.Repeat(
					"\x00",
					8,
				) + "\x00\x00\x00\x00" + "\x00\xf0\xff\xff\xff\xff\xff\x7f" + strings.Repeat(
					"\x00",
					12,
				),
			)
			if got != c.want {
				t.Errorf("errno %d, want %d (%v)", got, c.want, err)
			}
			if g.calls != 1 {
				t.Errorf("%d host calls are counted", g.calls)
			}
			if c.memory != "" {
				b, _ := g.memory().Read(room, uint32(len(c.memory)/2))
				if got := fmt.Sprintf("%x", b); got != c.memory {
					t.Errorf("memory %s, want %s", got, c.memory)
				}
			}
		})
	}
}

func TestClocksAndRandomAreReal(t *testing.T) {
	g := newGuest(t, guestCalling("clock_time_get", 0, 0, room))
	before := time.Now()
	_, err := g.receive("")
	must(t, err)
	ns, _ := g.memory().ReadUint64Le(room)
	if now := time.Unix(0, int64(ns)); now.Before(before.Truncate(0)) || now.After(time.Now()) {
		t.Errorf("the guest saw %v", now)
	}
	g = newGuest(t, guestCalling("random_get", room, 32))
	g.room = 32
	_, err = g.receive("")
	must(t, err)
	b, _ := g.memory().Read(room, 32)
	if strings.Count(string(b), "\x00") > 8 {
		t.Errorf("random bytes %x", b)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
