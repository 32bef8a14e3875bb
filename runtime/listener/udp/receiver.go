package udp

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/exgate/exgate/runtime/listener/admission"
)

// datagrams is a UDP socket as the mux sees it.
type datagrams interface {
	// read waits for datagrams and returns their number. After stop it fails with net.ErrClosed.
	read() (int, error)
	// at returns datagram i of the last read, valid until the next.
	at(i int) arrival
	// write sends b as one datagram and never waits: it fails if the socket does not accept b. If from is zero, the
	// kernel picks the source address. It is safe for concurrent use, also with read.
	write(b []byte, to netip.AddrPort, from netip.Addr) error
	addr() netip.AddrPort
	// overflowed returns how many datagrams the kernel has dropped because they were not read fast enough, modulo 2^32.
	// Only the sweep calls it.
	overflowed() uint32
	// stop ends read; writing continues until close.
	stop()
	close() error
}

// arrival is one received datagram.
type arrival struct {
	b         []byte
	source    netip.AddrPort
	local     netip.Addr // the destination address; zero if the socket is bound to one address
	truncated bool       // it was longer than the buffer
}

// Receiver handles the datagrams of a peer. Its methods are called one at a time.
type Receiver interface {
	// Ready reports whether Receive may be called. If not, Ready arranges for one call of wake, on another goroutine,
	// when it may.
	Ready(wake func()) bool
	// Receive handles the next datagram, in order of arrival. b is valid during the call.
	Receive(b []byte)
	// Idle is called when nothing arrived for the idle timeout, and again until something arrives or the peer is
	// closed.
	Idle()
	// Ended is the last call, once, after the peer was closed from any side.
	Ended()
}

// Hooks are called by a Mux.
type Hooks struct {
	// Screen reports whether a datagram of an unknown source may open a peer. It is called on the receiving goroutine
	// and must not block. If nil, every datagram may.
	Screen func(source netip.AddrPort, b []byte) bool
	// NewPeer makes the receiver of a new peer, before its first datagram. Returning nil refuses the peer.
	NewPeer func(p *Peer) Receiver
	// Inline runs NewPeer and the receivers on the goroutine that reads the socket (Ended and Idle: on the one that
	// closes or sweeps) instead of on workers. They must not block then.
	Inline bool
}

// muxConfig configures a Mux. NewMux fills in the defaults.
type muxConfig struct {
	Hooks
	// admit admits or refuses a new peer. It must not block. If nil, all are admitted.
	admit func(source netip.AddrPort) (admission.Ticket, bool)

	idleTimeout    time.Duration // see receiver.idle; zero: never
	maxPeers       int
	newPeers       float64 // a second, in all
	newPeersPrefix float64 // a second, from one /24 or /64
	queueDatagrams int     // that may wait for a receiver, each peer
	queueBytes     int     // the same in bytes; one datagram always fits
	workers        int     // that may be blocked in receivers at the same time
	losses         *lossCounters
	log            *slog.Logger
}
