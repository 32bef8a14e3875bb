package module

import (
	"context"
	"errors"
	"log/slog"

	"github.com/exgate/exgate/hostabi"
	"github.com/exgate/exgate/hostabi/conformance"
	"github.com/exgate/exgate/runtime/wasm"
)

// host runs guests in the gateway's engine, for the conformance kit.
type host struct {
	subject *Subject
	engines map[string]*wasm.Engine // by configuration, so that a module is compiled once
}

var _ conformance.Host = (*host)(nil)

func newHost(s *Subject) *host { return &host{subject: s, engines: make(map[string]*wasm.Engine)} }

func (h *host) engine(ctx context.Context, config []byte) (*wasm.Engine, error) {
	if e, ok := h.engines[string(config)]; ok {
		return e, nil
	}
	e, err := h.subject.engine(ctx, config, slog.New(slog.DiscardHandler), wasm.IsolationConnection)
	if err == nil {
		h.engines[string(config)] = e
	}
	return e, err
}

func (h *host) Start(ctx context.Context, config []byte, calls hostabi.Host) (conformance.Guest, error) {
	e, err := h.engine(ctx, config)
	if err != nil {
		return nil, err
	}
	s, err := e.TrialInstance(calls)
	if err != nil {
		return nil, err
	}
	return guest{s}, nil
}

func (h *host) close(ctx context.Context) error {
	var errs []error
	for _, e := range h.engines {
		errs = append(errs, e.Close(ctx))
	}
	return errors.Join(errs...)
}

// guest adapts an instance to the kit.
type guest struct{ *wasm.TrialInstance }

func (g guest) Fuel() (used, allowed uint64, metered bool) {
	used, allowed = g.TrialInstance.Fuel()
	return used, allowed, allowed > 0
}

func (g guest) Bytes(conn int64, b []byte) (hostabi.Action, error) {
	action, err := g.TrialInstance.Bytes(conn, b)
	return action, withStack(err)
}

func (g guest) Event(kind hostabi.Kind, conn, arg int64, body []byte) (hostabi.Action, error) {
	action, err := g.TrialInstance.Event(kind, conn, arg, body)
	return action, withStack(err)
}

func (g guest) Close(context.Context) error {
	g.TrialInstance.Close()
	return nil
}
