package remote

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// ClientConfig is a client's.
type ClientConfig struct {
	// Name is the handler's name in the configuration, in logs and in metrics. It is required.
	Name string
	// Addresses are where the handler listens, each as host:port. The forms http://host:port and https://host:port of EMQX's configuration are
	// taken too; https without TLS uses the system's certificate authorities. A DNS name stands for all its addresses and is looked up again
	// every 30 s and when a backend is lost. A device's connection stays at one backend for life, see OnFailure. At least one is required.
	Addresses []string
	// Dialect is the form of the handler's service. If zero, DialectUnary.
	Dialect Dialect
	// StreamSets is how many sets of streams, one stream for each of the five methods, the connections to a backend share in DialectStream; each
	// connection belongs to one. Events of a method then follow each other without an answer of the handler, events of different methods may
	// overtake each other in the handler, and a handler that is slow with one delays the others of its set. If zero, each event has a stream of its
	// own, which the handler answers; one that does not answer gets one set.
	StreamSets int
	// MaxBatch is how many messages one OnReceivedMessages may carry. Handlers that look only at the first message need 1. If zero, 100.
	MaxBatch int
	// CallTimeout is how long a callback may take. A callback over it fails its connection with handler_timeout. If zero, 10 s.
	CallTimeout time.Duration
	// OnFailure says what becomes of a device whose handler cannot take an event. OnSocketClosed is tried again for 5 min in any case. If zero,
	// OnFailureClose. In DialectSession, whose handlers forget their connections with their stream, it closes idle devices too.
	OnFailure OnFailure
	// HoldTimeout is for how long an event waits for the handler to be back, see OnFailure. Meanwhile the device's socket is held open and not read.
	// If zero, 30 s.
	HoldTimeout time.Duration
	// MaxInFlight bounds the callbacks under way, of all connections together. Further ones wait in the order they came. DialectSession has
	// windows instead: 64 events and 64 KiB for each connection, 64 MiB in all. If zero, 1000.
	MaxInFlight int
	// MaxMessageSize bounds a callback's request, in bytes. In DialectSession it is 4 MiB at most, which every gRPC server takes. If zero, 16 MiB.
	MaxMessageSize int
	// Token is sent with each callback as the metadata authorization: Bearer TOKEN. Over plain text it is taken for loopback addresses only. If zero,
	// nothing is sent.
	Token string
	// AdapterToken is what a call to the adapter must present, as the metadata authorization: Bearer TOKEN, to touch the connections of this
	// handler. Handlers with one token share their connections. If zero, calls without a token may touch them.
	AdapterToken string
	// TLS secures the connections to the handler. If zero, plain text, unless Addresses say https.
	TLS *tls.Config
	// Logger takes the failures of the handler. If zero, slog.Default().
	Logger *slog.Logger
	// Metrics counts. If zero, an unregistered set.
	Metrics *Metrics
}

const (
	defaultMaxBatch    = 100
	defaultCallTimeout = 10 * time.Second
	defaultHoldTimeout = 30 * time.Second
	defaultMaxInFlight = 1000
	defaultMaxMessage  = 16 << 20 // handlers send 8 MiB in one Send, and a device's send queue holds 16 MiB
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
		return errors.New("it has no name")
	case len(cfg.Addresses) == 0:
		return errors.New("it has no address")
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
		return errors.New("the handler has no adapter to call")
	}
	return cfg.OnFailure.Check()
}
