package wasm

import (
	"errors"
	"fmt"

	"github.com/exgate/exgate/runtime/wasm/internal/startimage"
)

// template is an instance that has started, as others begin.
type template struct {
	image    *startimage.Image
	buffer   uint32
	capacity uint32
}

// makeTemplate starts an instance and keeps what it is then. It fails where the guest does not start. Where there can be no image, it says so in
// the log, and every instance runs the module's start.
func (e *Engine) makeTemplate() error {
	first, err := newInstance(e, connOwner(""))
	if err != nil {
		return err
	}
	defer first.close()
	t, err := e.capture(first)
	if err != nil {
		e.noImage = err.Error()
		e.log.Info("no start image: each connection runs the module's start", "reason", bounded(e.noImage, maxErrorText))
		return nil
	}
	e.template = t
	return nil
}

// capture keeps an instance and tries whether another can begin so.
func (e *Engine) capture(first *instance) (*template, error) {
	if e.config.NoStartImage {
		return nil, errors.New("the configuration does not want it")
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

// resume begins as the template is.
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

// close frees the image. Without a template there is none.
func (t *template) close() error {
	if t == nil {
		return nil
	}
	return t.image.Close()
}
