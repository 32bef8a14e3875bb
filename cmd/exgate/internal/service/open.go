package service

import (
	"context"
	"errors"
	"net"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/cmd/exgate/internal/tlsfiles"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener"
	"github.com/exgate/exgate/runtime/listener/admission"
	"github.com/exgate/exgate/runtime/listener/dial"
	"github.com/exgate/exgate/runtime/listener/dtls"
	"github.com/exgate/exgate/runtime/listener/udp"
	"github.com/exgate/exgate/runtime/listener/ws"
)

// open opens the socket of the listener name.
func (l *listeners) open(ctx context.Context, name string, cfg config.Listener,
	a *admission.Admission,
) (gateway.Listener, error) {
	switch cfg.Kind() {
	case "dial":
		return l.dial(name, cfg, a)
	case "tls":
		return listener.ListenTLS(ctx, l.tls(name, cfg, a))
	case "ws", "wss":
		return ws.Listen(ctx, l.webSocket(name, cfg, a))
	case "udp":
		return udp.Listen(ctx, l.udp(name, cfg, a))
	case "dtls":
		return dtls.Listen(ctx, l.dtls(name, cfg, a))
	}
	return listener.ListenTCP(ctx, l.tcp(name, cfg, a))
}

func (l *listeners) tcp(name string, cfg config.Listener, a *admission.Admission) listener.TCPConfig {
	s := l.service
	tcp := listener.TCPConfig{
		Name: name, Bind: cfg.Bind, Admission: a, Sockets: s.opener.For("listeners." + name), Logger: s.log,
		Metrics: l.metrics.streams,
		Options: socketOptions(cfg.Socket),
	}
	if l.cfg.Proxied(name) {
		tcp.Proxy = &listener.ProxyConfig{Trusted: cfg.Proxy.Prefixes(), Timeout: cfg.Proxy.Timeout}
	}
	return tcp
}

func socketOptions(of config.Socket) listener.SocketOptions {
	return listener.SocketOptions{
		Backlog: of.Backlog, RecvBuffer: of.RecvBuffer, SendBuffer: of.SendBuffer, NoDelay: of.NoDelay,
		KeepAlive: of.KeepAlive, ReusePort: of.ReusePort,
	}
}

func (l *listeners) tls(name string, cfg config.Listener, a *admission.Admission) listener.TLSConfig {
	of := cfg.TLS
	return listener.TLSConfig{
		TCPConfig: l.tcp(name, cfg, a), CertFile: of.Cert, KeyFile: of.Key, CAFile: of.CA, Verify: of.Verify,
		FailIfNoCert: of.FailIfNoCert,
		MinVersion:   of.MinVersion, MaxVersion: of.MaxVersion, Ciphers: of.Ciphers,
		HandshakeTimeout: of.HandshakeTimeout, MaxHandshakes: of.MaxHandshakes, CertMetrics: l.metrics.certs,
	}
}

func (l *listeners) webSocket(name string, cfg config.Listener, a *admission.Admission) ws.Config {
	c := cfg.WebSocket.Room()
	c.TLSConfig, c.Metrics = l.tls(name, cfg, a), l.metrics.ws
	return c
}

// dial makes a listener that dials targets. It ends when the gateway has closed their connections.
func (l *listeners) dial(name string, cfg config.Listener, a *admission.Admission) (gateway.Listener, error) {
	of, s := cfg.Dial, l.service
	c := dial.Config{
		Name: name, Targets: dial.Parse(of.Targets), Admission: a, Options: socketOptions(cfg.Socket),
		ConnectTimeout: of.ConnectTimeout, MaxDialing: of.MaxDialing, MinPause: of.MinPause, MaxPause: of.MaxPause,
		IdleTimeout: cfg.IdleTimeout, Logger: s.log, Metrics: l.metrics.dial,
	}
	var err error
	if of.File != "" {
		if c.File, err = dial.LoadFile(of.File); err != nil {
			return nil, err
		}
	}
	if c.TLS, err = tlsfiles.Client(of.TLS.Client()); err != nil {
		return nil, err
	}
	c.TLS.InsecureSkipVerify = of.TLS.InsecureSkipVerify
	d, err := dial.New(c)
	if err != nil {
		return nil, err
	}
	return d, nil
}

func (l *listeners) udp(name string, cfg config.Listener, a *admission.Admission) udp.Config {
	return udp.Config{
		Name: name, Bind: cfg.Bind, Admission: a, IdleTimeout: cfg.IdleTimeout,
		MaxPeers: cfg.UDP.MaxPeers, NewPeersPerSecond: float64(cfg.UDP.NewPeersPerSecond),
		QueueDatagrams: cfg.UDP.Queue,
		ReadBuffer:     cfg.Socket.RecvBuffer, WriteBuffer: cfg.Socket.SendBuffer,
		Sockets: l.service.opener.For("listeners." + name), Logger: l.service.log, Metrics: l.metrics.udp,
	}
}

func (l *listeners) dtls(name string, cfg config.Listener, a *admission.Admission) dtls.Config {
	of := cfg.TLS
	return dtls.Config{
		Name: name, Bind: cfg.Bind, Admission: a, CertFile: of.Cert, KeyFile: of.Key, CAFile: of.CA, Verify: of.Verify,
		FailIfNoCert: of.FailIfNoCert,
		PSK:          dtls.PSKConfig{IdentityHint: cfg.PSK.IdentityHint, File: cfg.PSK.File},
		Ciphers:      of.Ciphers, ConnectionIDs: of.ConnectionIDs, HandshakeTimeout: of.HandshakeTimeout,
		MaxHandshakes: of.MaxHandshakes,
		MaxPeers:      cfg.UDP.MaxPeers, NewPeersPerSecond: float64(cfg.UDP.NewPeersPerSecond),
		QueueDatagrams: cfg.UDP.Queue,
		ReadBuffer:     cfg.Socket.RecvBuffer, WriteBuffer: cfg.Socket.SendBuffer,
		Sockets: l.service.opener.For("listeners." + name), Logger: l.service.log,
		Metrics: l.metrics.dtls, UDPMetrics: l.metrics.udp, CertMetrics: l.metrics.certs,
	}
}

// cannotOpen returns the setting that keeps a listener from being opened.
func (l *listeners) cannotOpen(key string, cfg config.Listener, err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return cannotListen(l.cfg, key+".bind", cfg.Bind, err)
	}
	return l.cfg.Problem(key, "%v", err)
}
