package acceptance

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// patience bounds each wait: a bound for what should come at once.
const patience = 90 * time.Second

type object map[string]any

// device speaks the JSON echo protocol: objects without framing.
type device struct {
	t       *testing.T
	conn    net.Conn
	in      *json.Decoder
	fixture *fixture
	ended   bool // by the gateway
}

func (d *device) send(o object) {
	d.t.Helper()
	b, err := json.Marshal(o)
	if err != nil {
		d.t.Fatal(err)
	}
	d.raw(b)
}

func (d *device) raw(b []byte) {
	d.t.Helper()
	if _, err := d.conn.Write(b); err != nil {
		d.t.Fatalf("sending %s: %v", b, err)
	}
}

// read reads the next object.
func (d *device) read() (got object, err error) {
	_ = d.conn.SetReadDeadline(time.Now().Add(patience))
	return got, d.in.Decode(&got)
}

// expect reads the next object and compares it with want.
func (d *device) expect(want object) {
	d.t.Helper()
	got, err := d.read()
	if err != nil {
		d.t.Fatalf("waiting for %v: %v", want, err)
	}
	if text(d.t, got) != text(d.t, want) {
		d.t.Fatalf("got %v, want %v", got, want)
	}
}

// expectClosed waits for the end of the connection: the device sees it, or else the gateway has it no more.
func (d *device) expectClosed() {
	d.t.Helper()
	d.ended = true
	if d.fixture.transport.silent {
		d.fixture.awaitGone(d.t, d.conn.LocalAddr())
		return
	}
	if got, err := d.read(); !errors.Is(err, io.EOF) {
		d.t.Fatalf("got %v, %v, want the end", got, err)
	}
}

// text is o as canonical JSON.
func text(t *testing.T, o object) string {
	t.Helper()
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The frames of the protocol.

func connectFrame(client, password string, more object) object {
	info := object{"proto_name": "demo", "proto_ver": "v0.1", "clientid": client, "username": client}
	for k, v := range more {
		info[k] = v
	}
	return object{"type": 1, "clientinfo": info, "password": password}
}

func publish(topic, payload string, qos int) object {
	return object{"type": 3, "topic": topic, "qos": qos, "payload": payload}
}

func subscribe(topic string, qos int) object { return object{"type": 5, "topic": topic, "qos": qos} }
func unsubscribe(topic string) object        { return object{"type": 7, "topic": topic} }
func ack(kind, code int) object              { return object{"type": kind, "code": code} }

const (
	connack    = 2
	puback     = 4
	suback     = 6
	unsuback   = 8
	disconnect = 9
)
