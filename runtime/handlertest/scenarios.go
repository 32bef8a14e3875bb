package handlertest

import (
	"fmt"
	"time"
)

var scenarios = []scenario{
	{name: "echo_with_mountpoint", mountpoint: "site/${clientid}/", play: echo},
	{name: "echo_with_handlers_mountpoint", play: echoMountpointOfHandler},
	{name: "auth_denied", play: authDenied},
	{name: "auth_denied_then_frames", play: authDeniedThenFrames},
	{name: "before_login", play: beforeLogin},
	{name: "acl_denied_then_allowed", play: aclDenied},
	{name: "unsubscribe", play: unsubscribe},
	{name: "disconnect", play: disconnect},
	{name: "keepalive_timeout", play: keepaliveTimeout},
	{name: "idle_timeout", idle: 50 * time.Millisecond, play: idleTimeout},
	{name: "duplicate_client_id", play: duplicateClientID},
	{name: "second_login", play: secondLogin},
	{name: "split_frames", play: splitFrames},
	{name: "stuck_frames", play: stuckFrames},
	{name: "qos", play: qos},
	{name: "not_json", play: notJSON},
}

// login opens connection n and logs it in.
func (sc *scene) login(n int, clientID string) *device {
	sc.t.Helper()
	d := sc.dial(n)
	d.ask(connect(clientID), connected)
	return d
}

// leave hangs up and waits for the end of connection n.
func (sc *scene) leave(d *device, n int) {
	sc.t.Helper()
	d.hangUp()
	sc.closed(n)
}

func echo(sc *scene) {
	d := sc.login(1, "c1")
	d.ask(subscribe("t/#"), ack(6, 0))
	d.ask(publish("t/dn", 1, "echo"), ack(4, 0))
	sc.flow("site/c1/t/dn qos 1 echo")
	d.expect(publish("t/dn", 1, "echo"))
	sc.leave(d, 1)
}

func echoMountpointOfHandler(sc *scene) {
	d := sc.dial(1)
	d.ask(`{"type":1,"clientinfo":{"proto_name":"demo","proto_ver":"v0.1","clientid":"c1","username":"u1",`+
		`"mountpoint":"at/${username}/"},`+
		`"password":"`+rightPassword+`"}`, connected)
	d.ask(subscribe("t/dn"), ack(6, 0))
	d.ask(publish("t/dn", 1, "echo"), ack(4, 0))
	sc.flow("at/u1/t/dn qos 1 echo")
	d.expect(publish("t/dn", 1, "echo"))
	sc.leave(d, 1)
}

const wrongLogin = `{"type":1,"clientinfo":{"clientid":"c1"},"password":"` + wrongPassword + `"}`

func authDenied(sc *scene) {
	d := sc.dial(1)
	d.ask(wrongLogin, refused)
	d.expectClosed()
	sc.closed(1)
}

func authDeniedThenFrames(sc *scene) {
	d := sc.dial(1)
	d.ask(wrongLogin+publish("t", 1, "never")+subscribe("t"), refused)
	d.expectClosed()
	sc.closed(1)
	sc.flow("")
}

func beforeLogin(sc *scene) {
	d := sc.dial(1)
	d.ask(publish("t", 1, "early"), ack(4, 1))
	d.ask(subscribe("t"), ack(6, 1))
	d.ask(unsubscribeFrom("t"), ack(8, 1))
	sc.flow("")
	d.ask(`{"type":1,"password":"`+rightPassword+`"}`, connected) // the gateway assigns the client id
	sc.leave(d, 1)
}

func aclDenied(sc *scene) {
	d := sc.login(1, "c1")
	sc.upstream.Deny("t/dn")
	d.ask(subscribe("t/dn"), ack(6, 1))
	d.ask(publish("t/dn", 1, "denied"), ack(4, 1))
	d.ask(publish("t/+", 1, "no topic"), ack(4, 1))
	sc.upstream.Allow("t/dn")
	d.ask(publish("t/dn", 1, "allowed"), ack(4, 0))
	d.ask(subscribe("t/dn"), ack(6, 0))
	sc.flow("t/dn qos 1 allowed")
	d.expect(publish("t/dn", 1, "allowed"))
	sc.leave(d, 1)
}

