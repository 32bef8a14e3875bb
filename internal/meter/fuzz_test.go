package meter

import (
	"context"
	"runtime"
	"testing"

	"github.com/exgate/exgate/internal/wasmtest"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

func seeds(f *testing.F) {
	for _, b := range guests(f) {
		f.Add(b)
	}
	f.Add(wasmtest.Guest().Bytes())
	f.Add(one(0x41, 0, 0x41, 7, 0x20, 0, 0xfc, 11, 0, 0x20, 0, 0x0b))
	f.Add(one(0x20, 0, 0x40, 0, 0x0b))
	f.Add(one(0x03, 0x40, 0x20, 0, 0x0d, 0, 0x0b, 0xfd, 0x0c, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
		0xfd, 0x1b, 0, 0x0b))
}

// FuzzRewriteIsBounded: no input panics or makes the reading reserve much more than its own size.
func FuzzRewriteIsBounded(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, wasm []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _ = Rewrite(wasm, options)
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20+200*uint64(len(wasm)) {
			t.Errorf("%d bytes for a module of %d", got, len(wasm))
		}
	})
}

// FuzzRewriteKeepsValidity: what wazero takes and is rewritten, wazero takes again, and only that.
func FuzzRewriteKeepsValidity(f *testing.F) {
	seeds(f)
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx,
		wazero.NewRuntimeConfig().WithCoreFeatures(api.CoreFeaturesV2).WithMemoryLimitPages(options.MemoryPages))
	f.Fuzz(func(t *testing.T, wasm []byte) {
		metered, err := Rewrite(wasm, options)
		if err != nil {
			return
		}
		before, errBefore := r.CompileModule(ctx, wasm)
		after, errAfter := r.CompileModule(ctx, metered.Module)
		if errBefore == nil && errAfter != nil {
			t.Errorf("wazero refuses the rewritten module: %v", errAfter)
		}
		if errBefore != nil && errAfter == nil {
			t.Logf("only the rewritten module is valid: %v", errBefore)
		}
		for _, m := range []wazero.CompiledModule{before, after} {
			if m != nil {
				_ = m.Close(ctx)
			}
		}
	})
}

// FuzzBody: what wazero takes as a function body, it takes rewritten, and the function ends when its fuel does.
func FuzzBody(f *testing.F) {
	f.Add([]byte{0x20, 0, 0x0b})
	f.Add([]byte{0x03, 0x40, 0x20, 0, 0x0d, 0, 0x0b, 0x20, 0, 0x0b})
	f.Add([]byte{0x41, 0, 0x41, 7, 0x20, 0, 0xfc, 11, 0, 0x20, 0, 0x0b})
	f.Add([]byte{0x20, 0, 0x40, 0, 0x0b})
	f.Add([]byte{0x20, 0, 0x10, 0, 0x0b})
	f.Add([]byte{0xd0, 0x70, 0x20, 0, 0xfc, 15, 0, 0x0b})
	f.Add([]byte{0x20, 0, 0x41, 0, 0x11, 0, 0, 0x0b})
	f.Add([]byte{0x20, 0, 0xfd, 0x11, 0xfd, 0xae, 0x01, 0xfd, 0x1b, 0, 0x0b})
	ctx := context.Background()
	config := wazero.NewRuntimeConfig().WithCoreFeatures(api.CoreFeaturesV2).WithMemoryLimitPages(8)
	f.Fuzz(func(t *testing.T, body []byte) {
		r := wazero.NewRuntimeWithConfig(ctx, config)
		defer func() { _ = r.Close(ctx) }()
		wasm := one(body...)
		_, errBefore := r.CompileModule(ctx, wasm)
		metered, err := Rewrite(wasm, options)
		if err != nil {
			return
		}
		m, err := r.Instantiate(ctx, metered.Module)
		if err != nil {
			if errBefore == nil {
				t.Errorf("wazero refuses the rewritten module: %v", err)
			}
			return
		}
		in := instance{m, m.ExportedGlobal(FuelGlobal).(api.MutableGlobal), m.ExportedGlobal(RefusedGlobal)}
		const fuel = 10_000
		if used, _, err := in.spend(fuel, "f", 3); used < 1 || used > fuel && err == nil {
			t.Errorf("used %d, %v", used, err)
		}
	})
}
