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
	settings *config.Module // the settings it was opened with
	at       net.Addr
	detach   func() error
}

// listen opens, changes or closes the listener of the module to match its settings. If it cannot open the listener, it
// reopens the previous one.
func (e *entry) listen(ctx context.Context) error {
	e.folder.listening.Lock()
	defer e.folder.listening.Unlock()
	e.unheard = false
	before := e.listener
	if before != nil && e.settings.HasListener && reflect.DeepEqual(before.settings.Listener, e.settings.Listener) {
		return nil
	}
	e.closeListener()
	if !e.settings.HasListener {
		return nil
	}
	err := e.open(ctx, e.settings)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("opening the listener: %w", err)
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

// listenAgain retries a listener that could not be opened, for example because its port was in use.
func (e *entry) listenAgain(ctx context.Context) {
	if err := e.listen(ctx); err != nil {
		e.publish(Rejected, err.Error())
		return
	}
	e.publish(Loaded, "")
}

// closeListener closes the listener, if there is one. Its connections stay.
func (e *entry) closeListener() {
	if e.listener == nil {
		return
	}
	if err := e.listener.detach(); err != nil {
		e.folder.log.Warn("cannot close the listener of a module", "module", e.name, "error", err)
	}
	e.listener = nil
}
