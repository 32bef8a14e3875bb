package remote

import (
	"fmt"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway"
)

// Dialect is the form of the handler's service. The messages are the same in each.
type Dialect string

// DialectUnary is emqx.exproto.v1.ConnectionUnaryHandler, one RPC an event: what handlers for EMQX 5.1 and later serve.
const DialectUnary Dialect = "unary"

// speak returns what makes the handlers of connections in dialect d.
func (c *Client) speak(d Dialect) (func(gateway.ConnectionAdapter) gateway.ConnectionHandler, error) {
	switch d {
	case "", DialectUnary:
		return newUnary(c, exproto.ConnectionUnaryHandler_ServiceDesc.ServiceName), nil
	default:
		return nil, fmt.Errorf("dialect %q is not served; this version serves %q", string(d), string(DialectUnary))
	}
}
