package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/cmd/exgate/internal/modules"
)

// socket is a configured listening address.
type socket struct {
	network string // tcp, udp or unix
	setting string
	bind    string
	devices bool
}

// socketsOf returns the listening addresses of a configuration, listeners last.
func socketsOf(cfg *config.Config) []socket {
	var all []socket
	if !cfg.Upstream.Elsewhere() {
		all = append(all, socket{network: "tcp", setting: "upstream.embedded.bind", bind: cfg.Upstream.Embedded.Bind})
	}
	if cfg.HasGRPC() {
		all = append(all, socket{network: "tcp", setting: "adapter.bind", bind: cfg.Adapter.Bind})
	}
	if cfg.Metrics.Bind != "" {
		all = append(all, socket{network: "tcp", setting: "metrics.bind", bind: cfg.Metrics.Bind})
	}
	for _, name := range cfg.Names() {
		l := cfg.Listeners[name]
		if l.Dials() {
			continue
		}
		s := socket{network: "tcp", setting: "listeners." + name + ".bind", bind: l.Bind, devices: true}
		if l.Unix() {
			s.network, s.bind = "unix", strings.TrimPrefix(l.Bind, "unix:")
		} else if kind := l.Kind(); kind == "udp" || kind == "dtls" {
			s.network = "udp"
		}
		all = append(all, s)
	}
	return all
}

// local returns the address at which this machine reaches bind.
func local(bind string) string {
	host, port, err := net.SplitHostPort(bind)
	if err != nil {
		return bind
	}
	switch ip := net.ParseIP(host); {
	case host == "" || ip != nil && ip.IsUnspecified() && ip.To4() != nil:
		host = "127.0.0.1"
	case ip != nil && ip.IsUnspecified():
		host = "::1"
	}
	return net.JoinHostPort(host, port)
}

// sockets checks whether the gateway listens on each address, or could.
func (c *checkup) sockets(ctx context.Context) []Finding {
	var checks []func(context.Context) []Finding
	for _, s := range socketsOf(c.cfg) {
		checks = append(checks, func(ctx context.Context) []Finding { return []Finding{c.socket(ctx, s)} })
	}
	if c.cfg.Modules != "" {
		checks = append(checks, c.moduleSockets()...)
	}
	return inOrder(ctx, checks)
}

// moduleSockets checks the listeners of modules that do not collide with others.
func (c *checkup) moduleSockets() (checks []func(context.Context) []Finding) {
	taken := new(config.Addresses)
	_ = taken.Add(c.cfg) // refused by config.Load
	for _, own := range modules.Listeners(c.cfg.Modules) {
		if len(taken.Add(own)) > 0 {
			continue
		}
		of := checkup{cfg: own, gateway: c.gateway}
		for _, s := range socketsOf(own) {
			if s.devices {
				checks = append(checks, func(ctx context.Context) []Finding { return []Finding{of.socket(ctx, s)} })
			}
		}
	}
	return checks
}

func (c *checkup) socket(ctx context.Context, s socket) Finding {
	var err error
	if s.network == "unix" {
		err = tryUnix(ctx, s.bind)
	} else {
		err = tryListen(ctx, s)
	}
	switch {
	case err == nil:
		return c.well(s.setting, "%s is free", s.bind)
	case errors.Is(err, syscall.EADDRINUSE):
		return c.inUse(ctx, s)
	case errors.Is(err, syscall.EACCES):
		return c.problem(s.setting, "this user may not listen on %s: choose a port above 1023, or run exgate "+
			"as another user", s.bind)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return c.problem(s.setting, "no network interface of this machine has the address %s", s.bind)
	}
	return c.problem(s.setting, "exgate cannot listen on %s: %v", s.bind, cause(err))
}

func tryListen(ctx context.Context, s socket) error {
	var opened io.Closer
	var err error
	if s.network == "udp" {
		opened, err = new(net.ListenConfig).ListenPacket(ctx, s.network, s.bind)
	} else {
		opened, err = new(net.ListenConfig).Listen(ctx, s.network, s.bind)
	}
	if err != nil {
		return err
	}
	return opened.Close()
}

// tryUnix checks whether a process listens on path, without touching an existing socket file.
func tryUnix(ctx context.Context, path string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		return errors.Join(syscall.EADDRINUSE, conn.Close())
	case errors.Is(err, syscall.ECONNREFUSED): // left by a dead process; exgate replaces it
		return nil
	case errors.Is(err, syscall.ENOENT):
		return syscall.Access(filepath.Dir(path), 2) // may write
	}
	return err
}

// inUse distinguishes the gateway itself from other programs.
func (c *checkup) inUse(ctx context.Context, s socket) Finding {
	pid, name := holder(s.network, s.bind)
	switch {
	case slices.Contains(c.gateway.pids, pid), pid == 0 && c.gateway.how != "":
		return c.well(s.setting, "the gateway listens on %s", s.bind)
	case s.devices && s.network == "tcp" && speaksHTTP2(ctx, local(s.bind)):
		return c.problem(s.setting, "a gRPC server%s listens on %s, which is for devices; if it is the handler, set "+
			"its address in handler.grpc and give it another port", by(pid, name), s.bind)
	}
	return c.problem(s.setting, "%s is in use%s: stop the other program, or choose another address",
		s.bind, by(pid, name))
}

func by(pid int, name string) string {
	if pid == 0 {
		return ""
	}
	return fmt.Sprintf(" (process %d, %s)", pid, name)
}

// cause strips what the surrounding sentence already says from an error.
func cause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}
