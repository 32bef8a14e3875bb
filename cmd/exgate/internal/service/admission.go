package service

import (
	"context"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/runtime/listener"
)

// admission decides who may connect to the listener name.
func (l *listeners) admission(name string, cfg config.Listener) (*listener.Admission, error) {
	s, key := l.service, "listeners."+name
	list, err := listener.ParseAccess(cfg.Access.Rules)
	if err != nil {
		return nil, l.cfg.Problem(key+".access.rules", "%v", err)
	}
	var file *listener.AccessFile
	if cfg.Access.File != "" {
		if file, err = listener.LoadAccess(cfg.Access.File, s.log); err != nil {
			return nil, l.cfg.Problem(key+".access.file", "%v", err)
		}
		list = file.List()
	}
	a, err := listener.NewAdmission(listener.AdmissionConfig{
		Listener: name, Access: list, MaxConnections: cfg.MaxConnections, MaxPerSource: cfg.MaxConnectionsPerSource,
		Rate: float64(cfg.ConnectionRate), Burst: cfg.ConnectionBurst, Total: l.total,
		Descriptors: l.service.files, DescriptorsEach: l.descriptorsEach(cfg),
		Ban:    listener.BanConfig{Failures: cfg.Ban.Failures, Window: cfg.Ban.Window, Duration: cfg.Ban.Duration},
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

// descriptorsEach is how many file descriptors a device of a listener takes: that of its socket, which those over UDP and DTLS share, and that of a session
// of its own at a broker elsewhere.
func (l *listeners) descriptorsEach(cfg config.Listener) (n int) {
	if !cfg.Datagram() {
		n++
	}
	if of := l.service.cfg; of.Upstream.Elsewhere() && !of.SharedSession(cfg) {
		n++
	}
	return n
}

// watch gives a what its file says, until the listener is no more.
func (l *listeners) watch(file *listener.AccessFile, a *listener.Admission) {
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