func unsubscribe(sc *scene) {
	d := sc.login(1, "c1")
	d.ask(subscribe("t/dn"), ack(6, 0))
	d.ask(publish("t/dn", 0, "first"), ack(4, 0))
	sc.flow("t/dn qos 0 first")
	d.expect(publish("t/dn", 0, "first"))
	d.ask(unsubscribeFrom("t/dn"), ack(8, 0))
	d.ask(publish("t/dn", 0, "second"), ack(4, 0))
	sc.flow("t/dn qos 0 second")
	d.ask(unsubscribeFrom("t/never"), ack(8, 0))
	sc.leave(d, 1)
}

func disconnect(sc *scene) {
	d := sc.login(1, "c1")
	d.send(`{"type":9}`)
	d.expectClosed()
	sc.closed(1)
}

func keepaliveTimeout(sc *scene) {
	d := sc.dial(1)
	d.ask(`{"type":1,"clientinfo":{"clientid":"c1","keepalive":1},"password":"`+rightPassword+`"}`, connected)
	d.expect(`{"type":9}`)
	d.expectClosed()
	sc.closed(1)
}

func idleTimeout(sc *scene) {
	d := sc.dial(1)
	d.expectClosed()
	sc.closed(1)
}

func duplicateClientID(sc *scene) {
	older := sc.login(1, "c1")
	newer := sc.login(2, "c1")
	older.expectClosed()
	sc.closed(1)
	newer.ask(publish("t", 1, "mine"), ack(4, 0))
	sc.flow("t qos 1 mine")
	sc.leave(newer, 2)
}

func secondLogin(sc *scene) {
	d := sc.login(1, "c1")
	d.ask(connect("c2"), refused)
	d.expectClosed()
	sc.closed(1)
}

// splitFrames sends a login and a publish in pieces, each of which the handler sees for itself.
func splitFrames(sc *scene) {
	d := sc.dial(1)
	pieces := []string{
		`{"type":1,"clientinfo":{"client`, `id":"c1"},"password":"` + rightPassword + `"}{"ty`,
		`pe":3,"topic":"t","qos":1,"payload":"{`, `}"`, `}`,
	}
	for i, piece := range pieces {
		d.send(piece)
		sc.trace.await(sc.t, 1, "> bytes", i+1)
		if i == 1 {
			d.expect(connected)
		}
	}
	d.expect(ack(4, 0))
	sc.flow("t qos 1 {}")
	sc.leave(d, 1)
}

// stuckFrames sends a whole conversation in one piece.
func stuckFrames(sc *scene) {
	d := sc.dial(1)
	d.send(connect("c1") + subscribe("t/#") + publish("t/1", 1, "one") + "\n" + publish("t/2", 0,
		"two") + unsubscribeFrom("none"))
	for _, want := range []string{connected, ack(6, 0), ack(4, 0), ack(4, 0), ack(8, 0)} {
		d.expect(want)
	}
	sc.flow("t/1 qos 1 one")
	d.expect(publish("t/1", 1, "one"))
	sc.flow("t/2 qos 0 two")
	d.expect(publish("t/2", 0, "two"))
	d.send(`{"type":9}`)
	d.expectClosed()
	sc.closed(1)
}

func qos(sc *scene) {
	d := sc.login(1, "c1")
	d.ask(subscribe("t/#"), ack(6, 0))
	for q := range 3 {
		topic, payload := fmt.Sprintf("t/%d", q), fmt.Sprintf("with qos %d", q)
		d.ask(publish(topic, q, payload), ack(4, 0))
		sc.flow(fmt.Sprintf("%s qos %d %s", topic, q, payload))
		d.expect(publish(topic, q, payload))
	}
	d.ask(publish("t/3", 3, "no such qos"), ack(4, 1))
	sc.leave(d, 1)
}

func notJSON(sc *scene) {
	d := sc.dial(1)
	d.send("GET / HTTP/1.1\r\n\r\n")
	d.expectClosed()
	sc.closed(1)
}
