package meter

import (
	"bytes"
	"context"
	"strconv"
	"strings"
	"testing"

	"github.com/exgate/exgate/internal/wasmtest"
	"github.com/tetratelabs/wazero"
)

// marked are function bodies in which i32.const 77 stands before the instruction that traps.
var marked = map[string][]byte{
	"at once":       {0x41, 0xcd, 0, 0x1a, 0x00, 0x0b},
	"after a loop":  {0x03, 0x40, 0x0b, 0x41, 0xcd, 0, 0x1a, 0x00, 0x0b},
	"in a loop":     {0x03, 0x40, 0x41, 0xcd, 0, 0x1a, 0x00, 0x0b, 0x41, 0, 0x0b},
	"after growing": {0x41, 1, 0x40, 0, 0x1a, 0x41, 0xcd, 0, 0x1a, 0x00, 0x0b},
	"filling":       {0x41, 0, 0x41, 0, 0x41, 1, 0xfc, 11, 0, 0x41, 0xcd, 0, 0x1a, 0x00, 0x0b},
	"loading":       {0x41, 0xcd, 0, 0x1a, 0x41, 0x7f, 0x28, 0, 0, 0x0b},
}

// A trap's offset, mapped to the original, is that of the instruction behind the mark, however much was added before.
func TestOffsets(t *testing.T) {
	m := wasmtest.Module{Pages: 1, Table: 1}
	for name, code := range marked {
		m.Funcs = append(m.Funcs, wasmtest.Func{
			Export: name, Params: []byte{wasmtest.I32}, Results: []byte{wasmtest.I32}, Code: code,
		})
	}
	module := m.Bytes()
	for name, code := range marked {
		for from, rewrite := range map[string]func([]byte, Options) (Parts, error){"whole": Rewrite, "split": Split} {
			o := options
			o.Offsets = true
			parts, err := rewrite(module, o)
			if err != nil {
				t.Fatal(err)
			}
			body := append([]byte{byte(1 + len(code)), 0}, code...)
			at := bytes.Index(module, body) + 2 + bytes.Index(code, []byte{0x41, 0xcd, 0, 0x1a}) + 4
			if name == "loading" {
				at += 2
			}
			want := at - codeStart(module)
			if got := parts.Offsets.Original(trapOffset(t, parts.Module, name)); int(got) != want {
				t.Errorf("%s, %s: offset %#x, want %#x", name, from, got, want)
			}
		}
	}
}

// codeStart returns where the content of the code section begins.
func codeStart(module []byte) int {
	r := &reader{data: module, pos: len(header)}
	for {
		id := r.byte()
		content := r.sub(r.u32())
		if id == sectionCode || r.err != nil {
			return content.base
		}
	}
}

// trapOffset calls an export that traps, and returns the offset in the stack trace.
func trapOffset(t *testing.T, module []byte, export string) uint32 {
	t.Helper()
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithDebugInfoEnabled(true))
	t.Cleanup(func() { _ = r.Close(ctx) })
	m, err := r.Instantiate(ctx, module)
	if err != nil {
		t.Fatal(err)
	}
	m.ExportedGlobal(FuelGlobal).(interface{ Set(uint64) }).Set(1 << 30)
	_, err = m.ExportedFunction(export).Call(ctx, 0)
	if err == nil {
		t.Fatal("no trap")
	}
	_, rest, _ := strings.Cut(err.Error(), "\n\t\t")
	number, _, _ := strings.Cut(rest, ":")
	offset, parseErr := strconv.ParseUint(number, 0, 32)
	if parseErr != nil {
		t.Fatal(err)
	}
	return uint32(offset)
}

func TestOffsetsOfAnOriginal(t *testing.T) {
	if got := new(Offsets).Original(12); got != 12 {
		t.Errorf("got %d", got)
	}
}
