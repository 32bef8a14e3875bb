package wire

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
	"github.com/eclipse/paho.golang/paho/log"
)

var errNoPong = errors.New("the broker did not answer PINGREQ")

// heartbeat keeps one link alive. paho tells it what happens; the connector's tick, one goroutine for all sessions, sends the pings.
type Heartbeat struct {
	Conn     *Conn
	interval atomic.Int64 // between pings, in nanoseconds; 0: none
	heard    atomic.Bool  // something arrived since the last tick
	awaited  atomic.Bool  // ask wrote a PINGREQ since the last tick
	onPong   func(n uint32)

	mu      sync.Mutex
	asks    uint32 // PINGREQs that were written; guarded by mu
	answers uint32 // PINGRESPs that arrived; guarded by mu

	lastAsked  time.Time // owned by tick
	askedSince time.Time // a PINGREQ is unanswered since then; owned by tick
}

var _ paho.Pinger = (*Heartbeat)(nil)

// start is called before the connection is used.
func (h *Heartbeat) Start(w *Conn, now time.Time, onPong func(n uint32)) {
	h.Conn, h.lastAsked, h.onPong = w, now, onPong
}

// Run gets the keep-alive as the broker wants it, in seconds.
func (h *Heartbeat) Run(_ context.Context, _ net.Conn, keepAlive uint16) error {
	h.interval.Store(int64(time.Duration(keepAlive) * time.Second * 3 / 4))
	return nil
}

// PacketReceived takes any packet as a sign of life.
func (h *Heartbeat) PacketReceived() { h.heard.Store(true) }

// PacketSent, PingResp and SetDebug have nothing to do: publishing alone does not notice a broker that reads and never answers, so
// pings go out whatever else does.
func (h *Heartbeat) PacketSent() {}

// PingResp answers the oldest PINGREQ without an answer.
func (h *Heartbeat) PingResp() {
	h.mu.Lock()
	h.answers++
	n := h.answers
	h.mu.Unlock()
	h.onPong(n)
}

// ask writes a PINGREQ and returns its number: a broker that answers it has read what was written before.
func (h *Heartbeat) Ask() (n uint32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asks++
	_, _ = packets.NewControlPacket(packets.PINGREQ).WriteTo(h.Conn)
	h.awaited.Store(true)
	return h.asks
}

// SetDebug is never called.
func (h *Heartbeat) SetDebug(log.Logger) {}

func (h *Heartbeat) Tick(now time.Time, timeout time.Duration) {
	if h.heard.Swap(false) {
		h.askedSince = time.Time{}
	}
	if h.awaited.Swap(false) && h.askedSince.IsZero() {
		h.lastAsked, h.askedSince = now, now
	}
	if !h.askedSince.IsZero() {
		if now.Sub(h.askedSince) >= timeout {
			h.Conn.Fail(errNoPong)
		}
		return
	}
	interval := time.Duration(h.interval.Load())
	if interval == 0 || now.Sub(h.lastAsked) < interval {
		return
	}
	h.lastAsked, h.askedSince = now, now
	h.Ask()
	h.awaited.Store(false)
}
