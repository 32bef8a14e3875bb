package listener

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener/admission"
	"github.com/exgate/exgate/runtime/listener/sockets"
)

// TCPConfig is a TCP or unix socket listener's.
type TCPConfig struct {
	// Name is the listener's in metrics and logs. If zero, they show none.
	Name string
	// Bind is the address to listen on, as host:port, or unix:/path for a socket in the file system. If zero, any free
	// port of all addresses.
	Bind string
	// UnixMode is the file mode of a unix socket: who may write to it may connect. If zero, 0660.
	UnixMode fs.FileMode
	// Admission says who may connect. If zero, everybody.
	Admission *admission.Admission
	// Proxy has a PROXY header before each connection's bytes. If zero, there is none.
	Proxy *ProxyConfig
	// Options are the sockets'. If zero, the defaults of each.
	Options SocketOptions
	// Sockets opens the listening socket or has inherited it. If zero, it is opened plainly.
	Sockets *sockets.Sockets
	// Logger takes what goes wrong while accepting. If zero, slog.Default().
	Logger *slog.Logger
	// Metrics counts. If zero, an unregistered set.
	Metrics *Metrics
}

func (cfg TCPConfig) listen(ctx context.Context, network, address string) (net.Listener, error) {
	if network == "unix" {
		return listenUnix(ctx, cfg.Sockets, address, cfg.UnixMode)
	}
	return cfg.Sockets.Listen(ctx, network, address, cfg.Options.control)
}

// TCP accepts TCP connections, or those on a unix socket, which it reports as TCP without addresses.
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
