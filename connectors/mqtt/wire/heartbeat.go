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

// Heartbeat keeps a connection alive. paho reports activity to it; Tick, called by one goroutine for all connections,
// sends the pings.
type Heartbeat struct {
	Conn     *Conn
	interval atomic.Int64 // between pings, in nanoseconds; 0: no pings
	heard    atomic.Bool  // something arrived since the last tick
	awaited  atomic.Bool  // ask wrote a PINGREQ since the last tick
	onPong   func(n uint32)

	mu      sync.Mutex
	asks    uint32 // PINGREQs written; guarded by mu
	answers uint32 // PINGRESPs received; guarded by mu

	lastAsked  time.Time // owned by tick
	askedSince time.Time // a PINGREQ is unanswered since then; owned by tick
}

var _ paho.Pinger = (*Heartbeat)(nil)

// Start initializes h. It must be called before the connection is used.
func (h *Heartbeat) Start(w *Conn, now time.Time, onPong func(n uint32)) {
	h.Conn, h.lastAsked, h.onPong = w, now, onPong
}

// Run stores the keep-alive that the broker wants, in seconds.
func (h *Heartbeat) Run(_ context.Context, _ net.Conn, keepAlive uint16) error {
	h.interval.Store(int64(time.Duration(keepAlive) * time.Second * 3 / 4))
	return nil
}

// PacketReceived counts any packet as a sign of life.
func (h *Heartbeat) PacketReceived() { h.heard.Store(true) }

// PacketSent does nothing: sending does not prove that the broker is alive, so pings are sent regardless of traffic.
func (h *Heartbeat) PacketSent() {}

// PingResp answers the oldest PINGREQ without an answer.
func (h *Heartbeat) PingResp() {
	h.mu.Lock()
	h.answers++
	n := h.answers
	h.mu.Unlock()
	h.onPong(n)
}

// Ask writes a PINGREQ and returns its number. A broker that answers it has read everything written before.
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
