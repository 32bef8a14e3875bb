package meter

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/exgate/exgate/internal/wasmtest"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

var options = Options{MemoryPages: 256, TableElements: 1000}

// instance is a metered module that runs.
type instance struct {
	api.Module
	fuel    api.MutableGlobal
	refused api.Global
}

func run(t testing.TB, wasm []byte) instance {
	t.Helper()
	return runWith(t, wasm, options)
}

func runWith(t testing.TB, wasm []byte, o Options) instance {
	t.Helper()
	metered, err := Rewrite(wasm, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithMemoryLimitPages(options.MemoryPages))
	t.Cleanup(func() { _ = r.Close(ctx) })
	m, err := r.Instantiate(ctx, metered.Module)
	if err != nil {
		t.Fatal(err)
	}
	return instance{m, m.ExportedGlobal(FuelGlobal).(api.MutableGlobal), m.ExportedGlobal(RefusedGlobal)}
}

// spend calls an export with fuel and returns what it used.
func (in instance) spend(fuel int64, export string, params ...uint64) (used int64, result []uint64, err error) {
	in.fuel.Set(uint64(fuel))
	result, err = in.ExportedFunction(export).Call(context.Background(), params...)
	return fuel - int64(in.fuel.Get()), result, err
}

func one(code ...byte) []byte {
	return wasmtest.Module{Pages: 2, Table: 10, Funcs: []wasmtest.Func{
		{Export: "f", Params: []byte{wasmtest.I32}, Results: []byte{wasmtest.I32}, Code: code},
	}}.Bytes()
}

func TestWhatIsCharged(t *testing.T) {
	long := append(make([]byte, 0, 2000), 0x20, 0)
	for range 512 {
		long = append(long, 0x41, 1, 0x6a) // i32.const 1, i32.add
	}
	for _, c := range []struct {
		name  string
		code  []byte
		param uint64
		used  int64
		want  uint64
	}{
		{"a short function", []byte{0x20, 0, 0x0b}, 5, 1, 5},
		{"a long function", append(long, 0x0b), 0, 1 + 4, 512},
		{"a loop", []byte{0x03, 0x40, 0x20, 0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b, 0x20, 0, 0x0b}, 100, 1 + 100, 0},
		{"memory.fill", []byte{0x41, 0, 0x41, 7, 0x20, 0, 0xfc, 11, 0, 0x20, 0, 0x0b}, 6400, 1 + 1 + 100, 6400},
		{"memory.copy", []byte{0x41, 0, 0x41, 0, 0x20, 0, 0xfc, 10, 0, 0, 0x20, 0, 0x0b}, 640, 1 + 1 + 10, 640},
		{"table.fill", []byte{0x41, 0, 0xd0, 0x70, 0x20, 0, 0xfc, 17, 0, 0x20, 0, 0x0b}, 8, 1 + 1 + 1, 8},
		{"table.grow", []byte{0xd0, 0x70, 0x20, 0, 0xfc, 15, 0, 0x0b}, 80, 1 + 1 + 10, 10},
		{"table.grow above the limit", []byte{0xd0, 0x70, 0x20, 0, 0xfc, 15, 0, 0x0b}, 1000, 1 + 1 + 125, 0xffffffff},
		{"memory.grow", []byte{0x20, 0, 0x40, 0, 0x0b}, 3, 1 + 3*1024, 2},
		{"memory.grow above the limit", []byte{0x20, 0, 0x40, 0, 0x0b}, 0xffffffff, 1, 0xffffffff},
	} {
		t.Run(c.name, func(t *testing.T) {
			used, result, err := run(t, one(c.code...)).spend(1_000_000, "f", c.param)
			if err != nil {
				t.Fatal(err)
			}
			if used != c.used || result[0] != c.want {
				t.Errorf("used %d, want %d; result %d, want %d", used, c.used, result[0], c.want)
			}
		})
	}
}

func TestRefusedGrowIsNoted(t *testing.T) {
	in := run(t, one(0x20, 0, 0x40, 0, 0x0b))
	_, _, _ = in.spend(1_000_000, "f", 1)
	if in.refused.Get() != 0 {
		t.Error("noted though it grew")
	}
	_, _, _ = in.spend(1_000_000, "f", 1000)
	if in.refused.Get() != 1 {
		t.Error("not noted")
	}
}

