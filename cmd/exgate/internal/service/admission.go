package service

import (
	"context"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/runtime/listener/admission"
)

// admission returns the admission rules of the listener name.
func (l *listeners) admission(name string, cfg config.Listener, list *admission.AccessList) (
	*admission.Admission, error,
) {
	s := l.service
	of := limits(cfg)
	of.Listener, of.Access, of.Total, of.Descriptors, of.DescriptorsEach, of.Logger, of.Metrics = name, list, l.total,
		s.files, l.descriptorsEach(cfg), s.log, l.metrics.admission
	a, err := admission.New(of)
	if err != nil {
		return nil, l.cfg.Problem("listeners."+name, "%v", err)
	}
	return a, nil
}

// limits returns the limits on the connections of a listener.
func limits(cfg config.Listener) admission.Config {
	return admission.Config{
		MaxConnections: cfg.MaxConnections, MaxPerSource: cfg.MaxConnectionsPerSource,
		Rate: float64(cfg.ConnectionRate), Burst: cfg.ConnectionBurst,
		Ban: admission.BanConfig{Failures: cfg.Ban.Failures, Window: cfg.Ban.Window, Duration: cfg.Ban.Duration},
	}
}

// accessRules are the rules for addresses of one listener, in the configuration or a file.
type accessRules struct {
	rules *admission.AccessList
	file  *admission.AccessFile // nil without one
	stop  func()                // ends the watching of the file; nil if it is not watched
}

// access reads the access rules of the listener name.
func (l *listeners) access(name string, cfg config.Listener) (*accessRules, error) {
	key := "listeners." + name
	list, err := admission.ParseAccess(cfg.Access.Rules)
	if err != nil {
		return nil, l.cfg.Problem(key+".access.rules", "%v", err)
	}
	if cfg.Access.File == "" {
		return &accessRules{rules: list}, nil
	}
	file, err := admission.LoadAccess(cfg.Access.File, l.service.log)
	if err != nil {
		return nil, l.cfg.Problem(key+".access.file", "%v", err)
	}
	return &accessRules{rules: file.List(), file: file}, nil
}

// watch keeps the rules of a up to date with the file until end.
func (r *accessRules) watch(a *admission.Admission) {
	if r.file == nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.file.Watch(ctx, a.SetAccess)
	}()
	r.stop = func() {
		cancel()
		<-done
	}
}

// end accepts nil.
func (r *accessRules) end() {
	if r != nil && r.stop != nil {
		r.stop()
		r.stop = nil
	}
}

// descriptorsEach returns the number of file descriptors per device of a listener: one for its socket, unless it uses
// UDP or DTLS, and one for its own session at an external broker.
func (l *listeners) descriptorsEach(cfg config.Listener) (n int) {
	if !cfg.Datagram() {
		n++
	}
	if of := l.service.config(); of.Upstream.Elsewhere() && !of.SharedSession(cfg) {
		n++
	}
	return n
}
