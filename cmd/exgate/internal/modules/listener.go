package modules

import (
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
)

// openListener is a module's own listener.
type openListener struct {
	settings *config.Module // that it was opened with
	at       net.Addr
	detach   func() error
}

// listen opens, changes or closes the listener of the module as its settings say. Where it cannot be opened, the one before is opened again.
func (e *entry) listen(ctx context.Context) error {
	e.folder.listening.Lock()
	defer e.folder.listening.Unlock()
	e.unheard = false
	before := e.listener
	if before != nil && e.settings.HasListener && reflect.DeepEqual(before.settings.Listener, e.settings.Listener) {
		return nil
	}
	e.deafen()
	if !e.settings.HasListener {
		return nil
	}
	err := e.open(ctx, e.settings)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("opening its listener: %w", err)
	if before != nil {
		err = errors.Join(err, e.open(ctx, before.settings))
	}
	e.unheard = e.listener == nil
	return err
}

func (e *entry) open(ctx context.Context, settings *config.Module) error {
	at, detach, err := e.folder.config.Listen(ctx, e.name, settings)
	if err != nil {
		return err
	}
	e.listener = &openListener{settings: settings, at: at, detach: detach}
	e.folder.log.Info("module listens", "module", e.name, "address", at.String())
	return nil
}

// listenAgain tries to open what could not be opened before, such as a port that was in use.
func (e *entry) listenAgain(ctx context.Context) {
	if err := e.listen(ctx); err != nil {
		e.tell(Rejected, err.Error())
		return
	}
	e.tell(Loaded, "")
}

// deafen closes the listener, if there is one. Its connections stay.
func (e *entry) deafen() {
	if e.listener == nil {
		return
	}
	if err := e.listener.detach(); err != nil {
		e.folder.log.Warn("closing the listener of a module", "module", e.name, "error", err)
	}
	e.listener = nil
}
