package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/exgate/exgate/cmd/exgate/internal/control"
	"github.com/exgate/exgate/cmd/exgate/internal/upgrade"
	"github.com/exgate/exgate/runtime/listener/sockets"
)

// readyTimeout bounds the start of a new process.
const readyTimeout = time.Minute

var errProcessOne = errors.New("process 1 of a container cannot be upgraded, because the container ends with it; " +
	"replace the container instead")

// replace starts a process that takes over. It reports whether this process has ended its work, because the new process
// took over or because of a signal.
func (g *running) replace(request *control.Request) (ended bool, err error) {
	request.Progress(fmt.Sprintf("starting %s", g.program))
	g.log.Info("upgrading", "program", g.program.String())
	next, err := g.startNext()
	if err != nil {
		g.log.Error("the upgrade failed; this process continues", "error", err)
		request.Failed(err)
		var stopping stopSignal
		if errors.As(err, &stopping) {
			return true, g.end(stopping.Signal)
		}
		return false, nil
	}
	g.control.Close()
	g.notify(fmt.Sprintf("MAINPID=%d", next.PID))
	request.Progress(fmt.Sprintf("process %d is ready", next.PID))
	g.leave(next, request)
	return true, nil
}

// startNext starts the new process and hands the sockets over.
func (g *running) startNext() (*upgrade.Successor, error) {
	if os.Getpid() == 1 {
		return nil, errProcessOne
	}
	files, err := g.sockets.HandOver()
	if err != nil {
		return nil, err
	}
	defer sockets.CloseFiles(files)
	ctx, cancel := g.untilSignal(readyTimeout)
	defer cancel()
	next, err := g.program.Start(ctx, files)
	if err == nil {
		g.sockets.HandedOver()
	}
	return next, err
}

// leave lets the next process take over. If devices may stay, the next process accepts at once and this one drains;
// otherwise the next process accepts once the last device here has disconnected.
func (g *running) leave(next *upgrade.Successor, request *control.Request) {
	ctx, cancel := context.WithTimeout(context.Background(), g.cfg.ShutdownTimeout)
	if err := g.service.Leave(ctx); err != nil {
		g.log.Warn("shutdown did not finish in time", "error", err)
	}
	cancel()
	stay := g.service.DevicesMayStay()
	if stay {
		g.succeed(next, request)
		g.drain()
	}
	if err := g.stop(); err != nil {
		g.log.Warn("shutdown did not finish in time", "error", err)
	}
	if !stay {
		g.succeed(next, request)
	}
}

func (g *running) succeed(next *upgrade.Successor, request *control.Request) {
	if err := next.Go(); err != nil {
		g.log.Warn("cannot signal the new process to continue", "error", err)
	}
	outcome := fmt.Sprintf("process %d has taken over from process %d", next.PID, os.Getpid())
	if n := g.service.Connections(); n > 0 {
		outcome += fmt.Sprintf(", which exits when its %d devices have disconnected, or in %s", n, g.cfg.UpgradeTimeout)
	}
	g.log.Info("upgraded", "pid", next.PID, "devices", g.service.Connections())
	request.Done(outcome)
}

// drain waits for devices to disconnect, until upgrade_timeout or a signal.
func (g *running) drain() {
	ctx, cancel := g.untilSignal(g.cfg.UpgradeTimeout)
	defer cancel()
	if !g.service.Drained(ctx) {
		g.log.Info("closing the remaining connections", "devices", g.service.Connections())
	}
}

// stopSignal is the error of work that a signal interrupted.
type stopSignal struct{ os.Signal }

func (s stopSignal) Error() string { return "the old process received a signal to stop: " + s.String() }

// untilSignal returns a context that ends after d, or with a stopSignal as its cause when a signal asks the process to
// stop. It consumes that signal.
func (g *running) untilSignal(d time.Duration) (context.Context, context.CancelFunc) {
	timed, cancel := context.WithTimeout(context.Background(), d)
	ctx, interrupt := context.WithCancelCause(timed)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for {
			select {
			case received := <-g.signals:
				if received != syscall.SIGUSR2 {
					interrupt(stopSignal{received})
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return ctx, func() {
		cancel()
		<-watched
	}
}