// No length is too long to be added up, and nothing runs that was not paid.
func TestFuelEnds(t *testing.T) {
	recurse := []byte{0x20, 0, 0x10, 0, 0x0b}
	for _, c := range []struct {
		name  string
		code  []byte
		param uint64
	}{
		{"loop", []byte{0x03, 0x40, 0x0c, 0, 0x0b, 0x00, 0x0b}, 0},
		{"recursion", recurse, 0},
		{"memory.fill", []byte{0x41, 0, 0x41, 7, 0x20, 0, 0xfc, 11, 0, 0x20, 0, 0x0b}, 0xffffffff},
		{"memory.copy", []byte{0x41, 0, 0x41, 0, 0x20, 0, 0xfc, 10, 0, 0, 0x20, 0, 0x0b}, 0xffffffff},
		{"table.grow", []byte{0xd0, 0x70, 0x20, 0, 0xfc, 15, 0, 0x0b}, 0xffffffff},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := run(t, one(c.code...))
			_, _, err := in.spend(10_000, "f", c.param)
			left := int64(in.fuel.Get())
			if err == nil || !strings.Contains(err.Error(), "unreachable") || left >= 0 || left < -1<<33 {
				t.Errorf("fuel left %d, %v", left, err)
			}
		})
	}
}

func TestStartRunsOnlyWhenCalled(t *testing.T) {
	m := wasmtest.Module{Pages: 1, Start: 1, Funcs: []wasmtest.Func{
		{Export: "f", Code: []byte{0x0b}},
		{Code: []byte{0x03, 0x40, 0x0c, 0, 0x0b, 0x0b}},
	}}
	in := run(t, m.Bytes())
	if _, _, err := in.spend(1000, StartFunction); err == nil {
		t.Error("it ended")
	}
}

