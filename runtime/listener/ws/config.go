package ws

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/textproto"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener"
)

// Config configures a WebSocket listener.
type Config struct {
	// TLSConfig configures the sockets below. Without a CertFile, only its TCPConfig is used.
	listener.TLSConfig
	// Path is the path that requests must have; one that ends in /* also stands for every path below it. If zero, any.
	Path string
	// Subprotocols lists the accepted subprotocols. A device must offer one of them; the first that it offers is used.
	// If zero, none is used.
	Subprotocols []string
	// Headers names the headers of the request that handlers receive. Optional.
	Headers []string
	// Origins lists the origins that browsers may connect from, such as https://app.example, or * for any. Their own
	// host is always allowed. If zero, no other is.
	Origins []string
	// Send is how messages are sent: text, binary, or same, which is like the device's last one, and binary before it
	// has sent any. If zero, same. What is not UTF-8 is always sent as binary.
	Send string
	// MaxMessageBytes bounds a message of a device. If zero, 64 KiB.
	MaxMessageBytes int
	// PingInterval is how often a device is pinged. It is closed when it has sent nothing for three of them. If zero,
	// never.
	PingInterval time.Duration
	// RequestTimeout bounds the handshake, after TLS's. If zero, 10 s.
	RequestTimeout time.Duration
	// Metrics counts events. If zero, an unregistered set.
	Metrics *Metrics
}

const (
	defaultMaxMessage     = 64 << 10
	defaultRequestTimeout = 10 * time.Second
)

// How messages are sent.
const (
	sendSame   = "same"
	sendText   = "text"
	sendBinary = "binary"
)

// Listen opens the socket, with TLS if there is a CertFile. Nothing is accepted before Serve.
func Listen(ctx context.Context, cfg Config) (gateway.Listener, error) {
	if err := cfg.Check(); err != nil {
		return nil, fmt.Errorf("opening WebSocket listener: %w", err)
	}
	s := newServer(cfg)
	cfg.Upgrade = &listener.Upgrade{
		Name: "WebSocket handshake", Timeout: cmp.Or(cfg.RequestTimeout, defaultRequestTimeout),
		Handshakes: s.handshakes, Accept: s.accept,
	}
	if cfg.CertFile != "" {
		return listener.ListenTLS(ctx, cfg.TLSConfig)
	}
	return listener.ListenTCP(ctx, cfg.TCPConfig)
}

// Check reports settings that [Listen] would refuse, except for those of the sockets below.
func (cfg Config) Check() error {
	switch {
	case cfg.Path != "" && !strings.HasPrefix(cfg.Path, "/"):
		return fmt.Errorf("path %q: it must begin with /", cfg.Path)
	case strings.Contains(strings.TrimSuffix(cfg.Path, "/*"), "*"):
		return fmt.Errorf("path %q: * is allowed only in a final /*", cfg.Path)
	case cfg.Send != "" && cfg.Send != sendSame && cfg.Send != sendText && cfg.Send != sendBinary:
		return fmt.Errorf("send %q: it must be %s, %s or %s", cfg.Send, sendSame, sendText, sendBinary)
	case cfg.MaxMessageBytes < 0 || cfg.PingInterval < 0 || cfg.RequestTimeout < 0:
		return errors.New("a limit is negative")
	}
	for _, p := range cfg.Subprotocols {
		if !httpguts.ValidHeaderFieldName(p) { // both are tokens of HTTP
			return fmt.Errorf("subprotocol %q: it may have letters, digits and !#$%%&'*+-.^_`|~", p)
		}
	}
	for _, h := range cfg.Headers {
		if !httpguts.ValidHeaderFieldName(h) {
			return fmt.Errorf("header %q: it is not a valid header name", h)
		}
		if secretHeader(h) {
			return fmt.Errorf("header %q: it contains a secret; handlers receive Basic credentials as username and "+
				"password", h)
		}
	}
	return nil
}

// secretHeader reports whether a header is known to hold secrets, which must not reach captures.
func secretHeader(name string) bool {
	switch textproto.CanonicalMIMEHeaderKey(name) {
	case "Authorization", "Proxy-Authorization", "Cookie":
		return true
	}
	return false
}
