package remote

import (
	"context"
	"fmt"
	"strings"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote/adapter"
	"github.com/exgate/exgate/runtime/remote/callback"
	"github.com/exgate/exgate/runtime/remote/session"
	"github.com/exgate/exgate/runtime/remote/target"
)

// Client calls one handler at one or more backends. It connects to each at the start, and again whenever the connection
// is lost.
type Client struct {
	target     *target.Target
	conns      *adapter.Registration // with the adapter
	caller     *callback.Caller
	streams    *callback.Streams // nil in other dialects
	sessions   session.Config
	session    *session.Session // nil in other dialects
	auto       *auto            // nil in other dialects
	newHandler newHandler
}

var _ gateway.WaitingFactory = (*Client)(nil)

// NewClient returns the client of a handler that calls back through adapter. It does not wait for the handler:
// connections are refused while it is down. Errors name the field of cfg to change.
func NewClient(cfg ClientConfig, adapter *Adapter) (*Client, error) {
	c, err := newClient(cfg, adapter)
	if err != nil {
		return nil, fmt.Errorf("creating the client of handler %q: %w", cfg.Name, err)
	}
	return c, nil
}

func newClient(cfg ClientConfig, adapter *Adapter) (_ *Client, err error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(adapter); err != nil {
		return nil, err
	}
	address := strings.Join(cfg.Addresses, ",")
	t := &target.Target{
		Name: cfg.Name, Address: address, Unimplemented: cfg.Dialect.unimplemented(),
		MaxBatch: cfg.MaxBatch, MaxMessage: cfg.MaxMessageSize, Timeout: cfg.CallTimeout,
		OnFailure: cfg.OnFailure, Patience: cfg.OnFailure.Patience(cfg.HoldTimeout),
		Metrics: cfg.Metrics.target, Log: cfg.Logger.With("handler", cfg.Name, "address", address),
	}
	conns := adapter.Register(cfg.Name, cfg.AdapterToken)
	c := &Client{
		target: t, conns: conns,
		caller: callback.New(t, callback.Config{
			Directory: conns, StreamSets: cfg.StreamSets, Probing: cfg.Dialect == DialectAuto,
			Metrics: cfg.Metrics.caller,
		}),
		sessions: session.Config{
			RawPublish: adapter.RawPublish, Commands: cfg.Metrics.Adapter.Calls(), Metrics: cfg.Metrics.session,
		},
	}
	defer func() {
		if err != nil {
			c.conns.Leave()
			if c.session != nil {
				c.session.Close(context.Background())
			}
		}
	}()
	if c.newHandler, err = c.constructor(cfg.Dialect); err != nil {
		return nil, err
	}
	if t.Pool, t.Secure, err = connect(cfg); err != nil {
		return nil, err
	}
	if c.auto != nil {
		c.auto.start()
	}
	return c, nil
}

// NewHandler returns the handler of a connection.
func (c *Client) NewHandler(conn gateway.ConnectionAdapter) (gateway.ConnectionHandler, error) {
	return c.newHandler(conn), nil
}

// HandlersWait says that handlers wait for the service.
func (c *Client) HandlersWait() {}

// Close closes the connections to the handler. Callbacks in flight fail. Pending OnSocketClosed are given up after 2 s,
// or when ctx ends if that is sooner.
func (c *Client) Close(ctx context.Context) error {
	c.caller.Close(ctx)
	if c.auto != nil {
		c.auto.close()
	}
	if c.session != nil {
		c.session.Close(ctx)
	}
	c.conns.Leave()
	err := c.target.Pool.Close()
	if c.streams != nil {
		c.streams.Close()
	}
	c.caller.Drop()
	if err != nil {
		return fmt.Errorf("closing the client of handler %q: %w", c.target.Name, err)
	}
	return nil
}
