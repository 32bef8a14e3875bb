package doctor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/exgate/exgate/cmd/exgate/internal/certtest"
	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/cmd/exgate/internal/doctor"
	"github.com/exgate/exgate/cmd/exgate/internal/service"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/wasm-examples/line"
)

const listener = "listeners: {a: {bind: '%s', handler: {wasm: builtin:line}}}"

func TestAddressesInUse(t *testing.T) {
	taken := listen(t, func(net.Conn) {})
	expect(t, configured(t, fmt.Sprintf(listener, taken)), doctor.Problem, "listeners.a.bind", taken+" is in use")
	handler := serveGRPC(t, unaryHandler)
	expect(t, configured(t, fmt.Sprintf(listener, handler)), doctor.Problem, "listeners.a.bind",
		"listens on "+handler+", which is for devices; if it is the handler")
	expect(t, configured(t, fmt.Sprintf(listener, gatewaytest.FreeAddress(t))), doctor.Well, "listeners.a.bind",
		"is free")
	expect(t, configured(t, fmt.Sprintf(listener, "192.0.2.1:7993")), doctor.Problem, "listeners.a.bind",
		"no network interface of this machine has the address")

	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	device := fmt.Sprintf("listeners: {a: {type: udp, bind: '%s', handler: {wasm: builtin:line}}}", udp.LocalAddr())
	expect(t, configured(t, device), doctor.Problem, "listeners.a.bind", "is in use")
}

// The listeners of modules are checked like those of the configuration, except where they collide with each other.
func TestModuleListeners(t *testing.T) {
	modules := func(binds ...string) *config.Config {
		folder := t.TempDir()
		for i, bind := range binds {
			file := filepath.Join(folder, fmt.Sprint("m", i))
			err := errors.Join(os.WriteFile(file+".wasm", line.Module, 0o600),
				os.WriteFile(file+".yaml", []byte("listener: {bind: '"+bind+"'}\n"), 0o600))
			if err != nil {
				t.Fatal(err)
			}
		}
		return configured(t, "modules: "+folder)
	}
	taken, free := listen(t, func(net.Conn) {}), gatewaytest.FreeAddress(t)
	expect(t, modules(taken), doctor.Problem, "listener.bind", taken+" is in use")
	expect(t, modules(free), doctor.Well, "listener.bind", free+" is free")
	expect(t, modules(free, free), doctor.Problem, "listener.bind", free+" is taken by listener.bind (")
}

// More connections than this process may open files are a warning.
func TestConnectionsBeyondTheLimitOnFiles(t *testing.T) {
	cfg := configured(t, "max_connections: 2147483647\n"+fmt.Sprintf(listener, gatewaytest.FreeAddress(t)))
	expect(t, cfg, doctor.Warning, "max_connections", "2147483647 connections are too many")
}

func TestUnixSockets(t *testing.T) {
	folder, err := os.MkdirTemp("", "exgate") // short, because socket paths are limited
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "s")
	cfg := configured(t, fmt.Sprintf(listener, "unix:"+path))
	expect(t, cfg, doctor.Well, "listeners.a.bind", "is free")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, cfg, doctor.Problem, "listeners.a.bind", "is in use")
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = l.Close()
	expect(t, cfg, doctor.Well, "listeners.a.bind", "is free") // the file stays behind
	expect(t, configured(t, fmt.Sprintf(listener, "unix:/no/such/folder/s")), doctor.Problem, "listeners.a.bind",
		"no such file or directory")
}

// run runs the gateway of a configuration until the test ends.
func run(t *testing.T, cfg *config.Config) {
	t.Helper()
	s, err := service.Start(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
}

func TestGatewayThatRuns(t *testing.T) {
	handler, metrics, device, adapter := serveGRPC(t, unaryHandler), gatewaytest.FreeAddress(t),
		gatewaytest.FreeAddress(t), gatewaytest.FreeAddress(t)
	text := fmt.Sprintf("listeners: {a: {bind: '%s', handler: {grpc: '%s'}}}\nadapter: {bind: '%s'}\n", device, handler,
		adapter)

	byHealth := configured(t, text+"metrics: {bind: '"+metrics+"'}")
	run(t, byHealth)
	expect(t, byHealth, doctor.Well, "process", "it answers on metrics.bind")
	expect(t, byHealth, doctor.Well, "listeners.a.bind", "the gateway listens on "+device)
	byAdapter := configured(t, text)
	expect(t, byAdapter, doctor.Well, "process", "it answers on adapter.bind")
	expect(t, byAdapter, doctor.Well, "adapter.bind", "the adapter answers at "+adapter)

	pidFile := filepath.Join(t.TempDir(), "pid")
	if err := os.WriteFile(pidFile, []byte(fmt.Sprintln(os.Getpid())), 0o600); err != nil {
		t.Fatal(err)
	}
	byFile := configured(t, text+"pid_file: "+pidFile)
	expect(t, byFile, doctor.Well, "process", fmt.Sprintf("process %d, from pid_file", os.Getpid()))

	cert, key := certtest.Files(t, t.TempDir())
	changed := fmt.Sprintf("listeners: {a: {bind: '%s', handler: {grpc: '%s'}}}\nadapter: {bind: '%s', tls: {cert: "+
		"'%s', key: '%s'}}\npid_file: %s\n",
		device, handler, adapter, cert, key, pidFile)
	expect(t, configured(t, changed), doctor.Problem, "adapter.bind", "does not answer as configured")
}

func TestSecureAdapterThatRuns(t *testing.T) {
	cert, key := certtest.Files(t, t.TempDir())
	handler, metrics := serveGRPC(t, unaryHandler), gatewaytest.FreeAddress(t)
	cfg := configured(t, fmt.Sprintf("listeners: {a: {bind: '%s', handler: {grpc: '%s'}}}\nmetrics: {bind: "+
		"'%s'}\nadapter: {bind: '%s', tls: {cert: '%s', key: '%s', client_ca: '%s'}}\n",
		gatewaytest.FreeAddress(t), handler, metrics, gatewaytest.FreeAddress(t), cert, key, cert))
	run(t, cfg)
	expect(t, cfg, doctor.Well, "adapter.bind", "the adapter answers at")
}

func TestJSON(t *testing.T) {
	findings := doctor.Examine(t.Context(), handled(t, "grpc: %q", gatewaytest.FreeAddress(t)))
	var out bytes.Buffer
	if err := doctor.PrintJSON(&out, findings); err != nil {
		t.Fatal(err)
	}
	var got struct{ Findings []doctor.Finding }
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || len(got.Findings) != len(findings) {
		t.Fatalf("%v: %s", err, &out)
	}
	for i, f := range findings {
		if got.Findings[i] != f {
			t.Errorf("%+v, want %+v", got.Findings[i], f)
		}
	}
}
