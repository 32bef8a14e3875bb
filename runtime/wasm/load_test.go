package wasm

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/exgate/exgate/internal/wasmtest"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// A loop without end.
var spin = []byte{0x03, 0x40, 0x0c, 0, 0x0b, 0x0b}

func TestModulesThatAreRefused(t *testing.T) {
	guest := wasmtest.Guest()
	echo := file(t, "echo")
	missing := guest
	missing.Funcs = missing.Funcs[:3]
	wrong := guest
	wrong.Funcs = append([]wasmtest.Func(nil), guest.Funcs...)
	wrong.Funcs[2].Params = []byte{wasmtest.I32, wasmtest.I32}
	foreign := guest
	foreign.Imports = []wasmtest.Import{{Module: "env", Name: "open"}}
	unknown := guest
	unknown.Imports = []wasmtest.Import{{Module: "exproto_v1", Name: "reboot"}}
	badImport := guest
	badImport.Imports = []wasmtest.Import{
		{Module: "exproto_v1", Name: "resume", Params: []byte{wasmtest.I32}, Results: []byte{wasmtest.I32}},
	}
	badWASI := guest
	badWASI.Imports = []wasmtest.Import{{Module: "wasi_snapshot_preview1", Name: "fd_fly"}}
	start := guest
	start.Funcs = append(append([]wasmtest.Func(nil), guest.Funcs...), wasmtest.Func{Code: spin})
	start.Start = len(guest.Funcs)
	initialize := guest
	initialize.Funcs = append(
		append([]wasmtest.Func(nil), guest.Funcs...),
		wasmtest.Func{Export: "_initialize", Code: spin},
	)
	badInitialize := guest
	badInitialize.Funcs = append(append([]wasmtest.Func(nil), guest.Funcs...),
		wasmtest.Func{Export: "_initialize", Params: []byte{wasmtest.I32}, Code: []byte{0x0b}})
	hugeMemory, hugeTable, manyLocals := guest, guest, guest
	hugeMemory.Pages = 257
	hugeTable.Table = 100_001
	manyLocals.Funcs = append(append([]wasmtest.Func(nil), guest.Funcs...), wasmtest.Func{
		Locals: []byte{1, 0xff, 0xff, 0xff, 0xff, 0x0f, wasmtest.I32}, Code: []byte{0x0b},
	})
	exporter := guest
	exporter.Globals = []byte{1, wasmtest.I64, 1, 0x42, 0, 0x0b}
	exporter.Exports, exporter.Extra = append(wasmtest.Name(nil, "exgate_fuel"), 3, 0), 1

	for _, c := range []struct {
		name   string
		module []byte
		want   string
	}{
		{"garbage", []byte("#!/bin/sh\n"), `does not begin with \0asm`},
		{"text", []byte("(module)"), `does not begin with \0asm; it is WebAssembly text: compile it`},
		{"a component", []byte{0, 'a', 's', 'm', 13, 0, 1, 0}, "build a core module"},
		{"truncated", echo[:len(echo)/2], "bytes announced"},
		{"nothing in it", echo[:8], `does not export its memory as "memory"`},
		{"a missing export", missing.Bytes(), "does not export exproto_v1_event(i32, i64, i64, i32, i32) -> i32"},
		{
			"a wrong signature", wrong.Bytes(),
			"exports exproto_v1_bytes with (i32, i32) -> i32, want (i64, i32, i32) -> i32",
		},
		{
			"a foreign import", foreign.Bytes(),
			`imports open from "env": only exproto_v1 and wasi_snapshot_preview1 are provided`,
		},
		{"an unknown import", unknown.Bytes(), "imports reboot from exproto_v1, which has no such function"},
		{"a wrong import", badImport.Bytes(), "imports resume with (i32) -> i32, want (i64) -> i32"},
		{
			"an unknown WASI import", badWASI.Bytes(),
			"imports fd_fly from wasi_snapshot_preview1, which has no such function",
		},
		{"a start function that loops", start.Bytes(), "exgate_start: guest_out_of_fuel"},
		{"_initialize that loops", initialize.Bytes(), "_initialize: guest_out_of_fuel"},
		{"_initialize with a parameter", badInitialize.Bytes(), "exports _initialize with (i32), want ()"},
		{"a huge memory", hugeMemory.Bytes(), "a memory of 257 pages of 64 KiB: the limit is 256"},
		{"a huge table", hugeTable.Bytes(), "a table of 100001 elements: the limit is 100000"},
		{"four billion locals", manyLocals.Bytes(), "more than 4096 locals"},
		{
			"an export of the host's name", exporter.Bytes(),
			`exports "exgate_fuel": names that begin with "exgate_" are the host's`,
		},
		{"a trap in buffer", guest.With("exproto_v1_buffer", 0, 0x0b).Bytes(), "exproto_v1_buffer: guest_trap"},
		{"no buffer", guest.With("exproto_v1_buffer", 0x41, 0, 0x0b).Bytes(), "exproto_v1_buffer refuses 65536 bytes"},
		{
			"a buffer outside", guest.With("exproto_v1_buffer", 0x41, 0x7f, 0x0b).Bytes(),
			"exproto_v1_buffer returned 0xffffffff for 65536 bytes, which is outside",
		},
		{"a trap in init", guest.With("exproto_v1_init", 0, 0x0b).Bytes(), "exproto_v1_init: guest_trap"},
		{
			"a loop in init", guest.With("exproto_v1_init", append(spin[:len(spin)-1:len(spin)-1], 0, 0x0b)...).Bytes(),
			"exproto_v1_init: guest_out_of_fuel",
		},
		{"init that refuses", guest.With("exproto_v1_init", 0x41, 4, 0x0b).Bytes(), "exproto_v1_init returned 4"},
		{"a body that is not valid", guest.With("exproto_v1_init", 0x0b).Bytes(), "compiling the module"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := New(t.Context(), Config{Name: "door", Module: c.module, Shards: 1, Logger: quiet})
			if err == nil {
				_ = e.Close(t.Context())
				t.Fatal("it was taken")
			}
			if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "wasm handler door") {
				t.Errorf("the error is\n%v\nand has not %q", err, c.want)
			}
		})
	}
}

