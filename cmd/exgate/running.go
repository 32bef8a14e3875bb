package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"syscall"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/cmd/exgate/internal/control"
	"github.com/exgate/exgate/cmd/exgate/internal/service"
	"github.com/exgate/exgate/cmd/exgate/internal/upgrade"
	"github.com/exgate/exgate/runtime/listener/sockets"
)

// running is a running gateway and what controls its process: signals, upgrades, control requests.
type running struct {
	cfg      *config.Config
	log      *slog.Logger
	level    slog.LevelVar // of log
	program  upgrade.Program
	load     func() (*config.Config, error) // reads the configuration again
	signals  <-chan os.Signal
	hangups  <-chan struct{}
	sockets  *sockets.Sockets
	control  *control.Server
	upgrades chan *control.Request
	reloads  chan *control.Request
	service  *service.Service
}

// start starts the gateway. It takes over from predecessor unless that is nil.
func (g *running) start(ctx context.Context, predecessor *upgrade.Predecessor, inherited []sockets.SocketFile) error {
	var err error
	if g.sockets, err = sockets.New(inherited, g.log); err != nil {
		return err
	}
	if predecessor != nil {
		g.log.Info("taking over", "from", predecessor.PID, "sockets", len(inherited))
	}
	g.service, err = service.TakeOver(ctx, g.cfg, g.log,
		service.Succession{Sockets: g.sockets, Opened: predecessor.Ready, Version: versionText()})
	if err != nil {
		return err
	}
	if g.control, err = g.listenControl(); err != nil {
		g.log.Warn("cannot open the control socket; exgate upgrade and exgate capture will not work, but SIGUSR2 will",
			"error", err)
	}
	if err := upgrade.WritePIDFile(g.cfg.PIDFile); err != nil {
		g.log.Warn("cannot write the pid file", "error", err)
	}
	g.notify("READY=1")
	return nil
}

// listenControl accepts requests from other exgate commands.
func (g *running) listenControl() (*control.Server, error) {
	g.upgrades, g.reloads = make(chan *control.Request), make(chan *control.Request)
	return control.Listen(g.log, map[string]control.Handler{
		upgrade.RequestName: upgrade.Handler(g.upgrades),
		reloadRequest:       upgrade.Handler(g.reloads),
		captureRequest:      g.capture,
	})
}

// notify reports the state to systemd, if exgate runs under it.
func (g *running) notify(state string) {
	if err := upgrade.Notify(state); err != nil {
		g.log.Warn("cannot notify systemd", "state", state, "error", err)
	}
}

// untilEnded serves until the process is asked to stop or has been replaced.
func (g *running) untilEnded() error {
	for {
		var request *control.Request
		select {
		case received := <-g.signals:
			if received != syscall.SIGUSR2 {
				return g.end(received)
			}
		case request = <-g.upgrades:
		case <-g.hangups:
			g.reload(nil)
			continue
		case request = <-g.reloads:
			g.reload(request)
			continue
		}
		if ended, err := g.replace(request); ended {
			return err
		}
	}
}

// end stops the gateway after a signal.
func (g *running) end(received os.Signal) error {
	g.control.Close()
	g.notify("STOPPING=1")
	g.log.Info("stopping", "signal", received.String(), "timeout", g.cfg.ShutdownTimeout.String())
	err := g.stop()
	return errors.Join(err, upgrade.RemovePIDFile(g.cfg.PIDFile))
}

var errStoppedAtOnce = errors.New("stopped by a second signal; connections were cut off")

// stop waits up to shutdown_timeout for connections to end, or until another signal.
func (g *running) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), g.cfg.ShutdownTimeout)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- g.service.Stop(ctx) }()
	for {
		select {
		case err := <-stopped:
			if err != nil {
				g.log.Warn("shutdown did not finish in time", "error", err)
			}
			g.log.Info("stopped")
			return nil
		case received := <-g.signals:
			if received != syscall.SIGUSR2 {
				return fmt.Errorf("%w (%s)", errStoppedAtOnce, received)
			}
		}
	}
}
