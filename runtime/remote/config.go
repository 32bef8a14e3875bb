package remote

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// ClientConfig configures a Client.
type ClientConfig struct {
	// Name is the handler's name in the configuration, in logs and in metrics. Required.
	Name string
	// Addresses are where the handler listens, each as host:port. The forms http://host:port and https://host:port of
	// EMQX's configuration are accepted too; https without TLS uses the system's certificate authorities. A DNS name
	// stands for all its addresses, and is looked up again every 30 s and when a backend is lost. The connection of a
	// device stays at one backend, see OnFailure. At least one is required.
	Addresses []string
	// Dialect is the form of the handler's service. If zero, DialectUnary.
	Dialect Dialect
	// StreamSets is the number of stream sets, each of one stream for every method, that the connections to a backend
	// share in DialectStream; each connection belongs to one set. Events on a shared stream do not wait for the
	// handler's answer. In the handler, events of different methods may overtake each other, and a slow one delays the
	// others of its set. If zero, each event has a stream of its own, which the handler answers; a handler that does
	// not answer gets one set.
	StreamSets int
	// MaxBatch bounds the messages of one OnReceivedMessages. Handlers that only look at the first message need 1. If
	// zero, 100.
	MaxBatch int
	// CallTimeout bounds a callback. One that takes longer closes its connection with handler_timeout. If zero, 10 s.
	CallTimeout time.Duration
	// OnFailure says what happens to a device whose handler cannot accept an event. OnSocketClosed is retried for 5 min
	// in any case. In DialectSession, whose handlers forget their connections with the stream, OnFailureClose closes
	// idle devices too. If zero, OnFailureClose.
	OnFailure OnFailure
	// HoldTimeout is how long an event waits for the handler to be back, see OnFailure. Meanwhile the device's socket
	// stays open and is not read. If zero, 30 s.
	HoldTimeout time.Duration
	// MaxInFlight bounds the concurrent callbacks of all connections together; further ones wait in order.
	// DialectSession has windows instead: 64 events and 64 KiB for each connection, 64 MiB in all. If zero, 1000.
	MaxInFlight int
	// MaxMessageSize bounds the request of a callback, in bytes. In DialectSession it is at most 4 MiB, which every
	// gRPC server accepts. If zero, 16 MiB.
	MaxMessageSize int
	// Token is sent with each callback as the metadata authorization: Bearer TOKEN. In plain text it is only sent to
	// loopback addresses. Optional.
	Token string
	// AdapterToken is what calls to the adapter must present, as the metadata authorization: Bearer TOKEN, to act on
	// the connections of this handler. Handlers with the same token share their connections. If zero, calls without a
	// token may act on them.
	AdapterToken string
	// TLS secures the connections to the handler. If zero, plain text, unless Addresses say https.
	TLS *tls.Config
	// Logger receives the failures of the handler. If zero, slog.Default().
	Logger *slog.Logger
	// Metrics counts calls. If zero, an unregistered set.
	Metrics *Metrics
}

const (
	defaultMaxBatch    = 100
	defaultCallTimeout = 10 * time.Second
	defaultHoldTimeout = 30 * time.Second
	defaultMaxInFlight = 1000
	defaultMaxMessage  = 16 << 20 // one Send may have 8 MiB, and the send queue of a device holds 16 MiB
)

func (cfg ClientConfig) withDefaults() ClientConfig {
	cfg.Dialect = cmp.Or(cfg.Dialect, DialectUnary)
	cfg.MaxBatch = cmp.Or(cfg.MaxBatch, defaultMaxBatch)
	cfg.CallTimeout = cmp.Or(cfg.CallTimeout, defaultCallTimeout)
	cfg.OnFailure = cmp.Or(cfg.OnFailure, OnFailureClose)
	cfg.HoldTimeout = cmp.Or(cfg.HoldTimeout, defaultHoldTimeout)
	cfg.MaxInFlight = cmp.Or(cfg.MaxInFlight, defaultMaxInFlight)
	cfg.MaxMessageSize = cmp.Or(cfg.MaxMessageSize, defaultMaxMessage)
	cfg.Logger = cmp.Or(cfg.Logger, slog.Default())
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
	return cfg
}

func (cfg ClientConfig) check(adapter *Adapter) error {
	switch {
	case cfg.Name == "":
		return errors.New("no name")
	case len(cfg.Addresses) == 0:
		return errors.New("no address")
	case cfg.MaxBatch < 0:
		return fmt.Errorf("max batch %d is negative", cfg.MaxBatch)
	case cfg.StreamSets < 0:
		return fmt.Errorf("stream sets %d is negative", cfg.StreamSets)
	case cfg.CallTimeout < 0:
		return fmt.Errorf("call timeout %v is negative", cfg.CallTimeout)
	case cfg.HoldTimeout < 0:
		return fmt.Errorf("hold timeout %v is negative", cfg.HoldTimeout)
	case cfg.MaxInFlight < 0:
		return fmt.Errorf("max in flight %d is negative", cfg.MaxInFlight)
	case cfg.MaxMessageSize < 0:
		return fmt.Errorf("max message size %d is negative", cfg.MaxMessageSize)
	case adapter == nil:
		return errors.New("no adapter for the calls of the handler")
	}
	return cfg.OnFailure.Check()
}
