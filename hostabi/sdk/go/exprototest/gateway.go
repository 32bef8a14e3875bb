// Package exprototest runs a protocol natively, against a gateway that writes down every call and whose broker answers
// when the test says so.
package exprototest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/exgate/exgate/hostabi"
	exproto "github.com/exgate/exgate/hostabi/sdk/go"
)

// Gateway is the double of exgate around one instance of a protocol.
type Gateway struct {
	t       testing.TB
	guest   *exproto.Guest
	devices map[int64]*Device
	nextID  int64
	refused map[string]exproto.Code
	log     []string
}

// Device is one connection.
type Device struct {
	gateway *Gateway
	id      int64
	sent    strings.Builder
	calls   []string
	waiting []int64 // tokens of the calls that the broker has not answered
}

// Start makes an instance; the test fails where the protocol refuses config.
func Start(t testing.TB, p exproto.Protocol, config string) *Gateway {
	t.Helper()
	g := &Gateway{t: t, devices: make(map[int64]*Device), refused: make(map[string]exproto.Code)}
	g.guest = exproto.NewGuest((*host)(g))
	if code := g.guest.Init(p, []byte(config)); code != 0 {
		t.Fatalf("the protocol refused %q: %s", config, g.Log())
	}
	return g
}

// Refuse makes the next calls of a name, such as publish, return code at once. Success accepts again.
func (g *Gateway) Refuse(call string, code exproto.Code) { g.refused[call] = code }

// Log returns what was logged since it was asked last.
func (g *Gateway) Log() string {
	s := strings.Join(g.log, "\n")
	g.log = nil
	return s
}

// Connect opens a connection and returns what OnSocketCreated did.
func (g *Gateway) Connect(info exproto.ConnInfo) (*Device, exproto.Action) {
	g.nextID++
	d := &Device{gateway: g, id: g.nextID}
	g.devices[d.id] = d
	host := hostabi.ConnInfo{
		SocketType: uint32(info.SocketType), Peer: hostabi.Address(info.Peer), Local: hostabi.Address(info.Local),
		PeerCert: (*hostabi.CertificateInfo)(info.PeerCert),
	}
	return d, d.event(hostabi.KindCreated, 0, hostabi.AppendConnInfo(nil, host))
}

func (d *Device) event(kind hostabi.Kind, arg int64, body []byte) exproto.Action {
	return d.gateway.guest.Event(int32(kind), d.id, arg, body)
}

// Receive delivers bytes of the device.
func (d *Device) Receive(b string) exproto.Action { return d.gateway.guest.Bytes(d.id, []byte(b)) }

// Deliver delivers messages of the broker, in one event.
func (d *Device) Deliver(messages ...exproto.Message) exproto.Action {
	var body []byte
	for _, m := range messages {
		body = hostabi.AppendMessage(body, hostabi.Message(m))
	}
	return d.event(hostabi.KindMessages, int64(len(messages)), body)
}

// Answer is the broker's answer to the oldest call that waits for one.
func (d *Device) Answer(code exproto.Code, message string) exproto.Action {
	d.gateway.t.Helper()
	if len(d.waiting) == 0 {
		d.gateway.t.Fatal("no call of this device waits for an answer")
	}
	token := d.waiting[0]
	d.waiting = d.waiting[1:]
	return d.event(hostabi.KindResult, token, hostabi.AppendCodeResponse(nil, hostabi.Code(code), message))
}

// Timeout ends the keepalive.
func (d *Device) Timeout() exproto.Action { return d.event(hostabi.KindTimer, 0, nil) }

// Drain says that the gateway stops or has a newer version of the module.
func (d *Device) Drain() exproto.Action { return d.event(hostabi.KindDrain, 0, nil) }

// Disconnect ends the connection.
func (d *Device) Disconnect(reason string) {
	d.event(hostabi.KindClosed, 0, []byte(reason))
	delete(d.gateway.devices, d.id)
}

// Sent returns what the device was sent since it was asked last.
func (d *Device) Sent() string {
	s := d.sent.String()
	d.sent.Reset()
	return s
}

// Calls returns the calls other than send since it was asked last, one line each.
func (d *Device) Calls() string {
	s := strings.Join(d.calls, "\n")
	d.calls = nil
	return s
}

// note writes a call down; token is that of a call which the broker answers.
func (g *Gateway) note(conn, token int64, name, format string, args ...any) exproto.Code {
	d, ok := g.devices[conn]
	if !ok {
		return exproto.ConnProcessNotAlive
	}
	d.calls = append(d.calls, strings.TrimSpace(name+" "+fmt.Sprintf(format, args...)))
	code := g.refused[name]
	if code == exproto.Success && token != 0 {
		d.waiting = append(d.waiting, token)
	}
	return code
}
