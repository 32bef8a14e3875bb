package wasm

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/exgate/exgate/internal/wasmfile"
	"github.com/exgate/exgate/internal/wasmtest"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// failures are the packets on which testdata/trace.c fails, with the lines of its functions, innermost first.
var failures = map[string]struct {
	reason gateway.CloseReason
	stack  string
}{
	"t": {gateway.ReasonGuestTrap, "decode (trace.c:17) frame (trace.c:29) bytes (trace.c:36)"},
	"l": {gateway.ReasonGuestOutOfFuel, "spin (trace.c:8) decode (trace.c:19) frame (trace.c:29) bytes (trace.c:36)"},
	"p": {
		gateway.ReasonGuestTrap,
		"exproto_v1.send decode (trace.c:22) frame (trace.c:29) bytes (trace.c:36)",
	},
}

func oneLine(t Trace) string { return strings.ReplaceAll(t.String(), "\n", " ") }

func withoutLines(stack string) string {
	var kept []string
	for word := range strings.FieldsSeq(stack) {
		if !strings.HasPrefix(word, "(") {
			kept = append(kept, word)
		}
	}
	return strings.Join(kept, " ")
}

// A fault has the guest's stack, whatever the version of the debug information, and however the module is metered.
func TestFaultsHaveTheStack(t *testing.T) {
	for name, lined := range map[string]bool{"trace": false, "trace4": true, "trace5": true} {
		for label, c := range map[string]Config{
			"shared": {Shards: 1}, "alone": {Isolation: IsolationConnection},
		} {
			c.Module, c.Limits.Fuel = file(t, name), 20_000
			e := engine(t, c)
			for packet, want := range failures {
				d := gatewaytest.Connect(t, e)
				err := d.Receive(packet)
				if !lined {
					want.stack = withoutLines(want.stack)
				}
				if got := oneLine(TraceOf(err)); got != want.stack || !gateway.ReasonOf(err).Is(want.reason) {
					t.Errorf("%s, %s, packet %s: %v\n got %s\nwant %s", name, label, packet, err, got, want.stack)
				}
			}
		}
	}
}

func TestTheLogHasTheStack(t *testing.T) {
	var log syncBuffer
	e := engine(t, Config{
		Module: file(t, "trace5"), Shards: 1, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	_ = gatewaytest.Connect(t, e).Receive("t")
	want := `error="wasm error: unreachable" stack="decode (trace.c:17)\nframe (trace.c:29)\nbytes (trace.c:36)" see=`
	if !strings.Contains(log.String(), want) {
		t.Errorf("%s is missing in\n%s", want, log.String())
	}
}

// What a guest calls its functions can neither forge a frame nor move a terminal's cursor, and is bounded.
func TestHostileNames(t *testing.T) {
	module := wasmtest.Guest().With("exproto_v1_bytes", 0x00, 0x0b).Bytes()
	named := func(name string) []byte {
		part := wasmtest.Name([]byte{1, 2}, name)
		b, err := wasmfile.SetCustom(module, "name", wasmtest.Section(nil, 1, part))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, want := range map[string]string{
		"bytes":                            "bytes",
		"\x1b[31mred":                      `"\x1b[31mred"`,
		"a\nwasm stack trace:\n\t.$0()":    `"a\nwasm stack trace:\n\t.$0()"`,
		strings.Repeat("x", 4000):          strings.Repeat("x", 160) + "...",
		"meter::decode::h0123456789abcdef": "meter::decode",
	} {
		err := gatewaytest.Connect(t, engine(t, Config{Module: named(name), Shards: 1})).Receive("x")
		if got := TraceOf(err).String(); got != want {
			t.Errorf("%q: got %s, want %s", name, got, want)
		}
	}
	err := gatewaytest.Connect(t, engine(t, Config{Module: module, Shards: 1})).Receive("x")
	if got := TraceOf(err).String(); got != "exproto_v1_bytes" {
		t.Errorf("without names: %s", got)
	}
}

// A guest written in Go says itself where it panicked.
func TestPanicsInGo(t *testing.T) {
	d := gatewaytest.Connect(t, engine(t, Config{Module: printing(t), Shards: 1}))
	err := d.Receive("panic: runtime error: index out of range [5] with length 3\n\n" +
		"goroutine 1 [running]:\nmain.(*device).OnBytes(0xc000, {0x1, 0x2})\n\tmeter/device.go:42 +0x1f\n" +
		"runtime.main()\n\truntime/proc.go:1 +0x2\nmain.main()\n\tmeter/main.go:7 +0x3\n")
	if !gateway.ReasonOf(err).Is(gateway.ReasonGuestExit) ||
		!strings.Contains(err.Error(), "code 2: panic: runtime error: index out of range [5] with length 3") {
		t.Errorf("got %v", err)
	}
	want := "main.(*device).OnBytes (meter/device.go:42) main.main (meter/main.go:7)"
	if got := oneLine(TraceOf(err)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// printing makes a guest that prints a packet to standard error, and then exits with code 2.
func printing(t *testing.T) []byte {
	t.Helper()
	print, exit := signature("wasi_snapshot_preview1", "fd_write"), signature("wasi_snapshot_preview1", "proc_exit")
	m := wasmtest.Guest()
	m.Imports = []wasmtest.Import{
		{Module: "wasi_snapshot_preview1", Name: "fd_write", Params: print.Params, Results: print.Results},
		{Module: "wasi_snapshot_preview1", Name: "proc_exit", Params: exit.Params, Results: exit.Results},
	}
	// the vector at 512: the packet's address and size
	code := []byte{0x41, 0x80, 4, 0x20, 1, 0x36, 2, 0, 0x41, 0x84, 4, 0x20, 2, 0x36, 2, 0}
	code = append(code, 0x41, 2, 0x41, 0x80, 4, 0x41, 1, 0x41, 0x88, 4, 0x10, 0, 0x1a, 0x41, 2, 0x10, 1, 0x41, 0, 0x0b)
	return m.With("exproto_v1_bytes", code...).Bytes()
}
