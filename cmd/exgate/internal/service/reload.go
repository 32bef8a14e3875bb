package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/runtime/gateway"
)

// Apply changes the running service as planned. Everything that can fail is prepared first: new handlers are started
// and new sockets opened. If the error is not nil, nothing has changed. Apply and Plan must not run at the same time.
func (s *Service) Apply(ctx context.Context, p Plan) (err error) {
	if s.stopping.Load() {
		return errStopping
	}
	if err := s.startAdapter(ctx, p.Next); err != nil {
		return err
	}
	r := reload{service: s, next: p.Next, handlers: *s.handlers, listeners: *s.listeners}
	r.handlers.cfg, r.listeners.cfg = p.Next, p.Next
	if err := r.retain(p); err != nil {
		s.opener.Undo()
		return err
	}
	for _, c := range p.Changes {
		if err := r.prepare(ctx, c); err != nil {
			err = errors.Join(err, r.discard(ctx))
			s.opener.Undo()
			return err
		}
	}
	s.opener.Settle()
	return r.commit(ctx)
}

// reload is one Apply.
type reload struct {
	service   *Service
	next      *config.Config
	handlers  handlers  // with the new configuration
	listeners listeners // with the new configuration

	steps []*step
}

// step is a change that has been prepared.
type step struct {
	Change
	now     *openListener          // nil for a new listener
	then    *openListener          // nil for one that is removed
	factory gateway.HandlerFactory // the new handler; nil if it stays
}

// retain keeps the sockets of listeners that are removed or opened again, for those that listen at the same address.
func (r *reload) retain(p Plan) error {
	for _, c := range p.Changes {
		if c.Does != StepRemove && c.Does != StepReopen {
			continue
		}
		if err := r.service.opener.Retain("listeners." + c.Listener); err != nil {
			return err
		}
	}
	return nil
}

func (r *reload) prepare(ctx context.Context, c Change) error {
	s := r.service
	one := &step{Change: c, now: s.opened.find(c.Listener)}
	r.steps = append(r.steps, one)
	if c.Does == StepSet || c.Does == StepRemove {
		return nil
	}
	if s.opened.isOfModule(c.Listener) {
		return r.next.Problem("listeners."+c.Listener, "a module has a listener of this name in its own settings file")
	}
	cfg := r.next.Listeners[c.Listener]
	handler, err := r.handler(ctx, one, cfg.Handler)
	if err != nil {
		return err
	}
	if c.Does != StepChange {
		one.then, err = r.listeners.prepare(ctx, c.Listener, cfg, handler, one.now)
		return err
	}
	then := *one.now
	then.cfg, then.handler, then.files, then.list = cfg, handler, filesOf(cfg.Handler), nil
	one.then = &then
	if then.wiring, err = r.listeners.wire(ctx, &then, one.keepsTaps()); err != nil {
		return err
	}
	then.list, err = r.listeners.access(c.Listener, cfg)
	return err
}

// keepsTaps reports whether the captures and the shadow of the listener stay as they are.
func (one *step) keepsTaps() bool {
	return !one.files && !slices.ContainsFunc(one.Keys, func(key string) bool {
		return ofHandler(key) || key == "capture" || strings.HasPrefix(key, "capture.")
	})
}

// handler makes the handler of a listener if it changes, and returns its name in the gateway.
func (r *reload) handler(ctx context.Context, one *step, cfg config.Handler) (string, error) {
	key := "listeners." + one.Listener + ".handler"
	if cfg.Module != "" {
		return r.handlers.named(ctx, key+".module", cfg.Module)
	}
	if one.now != nil && one.now.handler == one.Listener && !one.files && !slices.ContainsFunc(one.Keys, ofHandler) {
		return one.Listener, nil
	}
	factory, err := r.handlers.factory(ctx, one.Listener, key, cfg)
	one.factory = factory
	return one.Listener, err
}

// discard undoes the preparations.
func (r *reload) discard(ctx context.Context) (err error) {
	for _, one := range r.steps {
		switch {
		case one.then == nil:
		case one.Does == StepChange:
			err = errors.Join(err, one.then.endUnlike(ctx, one.now))
		default:
			err = errors.Join(err, one.then.discard(ctx))
		}
		if one.factory != nil {
			err = errors.Join(err, one.factory.Close(ctx))
		}
	}
	return err
}

// commit does what has been prepared. It fails only if the gateway is stopping or a connection does not end in time.
func (r *reload) commit(ctx context.Context) (err error) {
	s := r.service
	for _, one := range r.steps {
		if failed := r.take(ctx, one); failed != nil {
			err = errors.Join(err, fmt.Errorf("listener %s: %w", one.Listener, failed))
		}
	}
	s.listeners.total.Set(r.next.MaxConnections)
	s.current.Store(r.next)
	if message, ok := CheckFiles(r.next); !ok {
		s.log.Warn(message)
	}
	return err
}

func (r *reload) take(ctx context.Context, one *step) (err error) {
	s := r.service
	if one.factory != nil {
		if err := s.gateway.SetHandler(one.Listener, one.factory); err != nil {
			return err
		}
	}
	switch one.Does {
	case StepRemove:
		err = one.now.remove()
		s.opened.remove(one.Listener)
	case StepReopen:
		err = errors.Join(one.now.detach(), one.then.serve())
	case StepAdd:
		err = one.then.serve()
	case StepChange:
		if err = s.gateway.ChangeListener(one.Listener, one.then.wiring); err != nil {
			return errors.Join(err, one.then.endUnlike(ctx, one.now))
		}
		err = errors.Join(one.now.endUnlike(ctx, one.then), one.then.admit())
		one.then.taps.set()
		s.opened.add(one.then)
	case StepSet:
		return nil
	}
	// The handler of its own that a listener had before is not used any more.
	if one.now != nil && one.now.handler == one.Listener && (one.then == nil || one.then.handler != one.Listener) {
		err = errors.Join(err, s.gateway.RemoveHandler(one.Listener))
	}
	return err
}
