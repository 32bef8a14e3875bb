package udp

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"
)

// loss is the reason for dropping a datagram.
type loss uint8

const (
	lostOverflow     loss = iota // the socket's buffer was full; sampled, see mux.sweep
	lostTruncated                // longer than the listener takes
	lostQueueFull                // its peer's handler is slower than the peer
	lostOverRate                 // its connection has received more than its rate allows
	lostClosed                   // its connection ended before it was handled
	lostScreened                 // its unknown source may not open a connection with it, or at all
	lostTooManyPeers             // the listener has as many peers as it may
	lostNewPeerRate              // new peers come too fast, in all or from that prefix
	lostNotAdmitted              // a limit of the listener refused the new peer
	lostRefused                  // the gateway refused the new connection
	lostSendFull                 // outgoing: the socket's buffer is full
	lostSendTooLong              // outgoing: longer than a datagram can be
	lostSendFailed               // outgoing: anything else, as no route to the peer
	losses                       // how many there are
)

func (l loss) String() string {
	return [losses]string{
		"receive_buffer_full", "truncated", "queue_full", "over_rate", "after_close", "screened", "max_peers",
		"new_peer_rate", "not_admitted", "refused",
		"send_buffer_full", "send_too_long", "send_failed",
	}[l]
}

// lossCounters holds a listener's counter for each loss.
type lossCounters [losses]prometheus.Counter

func newLossCounters(m *Metrics, listener string) *lossCounters {
	var c lossCounters
	for l := range losses {
		c[l] = m.dropped.WithLabelValues(listener, l.String())
	}
	return &c
}

func (c *lossCounters) add(l loss) { c[l].Inc() }

// sendLoss returns the reason for a failed send.
func sendLoss(err error) loss {
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ENOBUFS):
		return lostSendFull
	case errors.Is(err, unix.EMSGSIZE):
		return lostSendTooLong
	}
	return lostSendFailed
}

// Metrics counts dropped datagrams.
type Metrics struct {
	dropped *prometheus.CounterVec
}

// NewMetrics creates a set and registers it with reg, unless reg is nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "exgate_datagrams_dropped_total", Help: "UDP datagrams dropped, in either direction, by reason.",
	}, []string{"listener", "reason"})}
	if reg != nil {
		reg.MustRegister(m.dropped)
	}
	return m
}
