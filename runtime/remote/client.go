package remote

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote/internal/backend"
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
	// connection belongs to one. Events of a method then follow each other without an answer of the handler, and a handler that is slow with one
	// delays the others of its set. If zero, each event has a stream of its own, which the handler answers; one that does not answer gets one set.
	StreamSets int
	// MaxBatch is how many messages one OnReceivedMessages may carry. Handlers that look only at the first message need 1. If zero, 100.
	MaxBatch int
	// CallTimeout is how long a callback may take. A callback over it fails its connection with handler_timeout. If zero, 10 s.
	CallTimeout time.Duration
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
)

// Client calls one handler, at one or more backends, over an HTTP/2 connection to each, which it makes at the start and again whenever it is lost.
type Client struct {
	name       string
	address    string // all of them
	dialect    Dialect
	streamSets int
	maxBatch   int
	timeout    time.Duration
	pool       *backend.Pool
	conns      *registry // of the adapter
	metrics    *Metrics
	failures   *failureLog
	auto       *auto // nil in other dialects
	newHandler func(gateway.ConnectionAdapter) gateway.ConnectionHandler
	streams    *streamDialect // nil in other dialects
}

var _ gateway.HandlerFactory = (*Client)(nil)

// NewClient makes the client of a handler that calls back through adapter. It does not wait for the handler: one that is down refuses
// connections until it is up. Errors name the field of cfg to change.
func NewClient(cfg ClientConfig, adapter *Adapter) (*Client, error) {
	c, err := newClient(cfg, adapter)
	if err != nil {
		return nil, fmt.Errorf("making the client of handler %q: %w", cfg.Name, err)
	}
	return c, nil
}

func newClient(cfg ClientConfig, adapter *Adapter) (_ *Client, err error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(adapter); err != nil {
		return nil, err
	}
	address := strings.Join(cfg.Addresses, ",")
	c := &Client{
		name: cfg.Name, address: address, dialect: cfg.Dialect, streamSets: cfg.StreamSets, maxBatch: cfg.MaxBatch, timeout: cfg.CallTimeout,
		conns: adapter.conns.register(cfg.Name, cfg.AdapterToken), metrics: cfg.Metrics,
		failures: &failureLog{log: cfg.Logger.With("handler", cfg.Name, "address", address)},
	}
	defer func() {
		if err != nil {
			c.conns.leave()
		}
	}()
	if c.newHandler, err = c.speak(cfg.Dialect); err != nil {
		return nil, err
	}
	if c.pool, err = connect(cfg); err != nil {
		return nil, err
	}
	if c.auto != nil {
		c.auto.start()
	}
	return c, nil
}

// NewHandler makes the handler of a connection.
func (c *Client) NewHandler(conn gateway.ConnectionAdapter) (gateway.ConnectionHandler, error) {
	return c.newHandler(conn), nil
}

// Close ends the connections to the handler. Callbacks in flight fail.
func (c *Client) Close(context.Context) error {
	if c.auto != nil {
		c.auto.close()
	}
	c.conns.leave()
	err := c.pool.Close()
	if c.streams != nil {
		c.streams.close()
	}
	if err != nil {
		return fmt.Errorf("closing the client of handler %q: %w", c.name, err)
	}
	return nil
}

func (cfg ClientConfig) withDefaults() ClientConfig {
	if cfg.Dialect == "" {
		cfg.Dialect = DialectUnary
	}
	if cfg.MaxBatch == 0 {
		cfg.MaxBatch = defaultMaxBatch
	}
	if cfg.CallTimeout == 0 {
		cfg.CallTimeout = defaultCallTimeout
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
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
	case adapter == nil:
		return errors.New("the handler has no adapter to call")
	}
	return nil
}
