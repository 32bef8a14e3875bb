package wasm

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// expect compares what the handler did with want, and forgets it.
func (d *device) expect(t *testing.T, want ...string) {
	t.Helper()
	if got := d.take(); got != strings.Join(want, "\n") {
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
	d := connect(t, e)
	d.expect(t, `send "1\x00\b\x01\x12\x0e\n\t192.0.2.1\x10\xe8\a\x1a\x10\n\v2001:db8::1\x10\xb9>"`)

	must(t, d.receive("n"))
	d.expect(t, `send "n@greet: hi"`)
	must(t, d.receive("A"))
	d.expect(t, "authenticate {ProtoName: ProtoVersion: ClientID:c1 Username: Mountpoint:} 2 bytes of password", "pause")
	must(t, d.next(t))
	d.expect(t, "resume", `send "5\x01"`)
	must(t, d.receive("a"))
	d.expect(t, `send "a\x04"`)

	d.outcome = gateway.Refuse(gateway.CodePermissionDeny, "acl")
	must(t, d.receive("Phello"))
	d.expect(t, `publish up 1 "hello" wanted=true`, `send "p\x00"`)
	must(t, d.next(t))
	d.expect(t, `send "5\x02\b\x05\x12\x03acl"`)
	must(t, d.receive("Qhello"))
	d.expect(t, `publish up 0 "hello" wanted=false`, `send "q\x00"`)
	must(t, d.receive("q"))
	d.expect(t, `send "q\x04"`)
	must(t, d.receive("S"))
	d.expect(t, "subscribe down/# 1", `send "s\x00"`)
	must(t, d.next(t))
	d.take()
	must(t, d.receive("U"))
	d.expect(t, "unsubscribe down/#", `send "u\x00"`)
	must(t, d.next(t))
	d.take()
	must(t, d.receive("T"))
	d.expect(t, "start_timer 0 30", `send "t\x00"`)
	must(t, d.receive("t"))
	d.expect(t, `send "t\x04"`)

	must(t, d.handler.OnTimerTimeout(gateway.TimerKeepalive))
	d.expect(t, `send "3\x00"`)
	must(t, d.handler.OnReceivedMessages([]gateway.Message{{Topic: "t", Payload: []byte("p"), QoS: 1, Timestamp: time.UnixMilli(5)}}))
	d.expect(t, `send "4\x00\x12\n\x18\x01*\x01t2\x01p8\x05"`)
	must(t, d.handler.(gateway.Drainer).OnDrain())
	d.expect(t, `send "6\x00"`)
	must(t, d.receive(""))
	d.expect(t, `send "e\x00"`)

	must(t, d.receive("C"))
	d.expect(t, `close normal: bye `)
	must(t, d.handler.OnSocketClosed(gateway.ReasonNormal))
	d.expect(t) // the connection is gone for the guest when it hears of it
}

func TestActionCloses(t *testing.T) {
	d := connect(t, engine(t, Config{Module: file(t, "scenario"), Shards: 1}))
	d.take()
	must(t, d.receive("c"))
	d.expect(t, "close normal")
}

// id is d's connection as its guest writes it into a packet.
func id(d *device) string {
	return string(binary.LittleEndian.AppendUint64(nil, uint64(d.handler.(*connection).id)))
}

// An instance may not name the connections of another one, nor those that are gone.
func TestForeignConnection(t *testing.T) {
	e := engine(t, Config{Module: file(t, "scenario"), Shards: 2})
	d, other := connect(t, e), connect(t, e)
	if d.instance() == other.instance() {
		t.Fatal("both connections are on one shard")
	}
	d.take()
	other.take()
	for _, call := range []string{"X", "Y"} {
		must(t, d.receive(call+id(other)))
		d.expect(t, `send "`+strings.ToLower(call)+`\x02"`)
	}
	other.expect(t)

	neighbour := connect(t, e)
	for neighbour.instance() != d.instance() {
		neighbour = connect(t, e)
	}
	neighbour.take()
	must(t, d.receive("X"+id(neighbour)))
	neighbour.expect(t, `send "x"`)
	must(t, d.receive("Y"+id(neighbour)))
	neighbour.expect(t, "close normal: y")
	must(t, neighbour.handler.OnSocketClosed(gateway.ReasonNormal))
	d.take()
	must(t, d.receive("X"+id(neighbour)))
	d.expect(t, `send "x\x02"`)
}

func TestLargeBodiesAreSplit(t *testing.T) {
	d := connect(t, engine(t, Config{Module: file(t, "scenario"), Shards: 1, Limits: Limits{EventBytes: 1000}}))
	d.take()
	must(t, d.receive(strings.Repeat("z", 2500)))
	d.expect(t, "send 1002 bytes", "send 1002 bytes", "send 502 bytes")

	payload := make([]byte, 300)
	messages := make([]gateway.Message, 7)
	for i := range messages {
		messages[i] = gateway.Message{Topic: "t", Payload: payload, Timestamp: time.UnixMilli(0)}
	}
	must(t, d.handler.OnReceivedMessages(messages))
	d.expect(t, "send 929 bytes", "send 929 bytes", "send 311 bytes")

	one := gateway.Message{Topic: "t", Payload: make([]byte, 30_000)}
	must(t, d.handler.OnReceivedMessages([]gateway.Message{one}))
	if got := d.take(); !strings.HasPrefix(got, "send 300") {
		t.Errorf("a message that the guest has room for: %s", got)
	}
	one.Payload = make([]byte, 70_000)
	must(t, d.handler.OnReceivedMessages([]gateway.Message{one}))
	d.expect(t) // the guest has no buffer for it: dropped, and it lives
	must(t, d.receive("zz"))
	d.expect(t, `send "b\x00zz"`)
}

func TestCallBytesLimit(t *testing.T) {
	d := connect(t, engine(t, Config{Module: file(t, "scenario"), Shards: 1, Limits: Limits{CallBytes: 200_000}}))
	d.take()
	must(t, d.receive("F"))
	d.expect(t, "send 65536 bytes", "send 65536 bytes", "send 65536 bytes")
}
