package main

import (
	exproto "github.com/exgate/exgate/hostabi/sdk/go"
	"github.com/exgate/exgate/hostabi/sdk/go/framing"
)

type device struct {
	exproto.Defaults
	conn  *exproto.Conn
	lines *framing.Framer
}

func (d *device) OnReceivedBytes(b []byte) exproto.Action {
	for line, err := range d.lines.Frames(&b) {
		if err != nil {
			return exproto.Close
		}
		d.conn.Send(append(line, "!\n"...))
	}
	return exproto.Continue
}

func protocol([]byte) (exproto.NewHandler, error) {
	lines, err := framing.New(framing.Delimiter{Bytes: []byte("\n"), Max: 1024, Strip: framing.StripLine})
	return func(c *exproto.Conn) exproto.Handler { return &device{conn: c, lines: lines.Framer()} }, err
}

func init() { exproto.Serve(protocol) }

func main() {}
