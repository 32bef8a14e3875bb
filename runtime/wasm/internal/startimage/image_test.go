package startimage

import (
	"context"
	"strings"
	"testing"

	"github.com/exgate/exgate/internal/wasmtest"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// counter is a module with a mutable global that it exports, and a function that adds 1 to it and to the memory's first
// byte, and grows the memory by a page.
func counter() wasmtest.Module {
	return wasmtest.Module{
		Pages: 1, Globals: []byte{1, wasmtest.I64, 1, 0x42, 5, 0x0b}, Exports: append(wasmtest.Name(nil, "g"), 3, 0),
		Extra: 1,
		Funcs: []wasmtest.Func{{Export: "count", Results: []byte{wasmtest.I32}, Code: []byte{
			0x23, 0, 0x42, 1, 0x7c, 0x24, 0, // g = g + 1
			0x41, 0, 0x41, 0, 0x2d, 0, 0, 0x41, 1, 0x6a, 0x3a, 0, 0, // the byte at 0
			0x41, 1, 0x40, 0, 0x0b, // memory.grow
		}}},
	}
}

// module returns what instantiates m, in memories of at most so many pages.
func module(t *testing.T, m wasmtest.Module, pages uint32) func(context.Context) (api.Module, error) {
	t.Helper()
	r := wazero.NewRuntimeWithConfig(t.Context(), wazero.NewRuntimeConfig().WithMemoryLimitPages(pages))
	t.Cleanup(func() { _ = r.Close(context.Background()) })
	code, err := r.CompileModule(t.Context(), m.Bytes())
	must(t, err)
	return func(ctx context.Context) (api.Module, error) {
		return r.InstantiateModule(ctx, code, wazero.NewModuleConfig().WithName(""))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// count calls the module and returns its state: the global, the first byte, the pages of its memory.
func count(t *testing.T, m api.Module) [3]uint64 {
	t.Helper()
	_, err := m.ExportedFunction("count").Call(t.Context())
	must(t, err)
	b, _ := m.Memory().ReadByte(0)
	return [3]uint64{m.ExportedGlobal("g").Get(), uint64(b), uint64(m.Memory().Size() / pageBytes)}
}

func capture(t *testing.T, instantiate func(context.Context) (api.Module, error)) *Image {
	t.Helper()
	first, err := instantiate(t.Context())
	must(t, err)
	count(t, first)
	count(t, first)
	image, err := Capture(first, []string{"g"})
	must(t, err)
	must(t, first.Close(t.Context()))
	return image
}

// Clones begin where the first instance was, and share nothing that they change.
func TestClonesBeginAsTheImageAndGoTheirOwnWay(t *testing.T) {
	instantiate := module(t, counter(), 8)
	image := capture(t, instantiate)
	one, err := image.Clone(t.Context(), instantiate)
	must(t, err)
	for n := range uint64(3) {
		if got, want := count(t, one), [3]uint64{8 + n, 3 + n, 4 + n}; got != want {
			t.Errorf("call %d: %v, want %v", n, got, want)
		}
	}
	two, err := image.Clone(t.Context(), instantiate)
	must(t, err)
	must(t, image.Close())
	must(t, one.Close(t.Context()))
	if got, want := count(t, two), [3]uint64{8, 3, 4}; got != want {
		t.Errorf("the second clone, after the image: %v, want %v", got, want)
	}
	must(t, two.Close(t.Context()))
}

// Memory that the image has not is zero, and ends at the limit.
func TestCloneGrowsToItsLimit(t *testing.T) {
	instantiate := module(t, counter(), 5)
	image := capture(t, instantiate)
	defer func() { must(t, image.Close()) }()
	m, err := image.Clone(t.Context(), instantiate)
	must(t, err)
	memory := m.Memory()
	if _, ok := memory.Grow(2); !ok {
		t.Fatal("it does not grow to 5 pages")
	}
	b, _ := memory.Read(3*pageBytes, 2*pageBytes)
	for i := range b {
		if b[i] != 0 {
			t.Fatalf("byte %d of what is new is %d", i, b[i])
		}
		b[i] = 1
	}
	if _, ok := memory.Grow(1); ok {
		t.Error("it grows above the limit")
	}
	must(t, m.Close(t.Context()))
}

func TestCloneThatCannotBe(t *testing.T) {
	image := capture(t, module(t, counter(), 8))
	defer func() { must(t, image.Close()) }()
	small := counter()
	small.Exports, small.Extra = nil, 0
	for want, instantiate := range map[string]func(context.Context) (api.Module, error){
		"an image of 196608 bytes for a memory of at most 131072": panicking(module(t, counter(), 2)),
		"the clone exports no mutable global g":                   module(t, small, 8),
	} {
		if _, err := image.Clone(t.Context(), instantiate); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// panicking turns the panic of an allocation into an error, as callers of Clone do.
func panicking(f func(context.Context) (api.Module, error)) func(context.Context) (api.Module, error) {
	return func(ctx context.Context) (m api.Module, err error) {
		defer func() {
			if p := recover(); p != nil {
				err, _ = p.(error)
			}
		}()
		return f(ctx)
	}
}

func TestCaptureWantsTheGlobals(t *testing.T) {
	m, err := module(t, counter(), 8)(t.Context())
	must(t, err)
	if _, err := Capture(m, []string{"h"}); err == nil ||
		!strings.Contains(err.Error(), "exports no mutable global h") {
		t.Errorf("got %v", err)
	}
}
