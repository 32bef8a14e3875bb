package wasm

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/exgate/exgate/runtime/wasm/internal/startimage"

	"github.com/exgate/exgate/hostabi"
	"github.com/exgate/exgate/internal/meter"
	"github.com/tetratelabs/wazero/api"
)

// begin runs the module's start, or clones the template.
func (in *instance) begin() error {
	began, from := time.Now(), fromModule
	start := in.startModule
	if in.engine.template != nil {
		from, start = fromImage, in.resume
	}
	if err := start(); err != nil {
		return err
	}
	in.engine.metrics.started(from, time.Since(began))
	raise(&in.engine.peaks.memory, uint64(in.memory.Size()))
	return nil
}

// startModule instantiates the module and runs its start function, _initialize, exproto_v1_buffer and exproto_v1_init.
func (in *instance) startModule() error {
	in.armStart()
	ctx, done := in.callContext()
	module, err := in.engine.program.instantiate(ctx)
	done()
	if err != nil && in.engine.program.ends == byContext {
		return in.startFault("instantiating", err) // the start function has run
	}
	if err != nil {
		return fmt.Errorf("instantiating: %w", err)
	}
	in.attach(module)
	if err := in.writeData(); err != nil {
		return err
	}
	if in.fuel != nil {
		if err := in.startStep(meter.StartFunction); err != nil {
			return err
		}
	}
	if err := in.startStep(hostabi.ExportInitialize); err != nil {
		return err
	}
	in.armStart()
	if err := in.growBuffer(in.limits.EventBytes); err != nil {
		return err
	}
	if in.buffer == 0 {
		return fmt.Errorf("%s refuses %d bytes, the size of an event (limit event_bytes)", hostabi.ExportBuffer,
			in.limits.EventBytes)
	}
	return in.configure()
}

// attach sets the module that the instance runs.
func (in *instance) attach(module api.Module) {
	in.module, in.memory = module, module.Memory()
	if in.engine.program.ends == byFuel {
		in.fuel = module.ExportedGlobal(meter.FuelGlobal).(api.MutableGlobal)
		in.refused = module.ExportedGlobal(meter.RefusedGlobal).(api.MutableGlobal)
	}
}

// writeData writes the data segments that package meter removed from the module.
func (in *instance) writeData() error {
	for _, d := range in.engine.program.parts.Data {
		if uint64(d.Offset)+uint64(len(d.Bytes)) > uint64(in.memory.Size()) {
			return fmt.Errorf("instantiating: %d bytes of data at %#x are outside the memory", len(d.Bytes), d.Offset)
		}
		in.memory.Write(d.Offset, d.Bytes)
	}
	return nil
}

// startStep calls an export without parameters, if the module has it.
func (in *instance) startStep(name string) error {
	f := in.module.ExportedFunction(name)
	if f == nil {
		return nil
	}
	in.armStart()
	if err := in.invoke(f); err != nil {
		return in.startFault(name, err)
	}
	return nil
}

// growBuffer asks the guest for a buffer of size bytes. If the guest refuses, the buffer stays as it is.
func (in *instance) growBuffer(size uint32) error {
	in.stack[0] = uint64(size)
	if err := in.invoke(in.module.ExportedFunction(hostabi.ExportBuffer)); err != nil {
		return in.startFault(hostabi.ExportBuffer, err)
	}
	p := uint32(in.stack[0])
	if p == 0 {
		return nil
	}
	if uint64(p)+uint64(size) > uint64(in.memory.Size()) {
		return fmt.Errorf("%s returned %#x for %d bytes, which is outside the memory", hostabi.ExportBuffer, p, size)
	}
	in.buffer, in.capacity = p, size
	return nil
}

func (in *instance) configure() error {
	config := in.engine.config.GuestConfig
	if uint64(len(config)) > uint64(in.capacity) {
		in.armStart()
		if err := in.growBuffer(uint32(min(uint64(len(config)), math.MaxUint32))); err != nil {
			return err
		}
	}
	if uint64(len(config)) > uint64(in.capacity) {
		return fmt.Errorf("the guest configuration has %d bytes: at most %d (limit event_bytes)", len(config),
			in.capacity)
	}
	in.memory.Write(in.buffer, config)
	in.armStart()
	in.stack[0], in.stack[1] = uint64(in.buffer), uint64(len(config))
	if err := in.invoke(in.module.ExportedFunction(hostabi.ExportInit)); err != nil {
		return in.startFault(hostabi.ExportInit, err)
	}
	if refusal := int32(in.stack[0]); refusal != 0 {
		return &hostabi.RefusedError{Code: refusal, Why: in.output.failure}
	}
	return nil
}

func (in *instance) startFault(what string, err error) error {
	return fmt.Errorf("%s: %w", what, in.fault(err))
}

// template is an instance that has started, from which others are cloned.
type template struct {
	image    *startimage.Image
	buffer   uint32
	capacity uint32
}

// makeTemplate starts an instance and captures it. It fails if the guest does not start. If the instance cannot be
// captured, it logs that, and each instance runs the module's start.
func (e *Engine) makeTemplate() error {
	first, err := newInstance(e, connLabel(""))
	if err != nil {
		return err
	}
	defer first.close()
	t, err := e.capture(first)
	if err != nil {
		e.noImage = err.Error()
		e.log.Info("no start image: each connection runs the module's start", "reason",
			bounded(e.noImage, maxErrorText))
		return nil
	}
	e.template = t
	return nil
}

// capture captures an instance and tries to clone it.
func (e *Engine) capture(first *instance) (*template, error) {
	if e.config.NoStartImage {
		return nil, errors.New("disabled by the configuration")
	}
	if why := e.program.parts.Whole; why != "" {
		return nil, fmt.Errorf("the module does not allow it: %s", why)
	}
	image, err := startimage.Capture(first.module, e.program.parts.Globals)
	if err != nil {
		return nil, err
	}
	t := &template{image, first.buffer, first.capacity}
	clone, err := image.Clone(first.ctx, e.program.instantiate)
	if err != nil {
		_ = t.close()
		return nil, fmt.Errorf("trying the image: %w", err)
	}
	_ = clone.Close(first.ctx)
	return t, nil
}

// resume clones the template.
func (in *instance) resume() error {
	t := in.engine.template
	module, err := t.image.Clone(in.ctx, in.engine.program.instantiate)
	if err != nil {
		return fmt.Errorf("instantiating from the start image: %w", err)
	}
	in.attach(module)
	in.buffer, in.capacity = t.buffer, t.capacity
	return nil
}

// close frees the image. A nil template has none.
func (t *template) close() error {
	if t == nil {
		return nil
	}
	return t.image.Close()
}
