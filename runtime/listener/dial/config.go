package dial

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener"
	"github.com/exgate/exgate/runtime/listener/admission"
)

// Config configures a dial listener.
type Config struct {
	// Name identifies the listener in metrics and logs.
	Name string
	// Targets is the list, unless File has it. Wrong lines are logged and left out.
	Targets List
	// File is a list that is read again when it changes. Optional.
	File *File
	// Admission has the access list for addresses that may be dialed, and the limits. If zero, any address may be
	// dialed except the special ones, and nothing is limited.
	Admission *admission.Admission
	// Options sets socket options of TCP and TLS connections. If zero, the default of each.
	Options listener.SocketOptions
	// TLS is for targets at tls://. An empty ServerName is the host of the target. If nil, the system's authorities.
	TLS *tls.Config
	// ConnectTimeout bounds one attempt: name lookup, connection and TLS handshake. If zero, 5 s.
	ConnectTimeout time.Duration
	// MaxDialing bounds the attempts under way. Targets that were not connected before get at most
	// half of them. If zero, 256.
	MaxDialing int
	// MinPause is the pause after the first failure. It doubles with each failure, up to MaxPause, and a random part of
	// up to half is left out. If zero, 1 s.
	MinPause time.Duration
	// MaxPause is the longest pause. A connection that lasted longer resets the pause. If zero, 1 min.
	MaxPause time.Duration
	// IdleTimeout ends a UDP connection whose target has sent nothing for this long, unless the handler started the
	// keepalive timer. If zero, that of [gateway.DefaultLimits].
	IdleTimeout time.Duration
	// Logger logs failures, at most one line of a cause in 10 s. If zero, slog.Default().
	Logger *slog.Logger
	// Metrics counts events. If zero, an unregistered set.
	Metrics *Metrics
}

func (c Config) withDefaults() Config {
	c.ConnectTimeout = cmp.Or(c.ConnectTimeout, 5*time.Second)
	c.MaxDialing = cmp.Or(c.MaxDialing, 256)
	c.MinPause = cmp.Or(c.MinPause, time.Second)
	c.MaxPause = cmp.Or(c.MaxPause, max(time.Minute, c.MinPause))
	c.IdleTimeout = cmp.Or(c.IdleTimeout, gateway.DefaultLimits.IdleTimeout)
	if c.TLS == nil {
		c.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics(nil)
	}
	if c.File != nil {
		c.Targets = c.File.List()
	}
	return c
}

func (c Config) check() error {
	switch {
	case c.ConnectTimeout < 0 || c.MinPause < 0 || c.MaxPause < 0 || c.IdleTimeout < 0:
		return errors.New("a time must not be negative")
	case c.MaxDialing < 0:
		return fmt.Errorf("%d attempts under way: must not be negative", c.MaxDialing)
	case c.MinPause > c.MaxPause:
		return fmt.Errorf("the first pause, %s, is above the longest, %s", c.MinPause, c.MaxPause)
	}
	return nil
}
