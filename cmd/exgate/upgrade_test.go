package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/exgate/exgate/cmd/exgate/internal/certtest"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// elsewhere configures a broker that is not needed before a login.
func elsewhere(address string) string {
	return fmt.Sprintf("upstream: {url: mqtt://127.0.0.1:1}\nlisteners: {line: {bind: %q, handler: {wasm: "+
		"builtin:line}}}\n", address)
}

// connecting connects devices in a few goroutines until stop is called. stop returns the number of served devices.
func connecting(t testing.TB, network, address string, use func(*lineDevice) error) (stop func() int64) {
	var served atomic.Int64
	done := make(chan struct{})
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				d, err := dialLine(network, address)
				if err != nil {
					t.Errorf("after %d devices: %v", served.Load(), err)
					return
				}
				if err := use(d); err != nil {
					t.Errorf("after %d devices: %v", served.Load(), err)
				}
				_ = d.Close()
				served.Add(1)
			}
		})
	}
	return func() int64 {
		close(done)
		clients.Wait()
		return served.Load()
	}
}

// During three upgrades every new connection is served, and existing ones continue.
func TestUpgradeRefusesNobody(t *testing.T) {
	for _, network := range []string{"tcp", "tls"} {
		t.Run(network, func(t *testing.T) { refusesNobody(t, network) })
	}
}

func refusesNobody(t *testing.T, network string) {
	address := gatewaytest.FreeAddress(t)
	cert, key := certtest.Files(t, t.TempDir())
	g := newGate(t, fmt.Sprintf("upstream: {url: mqtt://127.0.0.1:1}\nlisteners:\n"+
		"  line: {type: %s, bind: %q, handler: {wasm: builtin:line}, tls: {cert: %s, key: %s}}\n", network, address,
		cert, key))
	if network == "tcp" {
		g.configure(elsewhere(address))
	}
	g.start(nil)
	stop := connecting(t, network, address, (*lineDevice).ping)
	var devices []*lineDevice
	for range 3 {
		d := newLineDevice(t, network, address)
		devices = append(devices, d)
		g.mustUpgrade()
	}
	t.Logf("%d devices were served", stop())
	for i, d := range devices {
		if err := d.ping(); err != nil {
			t.Errorf("the device of process %d: %v", i+1, err)
		}
		_ = d.Close()
	}
}

// With the embedded broker devices move at once, so that all of them use one broker.
func TestUpgradeWithTheEmbeddedBroker(t *testing.T) {
	address, broker := gatewaytest.FreeAddress(t), gatewaytest.FreeAddress(t)
	g := newGate(t, fmt.Sprintf("upstream: {embedded: {bind: %q}}\nlisteners: {line: {bind: %q, handler: {wasm: "+
		"builtin:line}}}\n", broker, address))
	g.start(nil)
	stop := connecting(t, "tcp", address, func(*lineDevice) error { return nil })
	stays := newLineDevice(t, "tcp", address)
	for range 3 {
		g.mustUpgrade()
	}
	t.Logf("%d devices were greeted", stop())
	if err := stays.ping(); err == nil {
		t.Error("a device stayed with the old broker")
	}
	if c, err := net.Dial("tcp", broker); err != nil {
		t.Error(err)
	} else {
		_ = c.Close()
	}
}

// SIGUSR2 works like exgate upgrade, and SIGTERM ends the last process and removes its pid file.
func TestUpgradeBySignal(t *testing.T) {
	address := gatewaytest.FreeAddress(t)
	g := newGate(t, elsewhere(address))
	g.start(nil)
	before := g.pid()
	if err := syscall.Kill(before, syscall.SIGUSR2); err != nil {
		t.Fatal(err)
	}
	g.awaitOther(before)
	d := newLineDevice(t, "tcp", address)
	if err := d.ping(); err != nil {
		t.Error(err)
	}
	if err := syscall.Kill(g.pid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-g.ended
	if _, err := os.Stat(filepath.Join(g.folder, "exgate.pid")); !os.IsNotExist(err) {
		t.Errorf("the pid file is left: %v", err)
	}
}

// With a gRPC handler devices move at once, too, because calls of the handler must reach the process with the device.
func TestUpgradeWithAHandlerElsewhere(t *testing.T) {
	address := gatewaytest.FreeAddress(t)
	adapter := gatewaytest.FreeAddress(t)
	g := newGate(t, fmt.Sprintf("upstream: {url: mqtt://127.0.0.1:1}\nadapter: {bind: %q}\nlisteners:\n"+
		"  line: {bind: %q, handler: {wasm: builtin:line}}\n  far: {bind: 127.0.0.1:0, handler: {grpc: 127.0.0.1:1}}\n",
		adapter, address))
	g.start(nil)
	d := newLineDevice(t, "tcp", address)
	g.mustUpgrade()
	if err := d.ping(); err == nil {
		t.Error("a device stayed")
	}
	if c, err := net.Dial("tcp", adapter); err != nil {
		t.Error(err)
	} else {
		_ = c.Close()
	}
}
