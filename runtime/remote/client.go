package remote

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote/internal/backend"
)

// Client calls one handler, at one or more backends, over an HTTP/2 connection to each, which it makes at the start and again whenever it is lost.
type Client struct {
	name       string
	address    string // all of them
	dialect    Dialect
	streamSets int
	maxBatch   int
	maxMessage int // bytes
	timeout    time.Duration
	onFailure  OnFailure
	patience   time.Duration // with an event that fails
	pool       *backend.Pool
	secure     bool // over TLS
	traffic    *traffic
	farewells  *farewells
	conns      *registry     // of the adapter
	raw        *rawPublishes // of the adapter
	metrics    *Metrics
	failures   *failureLog
	auto       *auto // nil in other dialects
	newHandler func(gateway.ConnectionAdapter) gateway.ConnectionHandler
	streams    *streamDialect  // nil in other dialects
	session    *handlerSession // nil in other dialects
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
		name: cfg.Name, address: address, dialect: cfg.Dialect, streamSets: cfg.StreamSets, maxBatch: cfg.MaxBatch, maxMessage: cfg.MaxMessageSize, timeout: cfg.CallTimeout,
		onFailure: cfg.OnFailure, patience: cfg.OnFailure.patience(cfg.HoldTimeout), traffic: cfg.Metrics.delivery.traffic(cfg.Name),
		conns: adapter.conns.register(cfg.Name, cfg.AdapterToken), raw: adapter.raw, metrics: cfg.Metrics,
		failures: &failureLog{log: cfg.Logger.With("handler", cfg.Name, "address", address)},
	}
	c.farewells = cfg.Metrics.delivery.farewells(cfg.Name, c.sayFarewell, cfg.Logger.With("handler", cfg.Name))
	defer func() {
		if err != nil {
			c.conns.leave()
			if c.session != nil {
				c.session.close(context.Background())
			}
		}
	}()
	if c.newHandler, err = c.speak(cfg.Dialect); err != nil {
		return nil, err
	}
	if c.pool, c.secure, err = connect(cfg); err != nil {
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

// Close ends the connections to the handler. Callbacks in flight fail. OnSocketClosed that waits for the handler is given up after 2 s, or at ctx's
// end if that is sooner.
func (c *Client) Close(ctx context.Context) error {
	c.farewells.close(ctx)
	if c.auto != nil {
		c.auto.close()
	}
	if c.session != nil {
		c.session.close(ctx)
	}
	c.conns.leave()
	err := c.pool.Close()
	if c.streams != nil {
		c.streams.close()
	}
	c.farewells.drop()
	if err != nil {
		return fmt.Errorf("closing the client of handler %q: %w", c.name, err)
	}
	return nil
}
