package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/wasm-examples/line"
)

// Sockets of modules are handed over like those of the configuration, and devices stay with their process and version.
func TestUpgradeWithModules(t *testing.T) {
	address, folder := gatewaytest.FreeAddress(t), t.TempDir()
	for name, data := range map[string][]byte{
		"line.wasm": line.Module,
		"line.yaml": fmt.Appendf(nil, "listener: {bind: %q}\n", address),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	g := newGate(t, "upstream: {url: mqtt://127.0.0.1:1}\nmodules: "+folder+"\n")
	g.start(nil)
	stop := connecting(t, "tcp", address, (*lineDevice).ping)
	stays := newLineDevice(t, "tcp", address)
	for range 2 {
		g.mustUpgrade()
	}
	t.Logf("%d devices were served", stop())
	if err := stays.ping(); err != nil {
		t.Error(err)
	}
}
