package conformance

import (
	"context"
	"errors"
	"fmt"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"

	"github.com/exgate/exgate/hostabi"
)

// Plain runs a guest directly on wazero: its memory is limited, nothing is metered. exgate's own engine is another
// [Host].
type Plain struct {
	runtime wazero.Runtime
	code    wazero.CompiledModule
}

var _ Host = (*Plain)(nil)

// NewPlain compiles a module. memoryPages limits the memory, in pages of 64 KiB; if zero, 256. An error says why the
// module is not a guest.
func NewPlain(ctx context.Context, module []byte, memoryPages uint32) (*Plain, error) {
	if memoryPages == 0 {
		memoryPages = 256
	}
	p := &Plain{
		runtime: wazero.NewRuntimeWithConfig(ctx,
			wazero.NewRuntimeConfig().WithMemoryLimitPages(memoryPages).WithCloseOnContextDone(true)),
	}
	if err := p.compile(ctx, module); err != nil {
		return nil, errors.Join(err, p.Close(ctx))
	}
	return p, nil
}

func (p *Plain) compile(ctx context.Context, module []byte) (err error) {
	if err := hostabi.Instantiate(ctx, p.runtime); err != nil {
		return err
	}
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, p.runtime); err != nil {
		return fmt.Errorf("providing WASI: %w", err)
	}
	if p.code, err = hostabi.Compile(ctx, p.runtime, module); err != nil {
		return fmt.Errorf("compiling the module: %w", err)
	}
	return hostabi.Check(p.code)
}

// Close frees the compiled module.
func (p *Plain) Close(ctx context.Context) error { return p.runtime.Close(ctx) }

// Start creates an instance: it calls _initialize, requests the buffer and passes the configuration.
func (p *Plain) Start(ctx context.Context, config []byte, calls hostabi.Host) (Guest, error) {
	ctx = hostabi.WithHost(ctx, calls)
	settings := wazero.NewModuleConfig().WithName("").WithStartFunctions(hostabi.ExportInitialize).
		WithSysWalltime().WithSysNanotime()
	module, err := p.runtime.InstantiateModule(ctx, p.code, settings)
	if err != nil {
		return nil, fmt.Errorf("instantiating: %w", err)
	}
	g := &plainGuest{ctx: ctx, module: module, exports: make(map[string]api.Function)}
	for name := range hostabi.Exports() {
		g.exports[name] = module.ExportedFunction(name)
	}
	if err := g.begin(config); err != nil {
		return nil, errors.Join(err, module.Close(ctx))
	}
	return g, nil
}

// plainGuest is an instance in wazero.
type plainGuest struct {
	ctx      context.Context
	module   api.Module
	exports  map[string]api.Function // cached, because each lookup allocates a stack
	buffer   uint32                  // address and size of the guest's buffer
	capacity uint32
}

func (g *plainGuest) begin(config []byte) error {
	if fits, err := g.room(eventBytes); err != nil || !fits {
		return errors.Join(err, fmt.Errorf("%s refuses %d bytes, the size of an event", hostabi.ExportBuffer,
			eventBytes))
	}
	if fits, err := g.put(config); err != nil || !fits {
		return errors.Join(err, errors.New("the configuration does not fit the buffer"))
	}
	code, err := g.call(hostabi.ExportInit, uint64(g.buffer), uint64(len(config)))
	if err == nil && code != 0 {
		err = &hostabi.RefusedError{Code: int32(code)}
	}
	return err
}

// room requests a buffer of n bytes if the current one is smaller.
func (g *plainGuest) room(n uint32) (fits bool, err error) {
	if n <= g.capacity {
		return true, nil
	}
	address, err := g.call(hostabi.ExportBuffer, uint64(n))
	if err != nil || address == 0 {
		return false, err
	}
	if uint64(uint32(address))+uint64(n) > uint64(g.module.Memory().Size()) {
		return false, fmt.Errorf("%s returned %#x for %d bytes, which is outside the memory", hostabi.ExportBuffer,
			address, n)
	}
	g.buffer, g.capacity = uint32(address), n
	return true, nil
}

func (g *plainGuest) put(body []byte) (fits bool, err error) {
	if fits, err := g.room(uint32(len(body))); err != nil || !fits {
		return false, err
	}
	return g.module.Memory().Write(g.buffer, body), nil
}

func (g *plainGuest) call(export string, params ...uint64) (uint64, error) {
	results, err := g.exports[export].Call(g.ctx, params...)
	var exit *sys.ExitError
	if errors.As(err, &exit) {
		return 0, fmt.Errorf("%s exited with code %d", export, exit.ExitCode())
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w", export, err)
	}
	return results[0], nil
}

func (g *plainGuest) Bytes(conn int64, b []byte) (hostabi.Action, error) {
	if fits, err := g.put(b); err != nil || !fits {
		return hostabi.ActionContinue, err
	}
	action, err := g.call(hostabi.ExportBytes, uint64(conn), uint64(g.buffer), uint64(len(b)))
	return hostabi.Action(action), err
}

func (g *plainGuest) Event(kind hostabi.Kind, conn, arg int64, body []byte) (hostabi.Action, error) {
	if fits, err := g.put(body); err != nil || !fits {
		return hostabi.ActionContinue, err
	}
	action, err := g.call(hostabi.ExportEvent, uint64(kind), uint64(conn), uint64(arg), uint64(g.buffer),
		uint64(len(body)))
	return hostabi.Action(action), err
}

func (g *plainGuest) Memory() uint64                        { return uint64(g.module.Memory().Size()) }
func (g *plainGuest) Fuel() (used, allowed uint64, ok bool) { return 0, 0, false }
func (g *plainGuest) Close(ctx context.Context) error       { return g.module.Close(ctx) }
