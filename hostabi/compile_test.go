package hostabi_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"

	"github.com/exgate/exgate/hostabi"
)

// modules are the modules of the repository that are not larger than size.
func modules(t testing.TB, size int64) (all [][]byte) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".wasm" {
			return err
		}
		if info, err := entry.Info(); err != nil || info.Size() > size {
			return err
		}
		b, err := os.ReadFile(path)
		all = append(all, b)
		return err
	})
	if err != nil || len(all) < 5 {
		t.Fatal("the modules of the repository: ", len(all), err)
	}
	slices.SortFunc(all, bytes.Compare)
	return slices.CompactFunc(all, bytes.Equal)
}

// numbers are encoded counts and lengths that are too large.
var numbers = [][]byte{
	{0xff, 0xff, 0xff, 0xff, 0x0f},
	{0xff, 0xff, 0xff, 0x7f},
	{0xff, 0xff, 0xff, 0xff, 0x07},
	{0x80, 0x80, 0x80, 0x80, 0x10},
	{0xff, 0x7f},
	{0x7f},
	{0},
}

// mutant changes a module in a few places.
func mutant(r *rand.Rand, module []byte) []byte {
	b := bytes.Clone(module)
	for range 1 + r.IntN(2) {
		if len(b) < 10 {
			return b
		}
		at := 8 + r.IntN(len(b)-8)
		switch n := numbers[r.IntN(len(numbers))]; r.IntN(10) {
		case 0, 8:
			b[at] ^= 1 << r.IntN(8)
		case 1, 7:
			b[at] = byte(r.Uint32())
		case 2:
			b = slices.Concat(b[:at], n, b[at+1:])
		case 3, 9:
			copy(b[at:], n)
		case 4:
			b = slices.Delete(b, at, min(len(b), at+1+r.IntN(16)))
		case 5:
			from := 8 + r.IntN(len(b)-8)
			b = slices.Concat(b[:at], b[from:min(len(b), from+1+r.IntN(32))], b[at:])
		case 6:
			b = b[:at]
		}
	}
	return resize(b, r.IntN(2) == 0)
}

// resize makes the lengths of sections right again, so that a change inside one is looked at.
func resize(b []byte, wanted bool) []byte {
	if !wanted || len(b) < 10 {
		return b
	}
	at := 8
	for at < len(b) {
		size, n := binary.Uvarint(b[at+1:])
		if n <= 0 || uint64(at+1+n)+size > uint64(len(b)) {
			break
		}
		at += 1 + n + int(size)
	}
	if at >= len(b)-2 {
		return b
	}
	rest := b[at+2:] // of the first section whose length is wrong
	return slices.Concat(b[:at+1], binary.AppendUvarint(nil, uint64(len(rest))), rest)
}

// allocated is how much f allocates, in bytes.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// compile compiles a module, which neither ends the process nor takes more memory than its size explains.
func compile(t *testing.T, r wazero.Runtime, module []byte) error {
	var err error
	got := allocated(func() {
		var code wazero.CompiledModule
		if code, err = hostabi.Compile(context.Background(), r, module); code != nil {
			_ = code.Close(context.Background())
		}
	})
	if got > 32<<20+2000*uint64(len(module)) {
		t.Errorf("%d MiB for a module of %d bytes, which begins with %x", got>>20, len(module),
			module[:min(len(module), 400)])
	}
	return err
}

func TestCompileMutants(t *testing.T) {
	ctx := context.Background()
	interpreter := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
	compiler := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig())
	defer func() { _, _ = interpreter.Close(ctx), compiler.Close(ctx) }()
	r := rand.New(rand.NewPCG(1, 2))
	all, valid, panics := 0, 0, 0
	for _, module := range modules(t, 20<<10) {
		for i := range 500 {
			b := mutant(r, module)
			runtime := interpreter
			if i%8 == 0 {
				runtime = compiler
			}
			all++
			switch err := compile(t, runtime, b); {
			case err == nil:
				valid++
			case strings.Contains(err.Error(), "panicked"):
				panics++
			}
		}
	}
	t.Logf("%d mutants: %d are valid, at %d the compiler panicked", all, valid, panics)
	if all < 3000 || valid == 0 || valid == all {
		t.Errorf("%d mutants, %d valid: they do not say much", all, valid)
	}
}

func TestCompileGuest(t *testing.T) {
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
	defer func() { _ = r.Close(ctx) }()
	for _, module := range modules(t, 20<<10) {
		_, want := r.CompileModule(ctx, module)
		if _, got := hostabi.Compile(ctx, r, module); want == nil && got != nil {
			t.Errorf("%v, but wazero takes it", got)
		}
	}
	if _, err := hostabi.Compile(ctx, r, []byte("\x00asm\x0d\x00\x01\x00")); err == nil ||
		!strings.Contains(err.Error(), "a WebAssembly component, not a core module; build a core module") {
		t.Error(err)
	}
}

// FuzzCompile: no input ends the process, or takes more memory than its size explains.
func FuzzCompile(f *testing.F) {
	for _, module := range modules(f, 4<<10) {
		f.Add(module)
	}
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
	f.Fuzz(func(t *testing.T, module []byte) { _ = compile(t, r, module) })
}
