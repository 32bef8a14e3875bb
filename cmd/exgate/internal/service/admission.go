package service

import (
	"context"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/runtime/listener/admission"
)

// admission returns the admission rules of the listener name.
func (l *listeners) admission(name string, cfg config.Listener) (*admission.Admission, error) {
	s, key := l.service, "listeners."+name
	list, err := admission.ParseAccess(cfg.Access.Rules)
	if err != nil {
		return nil, l.cfg.Problem(key+".access.rules", "%v", err)
	}
	var file *admission.AccessFile
	if cfg.Access.File != "" {
		if file, err = admission.LoadAccess(cfg.Access.File, s.log); err != nil {
			return nil, l.cfg.Problem(key+".access.file", "%v", err)
		}
		list = file.List()
	}
	a, err := admission.New(admission.Config{
		Listener: name, Access: list, MaxConnections: cfg.MaxConnections, MaxPerSource: cfg.MaxConnectionsPerSource,
		Rate: float64(cfg.ConnectionRate), Burst: cfg.ConnectionBurst, Total: l.total,
		Descriptors: l.service.files, DescriptorsEach: l.descriptorsEach(cfg),
		Ban:    admission.BanConfig{Failures: cfg.Ban.Failures, Window: cfg.Ban.Window, Duration: cfg.Ban.Duration},
		Logger: s.log, Metrics: l.metrics.admission,
	})
	if err != nil {
		return nil, l.cfg.Problem(key, "%v", err)
	}
	if file != nil {
		l.watch(file, a)
	}
	return a, nil
}

// descriptorsEach returns the number of file descriptors per device of a listener: one for its socket, unless it uses
// UDP or DTLS, and one for its own session at an external broker.
func (l *listeners) descriptorsEach(cfg config.Listener) (n int) {
	if !cfg.Datagram() {
		n++
	}
	if of := l.service.cfg; of.Upstream.Elsewhere() && !of.SharedSession(cfg) {
		n++
	}
	return n
}

// watch keeps the rules of a up to date with its file until the listener is closed.
func (l *listeners) watch(file *admission.AccessFile, a *admission.Admission) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		file.Watch(ctx, a.SetAccess)
	}()
	l.onStop(func(context.Context) error {
		cancel()
		<-done
		return nil
	})
}
