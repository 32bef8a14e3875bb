package service

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener/admission"
)

// openListener is a listener with all that belongs to it.
type openListener struct {
	service   *Service
	name      string
	cfg       config.Listener
	handler   string // its name in the gateway
	module    string // whose settings file configures it; empty for the main configuration
	wiring    gateway.ListenerConfig
	admission *admission.Admission
	list      *accessRules
	taps      *listenerTaps
	held      *heldListener
	files     [sha256.Size]byte // what filesOf says of the handler's files
}

// serve accepts devices, and makes the listener one of the service's open ones.
func (o *openListener) serve() error {
	if err := o.service.gateway.AddListener(o.name, o.held, o.wiring); err != nil {
		return errors.Join(fmt.Errorf("starting listener %s: %w", o.name, err), o.discard(context.Background()))
	}
	o.service.held.add(o.held)
	o.taps.set()
	if err := o.admit(); err != nil {
		return err
	}
	o.service.opened.add(o)
	return nil
}

// admit applies the limits and access rules of the listener to new connections.
func (o *openListener) admit() error {
	if err := o.admission.Change(limits(o.cfg)); err != nil {
		return err
	}
	o.admission.SetAccess(o.list.rules)
	o.list.watch(o.admission)
	return nil
}

// discard undoes prepare.
func (o *openListener) discard(ctx context.Context) error {
	return errors.Join(o.held.Close(), o.end(ctx))
}

// takesConnections reports whether the listener's connections end with it: those of UDP and DTLS share its socket, and
// connections to targets would be dialed by the next listener, too.
func (o *openListener) takesConnections() bool { return o.cfg.Datagram() || o.cfg.Dials() }

// detachTimeout bounds the wait for accepted sockets that are not connections yet, and for devices that share a socket.
const detachTimeout = 10 * time.Second

// detach closes the listener. Its connections stay unless it takes them.
func (o *openListener) detach() error {
	ctx, cancel := context.WithTimeout(context.Background(), detachTimeout)
	defer cancel()
	g := o.service.gateway
	if o.takesConnections() {
		return errors.Join(g.RemoveListener(ctx, o.name), o.end(ctx))
	}
	return errors.Join(o.held.Close(), o.held.attached(ctx), g.DetachListener(o.name), o.end(ctx))
}

// remove closes the listener and its connections.
func (o *openListener) remove() error {
	ctx, cancel := context.WithTimeout(context.Background(), detachTimeout)
	defer cancel()
	g := o.service.gateway
	err := g.RemoveListener(ctx, o.name)
	for c := range g.Conns() { // those that stayed when the listener was opened again
		if c.Listener() == o.name {
			c.Close(gateway.ReasonListenerRemoved)
		}
	}
	return errors.Join(err, o.end(ctx))
}

// end stops what belongs to the listener.
func (o *openListener) end(ctx context.Context) (err error) {
	o.list.end()
	if o.held != nil {
		err = o.held.end(ctx)
	}
	if o.taps != nil {
		err = errors.Join(err, o.taps.close(ctx))
	}
	return err
}

// endUnlike stops what o does not have in common with another state of the listener.
func (o *openListener) endUnlike(ctx context.Context, other *openListener) error {
	o.list.end()
	if o.taps == nil || o.taps == other.taps {
		return nil
	}
	return o.taps.close(ctx)
}

// openListeners holds the listeners of the configuration and of modules.
type openListeners struct {
	mu  sync.Mutex // guards all
	all map[string]*openListener
}

func (a *openListeners) add(o *openListener) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.all == nil {
		a.all = make(map[string]*openListener)
	}
	a.all[o.name] = o
}

func (a *openListeners) remove(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.all, name)
}

// find returns the listener name of the configuration, or nil.
func (a *openListeners) find(name string) *openListener {
	a.mu.Lock()
	defer a.mu.Unlock()
	if o := a.all[name]; o != nil && o.module == "" {
		return o
	}
	return nil
}

func (a *openListeners) isOfModule(name string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	o := a.all[name]
	return o != nil && o.module != ""
}

// list returns the listeners of the configuration, by name.
func (a *openListeners) list() (list []*openListener) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, o := range a.all {
		if o.module == "" {
			list = append(list, o)
		}
	}
	slices.SortFunc(list, func(x, y *openListener) int { return strings.Compare(x.name, y.name) })
	return list
}

// end stops what belongs to the open listeners.
func (a *openListeners) end(ctx context.Context) (err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, o := range a.all {
		err = errors.Join(err, o.end(ctx))
	}
	clear(a.all)
	return err
}
