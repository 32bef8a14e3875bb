package wasm

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/exgate/exgate/hostabi/manifest"
	"github.com/exgate/exgate/internal/wasmtest"
)

// A manifest is checked when a module is loaded. Limits that it wants are not granted.
func TestManifest(t *testing.T) {
	module, err := manifest.Set(wasmtest.Guest().Bytes(), []byte(`{
		"name": "meter", "version": "1", "config": {"required": ["site"]}, "limits": {"memory_pages": 1024, "fuel": 1}
	}`))
	if err != nil {
		t.Fatal(err)
	}
	var log syncBuffer
	c := Config{
		Name: "test", Module: module, GuestConfig: []byte(`{"site": "a"}`), Shards: 1,
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	}
	e := engine(t, c)
	if e.Manifest().Name != "meter" || e.config.Limits.MemoryPages != 256 ||
		!strings.Contains(log.String(), `limits="memory_pages: 1024"`) {
		t.Errorf("%+v, %d pages\n%s", e.Manifest(), e.config.Limits.MemoryPages, log.String())
	}
	if got := (Limits{MemoryPages: 1024}).BeyondLimits(e.Manifest()); !slices.Equal(got, nil) {
		t.Errorf("allowed limits: %q", got)
	}
	c.GuestConfig = nil
	_, err = New(t.Context(), c)
	if wrong, ok := errors.AsType[*manifest.ConfigError](err); !ok || len(wrong.Problems) != 1 {
		t.Errorf("without its configuration: %v", err)
	}
	c.Module = wasmtest.Section(module, 0, []byte("\x06exgate{}"))
	if _, err := New(t.Context(), c); err == nil || !strings.Contains(err.Error(), "2 sections named exgate") {
		t.Errorf("two manifests: %v", err)
	}
	if engine(t, Config{Module: wasmtest.Guest().Bytes(), Shards: 1}).Manifest() != nil {
		t.Error("a module without a manifest has one")
	}
}
