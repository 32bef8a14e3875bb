package wasm

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// expect compares the calls since the last time with want.
func expect(t *testing.T, d *gatewaytest.Device, want ...string) {
	t.Helper()
	if got := d.Take(); got != strings.Join(want, "\n") {
		t.Errorf("\n got %s\nwant %s", got, strings.Join(want, "\n"))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestEventsAndCalls(t *testing.T) {
	e := engine(t, Config{Module: file(t, "scenario"), GuestConfig: []byte("greet: hi"), Shards: 1})
	d := gatewaytest.Connect(t, e)
	expect(t, d, `send "1\x00\b\x01\x12\x0e\n\t192.0.2.1\x10\xe8\a\x1a\x10\n\v2001:db8::1\x10\xb9>"`)

	must(t, d.Receive("n"))
	expect(t, d, `send "n@greet: hi"`)
	must(t, d.Receive("A"))
	expect(t, d, "authenticate {ProtoName: ProtoVersion: ClientID:c1 Username: Mountpoint:} 2 bytes of password",
		"pause")
	must(t, d.Next(t))
	expect(t, d, "resume", `send "5\x01"`)
	must(t, d.Receive("a"))
	expect(t, d, `send "a\x04"`)

	d.Outcome = gateway.Refuse(gateway.CodePermissionDeny, "acl")
	must(t, d.Receive("Phello"))
	expect(t, d, `publish up 1 "hello" wanted=true`, `send "p\x00"`)
	must(t, d.Next(t))
	expect(t, d, `send "5\x02\b\x05\x12\x03acl"`)
	must(t, d.Receive("Qhello"))
	expect(t, d, `publish up 0 "hello" wanted=false`, `send "q\x00"`)
	must(t, d.Receive("q"))
	expect(t, d, `send "q\x04"`)
	must(t, d.Receive("S"))
	expect(t, d, "subscribe down/# 1", `send "s\x00"`)
	must(t, d.Next(t))
	d.Take()
	must(t, d.Receive("U"))
	expect(t, d, "unsubscribe down/#", `send "u\x00"`)
	must(t, d.Next(t))
	d.Take()
	must(t, d.Receive("T"))
	expect(t, d, "start_timer 0 30", `send "t\x00"`)
	must(t, d.Receive("t"))
	expect(t, d, `send "t\x04"`)

	must(t, d.Handler.OnTimerTimeout(gateway.TimerKeepalive))
	expect(t, d, `send "3\x00"`)
	must(
		t,
		d.Handler.OnReceivedMessages(
			[]gateway.Message{{Topic: "t", Payload: []byte("p"), QoS: 1, Timestamp: time.UnixMilli(5)}},
		),
	)
	expect(t, d, `send "4\x00\x12\n\x18\x01*\x01t2\x01p8\x05"`)
	must(t, d.Handler.(gateway.Drainer).OnDrain())
	expect(t, d, `send "6\x00"`)
	must(t, d.Receive(""))
	expect(t, d, `send "e\x00"`)

	must(t, d.Receive("C"))
	expect(t, d, `close normal: bye `)
	must(t, d.Handler.OnSocketClosed(gateway.ReasonNormal))
	expect(t, d) // the connection is gone for the guest when it hears of it
}

func TestActionCloses(t *testing.T) {
	d := gatewaytest.Connect(t, engine(t, Config{Module: file(t, "scenario"), Shards: 1}))
	d.Take()
	must(t, d.Receive("c"))
	expect(t, d, "close normal")
}

// id is d's connection as its guest writes it into a packet.
func id(d *gatewaytest.Device) string {
	return string(binary.LittleEndian.AppendUint64(nil, uint64(d.Handler.(*connection).id)))
}

// An instance cannot name the connections of another one, nor closed ones.
func TestForeignConnection(t *testing.T) {
	e := engine(t, Config{Module: file(t, "scenario"), Shards: 2})
	d, other := gatewaytest.Connect(t, e), gatewaytest.Connect(t, e)
	if instanceOf(d) == instanceOf(other) {
		t.Fatal("both connections are on one shard")
	}
	d.Take()
	other.Take()
	for _, call := range []string{"X", "Y"} {
		must(t, d.Receive(call+id(other)))
		expect(t, d, `send "`+strings.ToLower(call)+`\x02"`)
	}
	expect(t, other)

	neighbour := gatewaytest.Connect(t, e)
	for instanceOf(neighbour) != instanceOf(d) {
		neighbour = gatewaytest.Connect(t, e)
	}
	neighbour.Take()
	must(t, d.Receive("X"+id(neighbour)))
	expect(t, neighbour, `send "x"`)
	must(t, d.Receive("Y"+id(neighbour)))
	expect(t, neighbour, "close normal: y")
	must(t, neighbour.Handler.OnSocketClosed(gateway.ReasonNormal))
	d.Take()
	must(t, d.Receive("X"+id(neighbour)))
	expect(t, d, `send "x\x02"`)
}

func TestLargeBodiesAreSplit(t *testing.T) {
	d := gatewaytest.Connect(
		t,
		engine(t, Config{Module: file(t, "scenario"), Shards: 1, Limits: Limits{EventBytes: 1000}}),
	)
	d.Take()
	must(t, d.Receive(strings.Repeat("z", 2500)))
	expect(t, d, "send 1002 bytes", "send 1002 bytes", "send 502 bytes")

	payload := make([]byte, 300)
	messages := make([]gateway.Message, 7)
	for i := range messages {
		messages[i] = gateway.Message{Topic: "t", Payload: payload, Timestamp: time.UnixMilli(0)}
	}
	must(t, d.Handler.OnReceivedMessages(messages))
	expect(t, d, "send 929 bytes", "send 929 bytes", "send 311 bytes")

	one := gateway.Message{Topic: "t", Payload: make([]byte, 30_000)}
	must(t, d.Handler.OnReceivedMessages([]gateway.Message{one}))
	if got := d.Take(); !strings.HasPrefix(got, "send 300") {
		t.Errorf("a message that the guest has room for: %s", got)
	}
	one.Payload = make([]byte, 70_000)
	must(t, d.Handler.OnReceivedMessages([]gateway.Message{one}))
	expect(t, d) // the guest has no buffer for it: dropped, and it lives
	must(t, d.Receive("zz"))
	expect(t, d, `send "b\x00zz"`)
}

func TestCallBytesLimit(t *testing.T) {
	d := gatewaytest.Connect(
		t,
		engine(t, Config{Module: file(t, "scenario"), Shards: 1, Limits: Limits{CallBytes: 200_000}}),
	)
	d.Take()
	must(t, d.Receive("F"))
	expect(t, d, "send 65536 bytes", "send 65536 bytes", "send 65536 bytes")
}
