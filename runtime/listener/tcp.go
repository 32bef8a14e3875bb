package listener

import (
	"context"
	"fmt"
	"log/slog"
	"net"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener/admission"
	"github.com/exgate/exgate/runtime/listener/sockets"
)

// TCPConfig configures a TCP or unix socket listener.
type TCPConfig struct {
	// Name identifies the listener in metrics and logs. Optional.
	Name string
	// Bind is the address to listen on, as host:port, or unix:/path for a socket in the file system, whose mode is
	// 0660. If zero, any free port of all addresses.
	Bind string
	// Admission decides who may connect. If zero, every address may.
	Admission *admission.Admission
	// Proxy expects a PROXY header at the start of each connection. If zero, none is expected.
	Proxy *ProxyConfig
	// Options sets socket options. If zero, the default of each.
	Options SocketOptions
	// Sockets opens the listening socket or takes an inherited one. If zero, it is opened.
	Sockets *sockets.Sockets
	// Upgrade is the protocol between the stream and the gateway. If zero, the gateway gets the bytes as they are.
	Upgrade *Upgrade
	// Logger logs accept errors. If zero, slog.Default().
	Logger *slog.Logger
	// Metrics counts events. If zero, an unregistered set.
	Metrics *Metrics
}

func (cfg TCPConfig) listen(ctx context.Context, network, address string) (net.Listener, error) {
	if network == "unix" {
		return listenUnix(ctx, cfg.Sockets, address)
	}
	return cfg.Sockets.Listen(ctx, network, address, cfg.Options.control)
}

// TCP accepts TCP connections, or connections on a unix socket, which it reports as TCP without addresses.
type TCP struct{ *stream }

var _ gateway.Listener = (*TCP)(nil)

// ListenTCP opens the socket. Nothing is accepted before Serve.
func ListenTCP(ctx context.Context, cfg TCPConfig) (*TCP, error) {
	s, err := listenStream(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("opening TCP listener: %w", err)
	}
	return &TCP{s}, nil
}