// Without our parser, wazero would reserve 34 GB for this module of 30 bytes.
func TestFourBillionLocalsReserveNothing(t *testing.T) {
	module := []byte{
		0, 'a', 's', 'm', 1, 0, 0, 0,
		1, 4, 1, 0x60, 0, 0,
		3, 2, 1, 0,
		10, 10, 1, 8, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x7f, 0x0b,
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := New(t.Context(), Config{Name: "test", Module: module, Logger: quiet})
	runtime.ReadMemStats(&after)
	if err == nil || !strings.Contains(err.Error(), "more than 4096 locals") {
		t.Errorf("got %v", err)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
		t.Errorf("%d bytes were allocated", got)
	}
}

func TestConfigurationOfTheGuest(t *testing.T) {
	_, err := New(
		t.Context(),
		Config{Name: "test", Module: file(t, "scenario"), GuestConfig: []byte("!"), Logger: quiet},
	)
	if err == nil || !strings.Contains(err.Error(), "refused its configuration: exproto_v1_init returned 7") {
		t.Errorf("got %v", err)
	}
	_, err = New(
		t.Context(),
		Config{Name: "test", Module: file(t, "scenario"), GuestConfig: make([]byte, 70_000), Logger: quiet},
	)
	if err == nil || !strings.Contains(err.Error(), "limit event_bytes") {
		t.Errorf("got %v", err)
	}
	if _, err = New(t.Context(), Config{Name: "test"}); err == nil {
		t.Error("no module, no error")
	}
}

func TestImpossibleLimits(t *testing.T) {
	for _, c := range []Config{
		{Shards: -1},
		{Limits: Limits{MemoryPages: 65_537}},
		{Limits: Limits{HostCalls: -1}},
		{Limits: Limits{WallTime: -1}},
	} {
		c.Name, c.Module = "test", file(t, "echo")
		if _, err := New(t.Context(), c); err == nil {
			t.Errorf("%+v: taken", c.Limits)
		}
	}
}

func TestCompilationCache(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "cache")
	for range 2 {
		gatewaytest.Connect(t, engine(t, Config{Module: file(t, "echo"), CacheDir: dir, Shards: 1}))
	}
	var files []string
	_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, _ error) error {
		if !d.IsDir() {
			files = append(files, path)
		}
		return nil
	})
	if len(files) == 0 {
		t.Fatal("nothing was kept")
	}
	for _, f := range files {
		must(t, os.WriteFile(f, []byte("damaged"), 0o600))
	}
	gatewaytest.Connect(t, engine(t, Config{Module: file(t, "echo"), CacheDir: dir, Shards: 1}))

	notADir := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(notADir, nil, 0o600))
	gatewaytest.Connect(t, engine(t, Config{Module: file(t, "echo"), CacheDir: notADir, Shards: 1}))
}
