package ws

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// mostUnanswered is how many pings in a row may go unanswered: a network may lose one for a while.
const mostUnanswered = 2

// pinged is the connection of a pinger.
type pinged interface {
	Readable() bool
	SendControl(frame []byte) bool
	Close(reason gateway.CloseReason) gateway.Result
}

// pinger pings one device, and closes its connection when it no longer answers. Anything that the device sends is an
// answer. While the connection is not read, nothing is counted.
type pinger struct {
	receiving atomic.Bool // the reading goroutine is in Receive
	heard     atomic.Bool // the device has sent something since the last ping

	mu         sync.Mutex // guards the fields below
	timer      *time.Timer
	stopped    bool
	unanswered int
}

// start pings c every interval, unless that is zero.
func (p *pinger) start(c pinged, interval time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if interval > 0 && !p.stopped {
		p.timer = time.AfterFunc(interval, func() { p.tick(c, interval) })
	}
}

func (p *pinger) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	if p.timer != nil {
		p.timer.Stop()
	}
}

func (p *pinger) receive() {
	p.receiving.Store(true)
	p.heard.Store(true)
}

func (p *pinger) received() { p.receiving.Store(false) }

func (p *pinger) tick(c pinged, interval time.Duration) {
	readable := c.Readable()
	if p.dead(readable) {
		c.Close(gateway.ReasonPingTimeout.With("%d pings were not answered", mostUnanswered))
		return
	}
	sent := c.SendControl(pingFrame)
	p.mu.Lock()
	defer p.mu.Unlock()
	if sent {
		p.unanswered++
	}
	if !p.stopped {
		p.timer.Reset(interval)
	}
}

// dead reports whether the device has not answered for too long.
func (p *pinger) dead(readable bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.heard.Swap(false) || p.receiving.Load() || !readable {
		p.unanswered = 0
	}
	return p.unanswered >= mostUnanswered
}

var pingFrame = appendFrame(nil, opPing, nil)
