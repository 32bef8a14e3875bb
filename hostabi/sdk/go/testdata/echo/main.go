package main

import exproto "github.com/exgate/exgate/hostabi/sdk/go"

type echo struct {
	exproto.Defaults
	conn *exproto.Conn
}

func (e *echo) OnReceivedBytes(b []byte) exproto.Action {
	e.conn.Send(b)
	return exproto.Continue
}

func init() {
	exproto.Serve(func(config []byte) (exproto.NewHandler, error) {
		return func(c *exproto.Conn) exproto.Handler { return &echo{conn: c} }, nil
	})
}

func main() {}
