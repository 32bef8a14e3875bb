package wasm

import (
	"encoding/binary"
	"log/slog"
	"strings"
	"testing"

	"github.com/exgate/exgate/hostabi"
	"github.com/exgate/exgate/internal/wasmtest"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// doing makes a guest that calls a function of WASI once for each packet.
func doing(name string, params ...int64) []byte {
	s := signature(hostabi.WASIModuleName, name)
	m := wasmtest.Guest()
	m.Imports = []wasmtest.Import{{Module: hostabi.WASIModuleName, Name: name, Params: s.Params, Results: s.Results}}
	return m.With("exproto_v1_bytes", append(call(s, params...), 0x41, 0, 0x0b)...).Bytes()
}

// written is where the guest writes how much was printed: the packet is at 1024, and the memory at 100,000 is free.
const written = 100_000

func TestWASIExit(t *testing.T) {
	d := gatewaytest.Connect(t, engine(t, Config{Module: doing("proc_exit", 3), Shards: 1}))
	err := d.Receive("")
	if !gateway.ReasonOf(err).Is(gateway.ReasonGuestExit) || !strings.Contains(err.Error(), "code 3") {
		t.Errorf("got %v", err)
	}
}

// write prints text through fd_write on a stream.
func write(t *testing.T, d *gatewaytest.Device, text string) {
	vector := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, 1024+8), uint32(len(text)))
	must(t, d.Receive(string(vector)+text))
}

func TestWASIOutputGoesToTheLog(t *testing.T) {
	var log syncBuffer
	d := gatewaytest.Connect(t, engine(t, Config{
		Module: doing("fd_write", 2, 1024, 1, written), Shards: 1, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	}))
	write(t, d, "first li")
	write(t, d, "ne\nsecond \x1b[31m line\nthird")
	for _, want := range []string{
		`level=WARN msg=guest handler=test shard=0 text="first line"`,
		`text="second �[31m line"`,
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log has not %q:\n%s", want, log.String())
		}
	}
	n, _ := instanceOf(d).memory.ReadUint32Le(written)
	if n != uint32(len("ne\nsecond \x1b[31m line\nthird")) {
		t.Errorf("%d bytes written", n)
	}
}

func TestLogIsBounded(t *testing.T) {
	var log syncBuffer
	d := gatewaytest.Connect(
		t,
		engine(
			t,
			Config{
				Module: file(t, "scenario"), Shards: 1, Limits: Limits{LogLines: 2},
				Logger: slog.New(slog.NewTextHandler(&log, nil)),
			},
		),
	)
	must(t, d.Receive("L"+strings.Repeat("x", 5000)))
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
