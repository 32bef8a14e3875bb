package udp

import (
	"cmp"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener/admission"
	"github.com/exgate/exgate/runtime/listener/sockets"
)

// Config configures a UDP listener.
type Config struct {
	// Name identifies the listener in metrics. If zero, Bind.
	Name string
	// Bind is the address to listen on, as host:port; without a host, all addresses; replies then leave from the
	// address that the peer used.
	Bind string
	// Admission decides who may connect. If zero, every address may.
	Admission *admission.Admission
	// IdleTimeout ends a peer that has sent nothing for this long, unless its handler started the keepalive timer,
	// which then decides. It is checked eight times per timeout. If zero, 30 s.
	IdleTimeout time.Duration
	// MaxPeers bounds the number of peers. If zero, 50,000.
	MaxPeers int
	// NewPeersPerSecond bounds the new peers each second, so that a flood of forged source addresses stays cheap. One
	// second's allowance may come at once. If zero, 2,000.
	NewPeersPerSecond float64
	// NewPeersPerPrefix bounds the same for one IPv4 /24 or IPv6 /64. If zero, half of NewPeersPerSecond.
	NewPeersPerPrefix float64
	// QueueDatagrams bounds the datagrams of one peer that wait for its handler; further ones are dropped. If zero, 64.
	QueueDatagrams int
	// MaxDatagram is the largest datagram accepted, in bytes; longer ones are dropped. If zero, 65,507, the maximum of
	// UDP.
	MaxDatagram int
	// ReadBuffer is the size of the socket's receive buffer in bytes, capped by the kernel (net.core.rmem_max). If
	// zero, 4 MiB.
	ReadBuffer int
	// WriteBuffer is the size of its send buffer in bytes, capped by the kernel (net.core.wmem_max). If zero, the
	// kernel's default.
	WriteBuffer int
	// Sockets opens the socket or takes an inherited one. If zero, it is opened.
	Sockets *sockets.Sockets
	// Logger logs read errors. If zero, slog.Default().
	Logger *slog.Logger
	// Metrics counts events. If zero, an unregistered set.
	Metrics *Metrics
}

const (
	// queueBytes bounds the datagrams of one peer that wait for its handler, in bytes; one datagram always fits.
	queueBytes = 128 << 10
	// maxWorkers is how many peers' handlers may run or block at the same time, besides those that wait for another
	// process; further peers wait.
	maxWorkers = 1024
)

func (c *Config) setDefaults() {
	c.Name = cmp.Or(c.Name, c.Bind)
	c.IdleTimeout = cmp.Or(c.IdleTimeout, gateway.DefaultLimits.IdleTimeout)
	c.MaxPeers = cmp.Or(c.MaxPeers, 50_000)
	c.NewPeersPerSecond = cmp.Or(c.NewPeersPerSecond, 2000)
	c.NewPeersPerPrefix = cmp.Or(c.NewPeersPerPrefix, c.NewPeersPerSecond/2)
	c.QueueDatagrams = cmp.Or(c.QueueDatagrams, 64)
	c.MaxDatagram = cmp.Or(c.MaxDatagram, 65_507)
	c.ReadBuffer = cmp.Or(c.ReadBuffer, 4<<20)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics(nil)
	}
}

// check reports invalid settings.
func (c *Config) check() error {
	for _, figure := range []struct {
		name  string
		value float64
	}{
		{"idle timeout", c.IdleTimeout.Seconds()},
		{"maximum of peers", float64(c.MaxPeers)},
		{"new peers a second", c.NewPeersPerSecond},
		{"new peers a second from one prefix", c.NewPeersPerPrefix},
		{"queue", float64(c.QueueDatagrams)},
		{"largest datagram", float64(c.MaxDatagram)},
		{"receive buffer", float64(c.ReadBuffer)},
		{"send buffer", float64(c.WriteBuffer)},
	} {
		if figure.value < 0 || math.IsNaN(figure.value) || math.IsInf(figure.value, 0) {
			return fmt.Errorf("%s: %v must be a number and not negative", figure.name, figure.value)
		}
	}
	return nil
}
