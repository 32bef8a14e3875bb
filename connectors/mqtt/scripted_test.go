package mqtt

import (
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/eclipse/paho.golang/packets"
)

// scripted is a broker that runs a test's script, for behavior that a real broker cannot be made to show.
type scripted struct {
	listener net.Listener
	serving  sync.WaitGroup
	mu       sync.Mutex
	peers    []*peer
}

// peer is a connection to a scripted broker.
type peer struct {
	net.Conn
	number int // 0 for the first connection
}

func newScripted(t *testing.T, serve func(p *peer)) *scripted {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveScripted(t, l, serve)
}

func serveScripted(t *testing.T, l net.Listener, serve func(p *peer)) *scripted {
	t.Helper()
	b := &scripted{listener: l}
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
	t.Cleanup(b.close)
	return b
}

func (b *scripted) add(conn net.Conn) *peer {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := &peer{Conn: conn, number: len(b.peers)}
	b.peers = append(b.peers, p)
	return p
}

func (b *scripted) close() {
	_ = b.listener.Close()
	b.mu.Lock()
	for _, p := range b.peers {
		_ = p.Close()
	}
	b.mu.Unlock()
	b.serving.Wait()
}

func (b *scripted) url() string { return "mqtt://" + b.listener.Addr().String() }

// next reads a packet, or returns nil at the end. It answers pings.
func (p *peer) next() *packets.ControlPacket {
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

func (p *peer) send(packet io.WriterTo) { _, _ = packet.WriteTo(p.Conn) }

// accept reads and answers CONNECT.
func (p *peer) accept(present bool) *packets.Connect {
	cp := p.next()
	if cp == nil {
		return nil
	}
	ack := packets.NewControlPacket(packets.CONNACK)
	ack.Content.(*packets.Connack).SessionPresent = present
	p.send(ack)
	return cp.Content.(*packets.Connect)
}

func (p *peer) puback(id uint16, reason byte) {
	p.send(&packets.Puback{Properties: &packets.Properties{}, PacketID: id, ReasonCode: reason})
}

func (p *peer) suback(id uint16, reasons ...byte) {
	p.send(&packets.Suback{Properties: &packets.Properties{}, PacketID: id, Reasons: reasons})
}

func (p *peer) disconnect(reason byte) {
	p.send(&packets.Disconnect{Properties: &packets.Properties{}, ReasonCode: reason})
}

// serveAll acknowledges everything until the connection ends.
func (p *peer) serveAll() {
	for cp := p.next(); cp != nil; cp = p.next() {
		switch c := cp.Content.(type) {
		case *packets.Publish:
			if c.QoS == 1 {
				p.puback(c.PacketID, 0)
			}
		case *packets.Subscribe:
			p.suback(c.PacketID, make([]byte, len(c.Subscriptions))...)
		case *packets.Unsubscribe:
			p.send(&packets.Unsuback{
				Properties: &packets.Properties{}, PacketID: c.PacketID,
				Reasons: make([]byte, len(c.Topics)),
			})
		}
	}
}

// cut ends all connections.
func (b *scripted) cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.peers {
		_ = p.Close()
	}
}

// acceptUnless accepts devices and, unless refuse is set, the gateway client. It reports whether it is the gateway
// client.
func (p *peer) acceptUnless(refuse *atomic.Bool) (own bool) {
	cp := p.next()
	if cp == nil {
		return false
	}
	own = strings.HasPrefix(cp.Content.(*packets.Connect).ClientID, "exgate-")
	ack := &packets.Connack{Properties: &packets.Properties{}}
	if own && refuse.Load() {
		ack.ReasonCode = packets.ConnackNotAuthorized
	}
	p.send(ack)
	return own
}

// hangUp closes the connection without DISCONNECT, and returns when the gateway has noticed.
func (p *peer) hangUp() {
	_ = p.Conn.(*net.TCPConn).CloseWrite()
	_, _ = io.Copy(io.Discard, p.Conn)
}
