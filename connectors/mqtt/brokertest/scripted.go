package brokertest

import (
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/eclipse/paho.golang/packets"
)

// Scripted is a broker that runs a test's script, for behavior that a real broker cannot be made to show.
type Scripted struct {
	Listener net.Listener
	serving  sync.WaitGroup
	Mu       sync.Mutex
	Peers    []*Peer
}

// Peer is a connection to a scripted broker.
type Peer struct {
	net.Conn
	Number int // 0 for the first connection
}

// NewScripted starts a broker that runs serve for each connection and ends with the test.
func NewScripted(t *testing.T, serve func(p *Peer)) *Scripted {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ServeScripted(t, l, serve)
}

// ServeScripted is NewScripted on an open listener.
func ServeScripted(t *testing.T, l net.Listener, serve func(p *Peer)) *Scripted {
	t.Helper()
	b := &Scripted{Listener: l}
	b.serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p := b.add(conn)
			b.serving.Go(func() {
				defer p.Close()
				serve(p)
			})
		}
	})
	t.Cleanup(b.Close)
	return b
}

func (b *Scripted) add(conn net.Conn) *Peer {
	b.Mu.Lock()
	defer b.Mu.Unlock()
	p := &Peer{Conn: conn, Number: len(b.Peers)}
	b.Peers = append(b.Peers, p)
	return p
}

func (b *Scripted) Close() {
	_ = b.Listener.Close()
	b.Mu.Lock()
	for _, p := range b.Peers {
		_ = p.Close()
	}
	b.Mu.Unlock()
	b.serving.Wait()
}

func (b *Scripted) URL() string { return "mqtt://" + b.Listener.Addr().String() }

// Next reads a packet, or returns nil at the end. It answers pings.
func (p *Peer) Next() *packets.ControlPacket {
	for {
		cp, err := packets.ReadPacket(p)
		if err != nil {
			return nil
		}
		if cp.Type != packets.PINGREQ {
			return cp
		}
		_, _ = packets.NewControlPacket(packets.PINGRESP).WriteTo(p.Conn)
	}
}

func (p *Peer) Send(packet io.WriterTo) { _, _ = packet.WriteTo(p.Conn) }

// Accept reads and answers CONNECT.
func (p *Peer) Accept(present bool) *packets.Connect {
	cp := p.Next()
	if cp == nil {
		return nil
	}
	ack := packets.NewControlPacket(packets.CONNACK)
	ack.Content.(*packets.Connack).SessionPresent = present
	p.Send(ack)
	return cp.Content.(*packets.Connect)
}

func (p *Peer) Puback(id uint16, reason byte) {
	p.Send(&packets.Puback{Properties: &packets.Properties{}, PacketID: id, ReasonCode: reason})
}

func (p *Peer) Suback(id uint16, reasons ...byte) {
	p.Send(&packets.Suback{Properties: &packets.Properties{}, PacketID: id, Reasons: reasons})
}

func (p *Peer) Disconnect(reason byte) {
	p.Send(&packets.Disconnect{Properties: &packets.Properties{}, ReasonCode: reason})
}

// ServeAll acknowledges everything until the connection ends.
func (p *Peer) ServeAll() {
	for cp := p.Next(); cp != nil; cp = p.Next() {
		switch c := cp.Content.(type) {
		case *packets.Publish:
			if c.QoS == 1 {
				p.Puback(c.PacketID, 0)
			}
		case *packets.Subscribe:
			p.Suback(c.PacketID, make([]byte, len(c.Subscriptions))...)
		case *packets.Unsubscribe:
			p.Send(&packets.Unsuback{
				Properties: &packets.Properties{}, PacketID: c.PacketID,
				Reasons: make([]byte, len(c.Topics)),
			})
		}
	}
}

// Cut ends all connections.
func (b *Scripted) Cut() {
	b.Mu.Lock()
	defer b.Mu.Unlock()
	for _, p := range b.Peers {
		_ = p.Close()
	}
}

// AcceptUnless accepts devices and, unless refuse is set, the gateway client. It reports whether it is the gateway
// client.
func (p *Peer) AcceptUnless(refuse *atomic.Bool) (own bool) {
	cp := p.Next()
	if cp == nil {
		return false
	}
	own = strings.HasPrefix(cp.Content.(*packets.Connect).ClientID, "exgate-")
	ack := &packets.Connack{Properties: &packets.Properties{}}
	if own && refuse.Load() {
		ack.ReasonCode = packets.ConnackNotAuthorized
	}
	p.Send(ack)
	return own
}

// HangUp closes the connection without DISCONNECT, and returns when the gateway has noticed.
func (p *Peer) HangUp() {
	_ = p.Conn.(*net.TCPConn).CloseWrite()
	_, _ = io.Copy(io.Discard, p.Conn)
}