// A module cannot name what the rewriting adds.
func TestNothingReachesTheFuel(t *testing.T) {
	with := func(globals []byte, code ...byte) []byte {
		return wasmtest.Module{Pages: 1, Globals: globals, Funcs: []wasmtest.Func{{
			Export:  "f",
			Results: []byte{wasmtest.I64}, Code: code,
		}}}.Bytes()
	}
	none, two := []byte(nil), []byte{2, wasmtest.I64, 1, 0x42, 0, 0x0b, wasmtest.I64, 1, 0x42, 0, 0x0b}
	for _, c := range []struct {
		name   string
		module []byte
		want   string
	}{
		{"global.get", with(none, 0x23, 0, 0x0b), "global 0 of 0"},
		{"global.get behind others", with(two, 0x23, 2, 0x0b), "global 2 of 2"},
		{"global.set", with(two, 0x42, 0, 0x24, 3, 0x42, 0, 0x0b), "global 3 of 2"},
		{"a padded index", with(two, 0x23, 0x82, 0x80, 0x00, 0x0b), "global 2 of 2"},
		{
			"a constant", with([]byte{1, wasmtest.I64, 1, 0x23, 1, 0x0b}, 0x42, 0, 0x0b),
			"instruction 0x23 in a constant",
		},
		{"the added local", with(none, 0x20, 0, 0x1a, 0x42, 0, 0x0b), "local 0 of 0"},
	} {
		if _, err := Rewrite(c.module, options); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	export := wasmtest.Module{
		Pages: 1, Funcs: []wasmtest.Func{{Code: []byte{0x0b}}}, Exports: append(wasmtest.Name(nil, "g"), 3, 0),
		Extra: 1,
	}
	if _, err := Rewrite(export.Bytes(), options); err == nil ||
		!strings.Contains(err.Error(), `export "g" is global 0 of 0`) {
		t.Error(err)
	}
}

func TestMalformedModules(t *testing.T) {
	head := append([]byte(nil), header...)
	section := wasmtest.Section
	for _, c := range []struct {
		name   string
		module []byte
		want   string
	}{
		{"a count above the file", section(head, 1, []byte{0xff, 0xff, 0xff, 0xff, 0x0f}), "4294967295 types"},
		{"a number too long", section(head, 1, []byte{0x80, 0x80, 0x80, 0x80, 0x80, 0x00}), "malformed 32-bit number"},
		{"a number too large", section(head, 1, []byte{0xff, 0xff, 0xff, 0xff, 0x1f}), "malformed 32-bit number"},
		{"bytes too many", section(head, 1, []byte{0, 0}), "1 trailing bytes"},
		{
			"sections out of order", section(section(head, 3, []byte{0}), 1, []byte{0}),
			"the type section is duplicate or out of order",
		},
		{"a section twice", section(section(head, 1, []byte{0}), 1, []byte{0}), "is duplicate"},
		{"an unknown section", section(head, 13, []byte{0}), "section 13 is not one of WebAssembly 2.0"},
		{"a section too long", append(head, 1, 100), "100 bytes announced, 0 left"},
		{
			"no code", section(section(head, 1, []byte{1, 0x60, 0, 0}), 3, []byte{1, 0}),
			"1 functions and no code section",
		},
		{"an imported memory", section(head, 2, append(wasmtest.Name(wasmtest.Name([]byte{1}, "env"), "memory"), 2, 0,
			1)), "only functions are provided"},
		{"a shared memory", section(head, 5, []byte{1, 3, 1, 2}), "shared or 64-bit limits"},
		{"two memories", section(head, 5, []byte{2, 0, 1, 0, 1}), "2 memories: at most 1"},
		{"a tail call", one(0x20, 0, 0x12, 0, 0x0b), "instruction 0x12 is not one of WebAssembly 2.0"},
		{"an atomic", one(0x20, 0, 0xfe, 0x10, 0, 0, 0x0b), "instruction 0xfe is not one of WebAssembly 2.0"},
		{"a vector instruction in a long form", one(0xfd, 0x8c, 0x00, 0x0b), "malformed or unknown vector instruction"},
		{"no end", one(0x20, 0), "the file ends too early"},
		{"code after the end", one(0x20, 0, 0x0b, 0x01), "1 trailing bytes"},
		{"deep blocks", one(append(bytesOf(0x02, 0x40, 60_000), 0x0b)...), "nested more than 2000 deep"},
	} {
		if _, err := Rewrite(c.module, options); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func bytesOf(a, b byte, n int) []byte {
	return []byte(strings.Repeat(string([]byte{a, b}), n))
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		bytes string
		bits  int
		want  int64
		ok    bool
	}{
		{"\x7f", 32, -1, true},
		{"\xff\xff\xff\xff\x7f", 32, -1, true},
		{"\xff\xff\xff\xff\x4f", 32, 0, false},
		{"\x80\x80\x80\x80\x78", 32, -1 << 31, true},
		{"\xff\xff\xff\xff\x07", 32, 1<<31 - 1, true},
		{"\xff\xff\xff\xff\x0f", 32, 0, false},
		{"\xff\xff\xff\xff\x0f", 33, 1<<32 - 1, true},
		{"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x7f", 64, -1 << 63, true},
		{"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 64, 0, false},
		{"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 64, 0, false},
	} {
		r := &reader{data: []byte(c.bytes)}
		if got := r.signed(c.bits); got != c.want && c.ok || (r.err == nil) != c.ok {
			t.Errorf("%x of %d bits: %d %v, want %d %v", c.bytes, c.bits, got, r.err, c.want, c.ok)
		}
	}
}

func TestFunctionNamesStay(t *testing.T) {
	names := wasmtest.Name(nil, "name")
	names = wasmtest.Section(names, 1, append([]byte{1, 0}, wasmtest.Name(nil, "spinner")...))
	module := wasmtest.Section(one(0x00, 0x0b), 0, names)
	for _, keep := range []bool{true, false} {
		o := options
		o.Names = keep
		_, _, err := runWith(t, module, o).spend(100, "f", 0)
		if err == nil || strings.Contains(err.Error(), "spinner") != keep {
			t.Errorf("with names %v: got %v", keep, err)
		}
	}
	huge := wasmtest.Section(one(0x00, 0x0b), 0, wasmtest.Section(wasmtest.Name(nil, "name"), 1,
		[]byte{0xff, 0xff, 0xff, 0xff, 0x0f}))
	_, _, err := runWith(t, huge, Options{Names: true, MemoryPages: 2, TableElements: 10}).spend(100, "f", 0)
	if err == nil || !strings.Contains(err.Error(), "unreachable") {
		t.Errorf("got %v", err)
	}
}

// guests returns the modules of testdata, as seeds and as proof that compilers' output passes.
func guests(t testing.TB) map[string][]byte {
	paths, err := filepath.Glob("../../runtime/wasm/testdata/*.wasm")
	if err != nil || len(paths) == 0 {
		t.Fatal("no guests", err)
	}
	all := map[string][]byte{}
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(p)] = b
	}
	return all
}
