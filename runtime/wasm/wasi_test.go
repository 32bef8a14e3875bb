package wasm

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/exgate/exgate/hostabi"
	"github.com/exgate/exgate/internal/wasmtest"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/tetratelabs/wazero/api"
)

// wasiGuest calls one function of WASI for each packet, with constant parameters, and returns what it returned as the action.
func wasiGuest(name string, params ...int64) []byte {
	var f wasiFunction
	for _, f = range wasiFunctions {
		if f.name == name {
			break
		}
	}
	s := f.signature()
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

// At 1024 the packet stands, and at 100,000 there is room.
const room = 100_000

func TestWASICalls(t *testing.T) {
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
		{"clock_res_get", []int64{2, room}, errnoInvalid, ""},
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
			limits := Limits{CallBytes: 100_000}
			d := connect(t, engine(t, Config{Module: wasiGuest(c.name, c.params...), Shards: 1, Limits: limits}))
			in := d.instance()
			err := d.receive("\x2a\x00\x00\x00\x00\x00\x00\x00" + strings.Repeat("\x00", 8) + "\x00\x00\x00\x00" + "\x00\xf0\xff\xff\xff\xff\xff\x7f" + strings.Repeat("\x00", 12))
			if got := errno(in.stack[0]); got != c.want {
				t.Errorf("errno %d, want %d (%v)", got, c.want, err)
			}
			if c.memory != "" {
				b, _ := in.memory.Read(room, uint32(len(c.memory)/2))
				if got := fmt.Sprintf("%x", b); got != c.memory {
					t.Errorf("memory %s, want %s", got, c.memory)
				}
			}
		})
	}
}

func TestWASIClocksAndRandomAreReal(t *testing.T) {
	d := connect(t, engine(t, Config{Module: wasiGuest("clock_time_get", 0, 0, room), Shards: 1}))
	before := time.Now()
	must(t, d.receive(""))
	ns, _ := d.instance().memory.ReadUint64Le(room)
	if now := time.Unix(0, int64(ns)); now.Before(before.Truncate(0)) || now.After(time.Now()) {
		t.Errorf("the guest saw %v", now)
	}
	d = connect(t, engine(t, Config{Module: wasiGuest("random_get", room, 32), Shards: 1}))
	must(t, d.receive(""))
	b, _ := d.instance().memory.Read(room, 32)
	if strings.Count(string(b), "\x00") > 8 {
		t.Errorf("random bytes %x", b)
	}
}

func TestWASIExit(t *testing.T) {
	d := connect(t, engine(t, Config{Module: wasiGuest("proc_exit", 3), Shards: 1}))
	err := d.receive("")
	if !gateway.ReasonOf(err).Is(gateway.ReasonGuestExit) || !strings.Contains(err.Error(), "code 3") {
		t.Errorf("got %v", err)
	}
}

// write prints text through fd_write on a stream.
func write(t *testing.T, d *device, text string) {
	vector := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, 1024+8), uint32(len(text)))
	must(t, d.receive(string(vector)+text))
}

func TestWASIOutputGoesToTheLog(t *testing.T) {
	var log syncBuffer
	d := connect(t, engine(t, Config{
		Module: wasiGuest("fd_write", 2, 1024, 1, room), Shards: 1, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	}))
	write(t, d, "first li")
	write(t, d, "ne\nsecond \x1b[31m line\nthird")
	for _, want := range []string{`level=WARN msg=guest handler=test shard=0 text="first line"`, `text="second �[31m line"`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log has not %q:\n%s", want, log.String())
		}
	}
	written, _ := d.instance().memory.ReadUint32Le(room)
	if written != uint32(len("ne\nsecond \x1b[31m line\nthird")) {
		t.Errorf("%d bytes written", written)
	}
}

func TestLogIsBounded(t *testing.T) {
	var log syncBuffer
	d := connect(t, engine(t, Config{Module: file(t, "scenario"), Shards: 1, Limits: Limits{LogLines: 2}, Logger: slog.New(slog.NewTextHandler(&log, nil))}))
	must(t, d.receive("L"+strings.Repeat("x", 5000)))
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) < 10 || len(lines) > 20 {
		t.Errorf("%d lines", len(lines))
	}
	if n := len(lines[0]); n > maxLine+200 {
		t.Errorf("a line of %d bytes", n)
	}
}

func TestBoundedText(t *testing.T) {
	for _, c := range []struct {
		in, want string
		limit    int
	}{
		{"plain", "plain", 10},
		{"a\nb\x00\xffc", "a b\uFFFD\uFFFDc", 10},
		{"12345", "123…", 3},
		{"12é", "12…", 3},
		{"\u202eevil", "\uFFFDevil", 20},
	} {
		if got := bounded(c.in, c.limit); got != c.want {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
}
