package guesttest

import (
	"context"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/exgate/exgate/hostabi"
	"github.com/exgate/exgate/hostabi/sdk/script"
)

// memoryPages is the gateway's default memory limit, in pages of 64 KiB.
const memoryPages = 256

// bufferSize is the gateway's default limit for the body of an event, in bytes.
const bufferSize = 64 << 10

// compiled caches compiled code for the next Load of the same module.
var compiled = wazero.NewCompilationCache()

// Guest is one running instance of a module.
type Guest struct {
	*Host
	t      testing.TB
	ctx    context.Context
	module api.Module
	buffer uint32
}

// Config configures Load.
type Config struct {
	// Config is the module's own configuration.
	Config string
	// MemoryPages limits the memory, in pages of 64 KiB. If zero, 256, the gateway's default.
	MemoryPages uint32
}

// Load checks and starts a module, and closes it when the test ends.
func Load(t testing.TB, module []byte, cfg Config) *Guest {
	t.Helper()
	g, code := TryLoad(t, module, cfg)
	if code != 0 {
		t.Fatalf("the guest refused its configuration %q with %d", cfg.Config, code)
	}
	return g
}

// TryLoad is Load, but returns the result of exproto_v1_init.
func TryLoad(t testing.TB, module []byte, cfg Config) (*Guest, int32) {
	t.Helper()
	if cfg.MemoryPages == 0 {
		cfg.MemoryPages = memoryPages
	}
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx,
		wazero.NewRuntimeConfig().WithMemoryLimitPages(cfg.MemoryPages).WithCompilationCache(compiled))
	t.Cleanup(func() { must(t, r.Close(ctx)) })
	must(t, hostabi.Instantiate(ctx, r))
	wasi_snapshot_preview1.MustInstantiate(ctx, r)
	config := []byte(cfg.Config)
	if s, ok := script.Of(module); ok {
		module, config = script.Guest(), s.Config(config, script.Budget{})
	}
	code, err := r.CompileModule(ctx, module)
	must(t, err)
	must(t, hostabi.Check(code))
	g := &Guest{Host: newHost(), t: t}
	g.ctx = hostabi.WithHost(ctx, g.Host)
	g.module, err = r.InstantiateModule(g.ctx, code, moduleConfig(t))
	must(t, err)
	g.buffer = uint32(g.call(hostabi.ExportBuffer, bufferSize))
	return g, int32(g.call(hostabi.ExportInit, g.put(config)...))
}

func moduleConfig(t testing.TB) wazero.ModuleConfig {
	return wazero.NewModuleConfig().WithStartFunctions(hostabi.ExportInitialize).
		WithStdout(t.Output()).WithStderr(t.Output()).WithSysWalltime().WithSysNanotime()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (g *Guest) call(export string, params ...uint64) uint64 {
	g.t.Helper()
	result, err := g.tryCall(export, params...)
	must(g.t, err)
	return result
}

func (g *Guest) tryCall(export string, params ...uint64) (uint64, error) {
	results, err := g.module.ExportedFunction(export).Call(g.ctx, params...)
	if err != nil {
		return 0, err
	}
	return results[0], nil
}

// put writes a body into the guest's buffer and returns its pointer and length.
func (g *Guest) put(body []byte) []uint64 {
	g.t.Helper()
	if !g.module.Memory().Write(g.buffer, body) {
		g.t.Fatalf("the guest's buffer has no room for %d bytes", len(body))
	}
	return []uint64{uint64(g.buffer), uint64(len(body))}
}

// Using makes g report to t from now on. A fuzz target needs it, because its guest outlives each run.
func (g *Guest) Using(t testing.TB) { g.t = t }

// MemoryPages returns the current size of the memory, in pages of 64 KiB.
func (g *Guest) MemoryPages() uint32 { return g.module.Memory().Size() / (64 << 10) }

// Bytes delivers bytes from the device.
func (g *Guest) Bytes(conn int64, b string) hostabi.Action {
	g.t.Helper()
	params := append([]uint64{uint64(conn)}, g.put([]byte(b))...)
	return hostabi.Action(g.call(hostabi.ExportBytes, params...))
}

// TryBytes is Bytes for a guest that may trap. Do not use the guest after it has.
func (g *Guest) TryBytes(conn int64, b string) error {
	g.t.Helper()
	params := append([]uint64{uint64(conn)}, g.put([]byte(b))...)
	_, err := g.tryCall(hostabi.ExportBytes, params...)
	return err
}

// Event delivers an event with an encoded body.
func (g *Guest) Event(kind hostabi.Kind, conn, arg int64, body []byte) hostabi.Action {
	g.t.Helper()
	params := append([]uint64{uint64(kind), uint64(conn), uint64(arg)}, g.put(body)...)
	return hostabi.Action(g.call(hostabi.ExportEvent, params...))
}

// Created opens a connection.
func (g *Guest) Created(conn int64, info hostabi.ConnInfo) hostabi.Action {
	g.t.Helper()
	return g.Event(hostabi.KindCreated, conn, 0, hostabi.AppendConnInfo(nil, info))
}

// Closed ends a connection.
func (g *Guest) Closed(conn int64, reason string) {
	g.t.Helper()
	g.Event(hostabi.KindClosed, conn, 0, []byte(reason))
}

// Timer delivers the keepalive timeout.
func (g *Guest) Timer(conn int64) hostabi.Action {
	g.t.Helper()
	return g.Event(hostabi.KindTimer, conn, 0, nil)
}

// Alarm delivers the alarm of a timer of set_timer.
func (g *Guest) Alarm(conn int64, id uint32) hostabi.Action {
	g.t.Helper()
	return g.Event(hostabi.KindAlarm, conn, int64(id), nil)
}

// Messages delivers a batch of messages.
func (g *Guest) Messages(conn int64, messages ...hostabi.Message) hostabi.Action {
	g.t.Helper()
	var body []byte
	for _, m := range messages {
		body = hostabi.AppendMessage(body, m)
	}
	return g.Event(hostabi.KindMessages, conn, int64(len(messages)), body)
}

// LoggedIn delivers the result of an authenticate that succeeded, with the state of the device.
func (g *Guest) LoggedIn(conn, token int64, state []byte) hostabi.Action {
	g.t.Helper()
	return g.Event(hostabi.KindResult, conn, token,
		hostabi.AppendState(hostabi.AppendCodeResponse(nil, hostabi.CodeSuccess, ""), state))
}

// Result delivers the result of a call.
func (g *Guest) Result(conn, token int64, code hostabi.Code, message string) hostabi.Action {
	g.t.Helper()
	return g.Event(hostabi.KindResult, conn, token, hostabi.AppendCodeResponse(nil, code, message))
}

// Drain announces that the gateway stops.
func (g *Guest) Drain(conn int64) hostabi.Action {
	g.t.Helper()
	return g.Event(hostabi.KindDrain, conn, 0, nil)
}
