package remote

import (
	"fmt"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote/session"
)

// Dialect is the form of the handler's service. The messages are the same in each but [DialectSession].
type Dialect string

const (
	// DialectUnary is emqx.exproto.v1.ConnectionUnaryHandler, one RPC for each event: the service of handlers for EMQX
	// 5.1 and later.
	DialectUnary Dialect = "unary"
	// DialectStream is emqx.exproto.v1.ConnectionHandler with client-streaming methods: the service of handlers for
	// EMQX 4.3 to 5.x.
	DialectStream Dialect = "stream"
	// DialectUnaryV42 is emqx.exproto.v1.ConnectionHandler with unary methods: the service of handlers for EMQX
	// Enterprise 4.2.
	DialectUnaryV42 Dialect = "unary-v42"
	// DialectSession is exgate.handler.v1, exgate's own: one stream carries the events and commands of many
	// connections.
	DialectSession Dialect = "session"
	// DialectAuto finds out which of the others the handler serves.
	DialectAuto Dialect = "auto"
)

// constructor returns the constructor of handlers in dialect d.
func (c *Client) constructor(d Dialect) (func(gateway.ConnectionAdapter) gateway.ConnectionHandler, error) {
	switch d {
	case DialectUnary:
		return c.caller.Unary(), nil
	case DialectUnaryV42:
		return c.caller.UnaryV42(), nil
	case DialectStream:
		c.streams = c.caller.Streams()
		return c.streams.NewHandler, nil
	case DialectSession:
		c.session = session.New(c.target, c.sessions)
		return c.session.NewHandler, nil
	case DialectAuto:
		c.auto = newAuto(c)
		return c.auto.newHandler, nil
	default:
		return nil, fmt.Errorf("unknown dialect %q; the dialects are %q, %q, %q, %q and %q",
			string(d), string(DialectUnary), string(DialectStream), string(DialectUnaryV42), string(DialectSession),
			string(DialectAuto))
	}
}

// unimplemented returns what to check if the handler lacks the methods of dialect d.
func (d Dialect) unimplemented() string {
	if d == DialectAuto {
		return "that the handler serves ConnectionUnaryHandler or ConnectionHandler of emqx.exproto.v1, or " +
			"exgate.handler.v1.SessionHandler, on this address"
	}
	const check = "that the handler serves all five methods, and the setting dialect: it is %s, "
	switch d {
	case DialectUnary:
		return fmt.Sprintf(check+"handlers written for EMQX 4.2 to 5.0 need stream", d)
	case DialectSession:
		return fmt.Sprintf(check+"handlers written for EMQX 5.1 and later need unary, older ones stream", d)
	default:
		return fmt.Sprintf(check+"handlers written for EMQX 5.1 and later need unary", d)
	}
}
