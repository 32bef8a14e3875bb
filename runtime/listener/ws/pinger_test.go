package ws

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// pingedConn is a connection without a socket.
type pingedConn struct {
	paused, full bool
	pings        int
	closed       *gateway.CloseReason
}

func (c *pingedConn) Readable() bool { return !c.paused }

func (c *pingedConn) SendControl([]byte) bool {
	if !c.full {
		c.pings++
	}
	return !c.full
}

func (c *pingedConn) Close(r gateway.CloseReason) gateway.Result {
	c.closed = &r
	return gateway.OK
}

func TestPinger(t *testing.T) {
	const interval = time.Minute
	for name, c := range map[string]struct {
		conn   pingedConn
		during func(p *pinger) // after each ping
		pings  int
		closed bool
	}{
		"silent":         {during: func(*pinger) {}, pings: 2, closed: true},
		"answers":        {during: func(p *pinger) { p.receive(); p.received() }, pings: 10},
		"busy handler":   {during: func(p *pinger) { p.receive() }, pings: 10},
		"paused":         {conn: pingedConn{paused: true}, during: func(*pinger) {}, pings: 10},
		"does not read":  {conn: pingedConn{full: true}, during: func(*pinger) {}},
		"closed by then": {during: func(p *pinger) { p.stop() }, pings: 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var p pinger
				p.start(&c.conn, interval)
				defer p.stop()
				time.Sleep(interval / 2)
				for range 10 {
					time.Sleep(interval)
					synctest.Wait()
					c.during(&p)
				}
				if c.conn.pings != c.pings || (c.conn.closed != nil) != c.closed {
					t.Errorf("%d pings, closed %v", c.conn.pings, c.conn.closed)
				}
				if c.closed && !c.conn.closed.Is(gateway.ReasonPingTimeout) {
					t.Errorf("closed with %v", c.conn.closed)
				}
			})
		})
	}
}
