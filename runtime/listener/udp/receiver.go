package udp

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/exgate/exgate/runtime/listener/admission"
)

// datagrams is a UDP socket as the mux sees it.
type datagrams interface {
	// read waits for datagrams and returns how many came. After stop it fails with net.ErrClosed.
	read() (int, error)
	// at is datagram i of the last read, valid until the next.
	at(i int) arrival
	// write sends b as one datagram and never waits: what the socket does not take fails. If from is zero, the kernel
	// picks the address that it leaves from. Safe for concurrent use, also with read.
	write(b []byte, to netip.AddrPort, from netip.Addr) error
	addr() netip.AddrPort
	// overflowed is how many datagrams the kernel has dropped so far because they were not read fast enough, modulo
	// 2^32. The sweep alone calls it.
	overflowed() uint32
	// stop ends read; writing goes on until close.
	stop()
	close() error
}

// arrival is one datagram that came in.
type arrival struct {
	b         []byte
	source    netip.AddrPort
	local     netip.Addr // what it was sent to; zero where the socket is bound to one address
	truncated bool       // it was longer than the buffer
}

// Receiver is what a peer's datagrams go to. Its methods are called one at a time.
type Receiver interface {
	// Ready reports whether receive may be called. Where it may not, ready calls wake once, on another goroutine, when
	// it may.
	Ready(wake func()) bool
	// Receive takes the next datagram, in the order of arrival. b is valid during the call.
	Receive(b []byte)
	// Idle says that nothing came for the idle timeout. It is called again and again until something comes or the peer
	// is closed.
	Idle()
	// Ended is the last call, once, after the peer was closed from any side.
	Ended()
}

// Hooks are what a mux calls.
type Hooks struct {
	// Screen says on the receiving goroutine whether a datagram of an unknown source may open a peer, before that costs
	// anything. It must not block. If zero, each may.
	Screen func(source netip.AddrPort, b []byte) bool
	// NewPeer makes the receiver of a new peer, before the first datagram is handed to it. nil refuses the peer.
	NewPeer func(p *Peer) Receiver
	// Inline runs NewPeer and the receivers on the goroutine that reads the socket (Ended and Idle: on the one that
	// closes or sweeps) and not on workers: they must not block then.
	Inline bool
}

// muxConfig is a mux's. Zero fields mean what they say, the listeners fill in defaults.
type muxConfig struct {
	Hooks
	// admit counts the peer that would be made for source, or refuses it. It must not block. If zero, all are admitted.
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
