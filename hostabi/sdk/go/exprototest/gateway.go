// Package exprototest runs a protocol natively, in a fake gateway that records every call and whose broker answers when
// the test tells it to.
package exprototest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/exgate/exgate/hostabi"
	exproto "github.com/exgate/exgate/hostabi/sdk/go"
)

// Gateway is a fake gateway with one instance of a protocol.
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
	waiting []int64 // tokens of the calls that the broker has not answered yet
}

// Start creates an instance; the test fails if the protocol refuses config.
func Start(t testing.TB, p exproto.Protocol, config string) *Gateway {
	t.Helper()
	g := &Gateway{t: t, devices: make(map[int64]*Device), refused: make(map[string]exproto.Code)}
	g.guest = exproto.NewGuest((*host)(g))
	if code := g.guest.Init(p, []byte(config)); code != 0 {
		t.Fatalf("the protocol refused %q: %s", config, g.Log())
	}
	return g
}

// Refuse makes later calls with a name, such as publish, return code. Success accepts them again.
func (g *Gateway) Refuse(call string, code exproto.Code) { g.refused[call] = code }

// Log returns what was logged since the last Log.
func (g *Gateway) Log() string {
	s := strings.Join(g.log, "\n")
	g.log = nil
	return s
}

// Connect opens a connection and returns the action of OnSocketCreated.
func (g *Gateway) Connect(info exproto.ConnInfo) (*Device, exproto.Action) {
	g.nextID++
	d := &Device{gateway: g, id: g.nextID}
	g.devices[d.id] = d
	host := hostabi.ConnInfo{
		SocketType: uint32(info.SocketType), Peer: hostabi.Address(info.Peer), Local: hostabi.Address(info.Local),
		PeerCert: (*hostabi.CertificateInfo)(info.PeerCert),
	}
	for _, p := range info.Properties {
		host.Properties = append(host.Properties, hostabi.Property(p))
	}
	return d, d.event(hostabi.KindCreated, 0, hostabi.AppendConnInfo(nil, host))
}

func (d *Device) event(kind hostabi.Kind, arg int64, body []byte) exproto.Action {
	return d.gateway.guest.Event(int32(kind), d.id, arg, body)
}

// Receive delivers bytes from the device.
func (d *Device) Receive(b string) exproto.Action { return d.gateway.guest.Bytes(d.id, []byte(b)) }

// Deliver delivers messages from the broker, in one event.
func (d *Device) Deliver(messages ...exproto.Message) exproto.Action {
	var body []byte
	for _, m := range messages {
		body = hostabi.AppendMessage(body, message(m))
	}
	return d.event(hostabi.KindMessages, int64(len(messages)), body)
}

func message(m exproto.Message) hostabi.Message {
	h := hostabi.Message{
		Node: m.Node, ID: m.ID, QoS: m.QoS, From: m.From, Topic: m.Topic, Payload: m.Payload, Timestamp: m.Timestamp,
	}
	if p := m.Properties; p != nil {
		h.Properties = &hostabi.Properties{
			Retain: p.Retain, Expiry: p.Expiry, ContentType: p.ContentType, ResponseTopic: p.ResponseTopic,
			Correlation: p.Correlation,
		}
		for _, u := range p.User {
			h.Properties.User = append(h.Properties.User, hostabi.Property(u))
		}
	}
	return h
}

// Answer delivers the broker's answer to the oldest pending call.
func (d *Device) Answer(code exproto.Code, message string) exproto.Action {
	d.gateway.t.Helper()
	return d.answer(hostabi.AppendCodeResponse(nil, hostabi.Code(code), message))
}

// LogIn is Answer for an Authenticate that succeeds, with the state that the gateway keeps for the device.
func (d *Device) LogIn(state string) exproto.Action {
	d.gateway.t.Helper()
	return d.answer(hostabi.AppendState(hostabi.AppendCodeResponse(nil, hostabi.CodeSuccess, ""), []byte(state)))
}

func (d *Device) answer(body []byte) exproto.Action {
	d.gateway.t.Helper()
	if len(d.waiting) == 0 {
		d.gateway.t.Fatal("no call of this device waits for an answer")
	}
	token := d.waiting[0]
	d.waiting = d.waiting[1:]
	return d.event(hostabi.KindResult, token, body)
}

// Timeout delivers the keepalive timeout.
func (d *Device) Timeout() exproto.Action { return d.event(hostabi.KindTimer, 0, nil) }

// Alarm delivers the alarm of a timer.
func (d *Device) Alarm(id uint32) exproto.Action { return d.event(hostabi.KindAlarm, int64(id), nil) }

// Drain announces that the gateway stops or has a newer version of the module.
func (d *Device) Drain() exproto.Action { return d.event(hostabi.KindDrain, 0, nil) }

// Disconnect ends the connection.
func (d *Device) Disconnect(reason string) {
	d.event(hostabi.KindClosed, 0, []byte(reason))
	delete(d.gateway.devices, d.id)
}

// Sent returns what the device was sent since the last Sent.
func (d *Device) Sent() string {
	s := d.sent.String()
	d.sent.Reset()
	return s
}

// Calls returns the calls other than send since the last Calls, one per line.
func (d *Device) Calls() string {
	s := strings.Join(d.calls, "\n")
	d.calls = nil
	return s
}

// note records a call; token is not 0 if the broker answers it.
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
