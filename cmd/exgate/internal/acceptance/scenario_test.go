package acceptance

import (
	"strings"
	"testing"
	"time"

	"github.com/exgate/exgate/proto/examples/examplestest"
	"github.com/exgate/exgate/runtime/remote"
)

func TestAcceptance(t *testing.T) {
	cache := t.TempDir() // the module is compiled once
	for _, upstream := range []struct {
		name string
		open func(*testing.T) *upstream
	}{{"embedded", openEmbedded}, {"mosquitto", openMosquitto}} {
		for _, kind := range []kind{{dialect: remote.DialectUnary}, {module: true}} {
			for _, transport := range transports {
				t.Run(upstream.name+"/"+kind.String()+"/"+transport.name, func(t *testing.T) {
					openFixture(t, upstream.open(t), kind, transport, cache).play(t)
				})
			}
		}
	}
}

// TestEveryDialect plays the scenario over each transport, with a handler in plain text and with one in TLS.
func TestEveryDialect(t *testing.T) {
	for _, dialect := range []remote.Dialect{remote.DialectStream, remote.DialectUnaryV42, remote.DialectSession} {
		for _, transport := range transports {
			for _, kind := range []kind{{dialect: dialect}, {dialect: dialect, tls: true}} {
				t.Run(kind.String()+"/"+transport.name, func(t *testing.T) {
					t.Parallel()
					openFixture(t, openEmbedded(t), kind, transport, "").play(t)
				})
			}
		}
	}
}

// TestEveryLanguage plays it with the examples that proto/examples/setup.sh prepares.
func TestEveryLanguage(t *testing.T) {
	for _, language := range []struct {
		example examplestest.Example
		v42     examplestest.Example
	}{
		{examplestest.Python, examplestest.Python},
		{examplestest.Node, examplestest.Node},
		{examplestest.Java, examplestest.Java.With("--unary-v42")},
	} {
		for _, dialect := range []remote.Dialect{
			remote.DialectUnary, remote.DialectStream, remote.DialectUnaryV42,
			remote.DialectSession, remote.DialectAuto,
		} {
			example := language.example
			if dialect == remote.DialectUnaryV42 {
				example = language.v42
			}
			t.Run(example.String()+"/"+string(dialect), func(t *testing.T) {
				t.Parallel()
				openFixture(t, openEmbedded(t), kind{dialect: dialect, example: &example}, transports[0], "").play(t)
			})
		}
	}
}

// play is the scenario.
func (h *fixture) play(t *testing.T) {
	t.Run("echo with mountpoint", h.echo)
	t.Run("raw publish", h.rawPublish)
	t.Run("auth denied", h.authDenied)
	t.Run("acl denied then allowed", h.aclDenied)
	t.Run("keepalive timeout", h.keepalive)
	t.Run("idle timeout", h.idle)
	t.Run("another listener changes", h.otherListener)
	h.noSecretInLog(t)
}

// login connects a device that is let in.
func (h *fixture) login(t *testing.T, client string, more object) *device {
	d := h.dial(t, "main")
	d.send(connectFrame(client, h.up.password, more))
	d.expect(ack(connack, 0))
	return d
}

func (h *fixture) echo(t *testing.T) {
	d := h.login(t, "d-echo", object{"mountpoint": "ct/"})
	d.send(subscribe("t/dn", 1))
	d.expect(ack(suback, 0))

	h.other.publish(t, "ct/t/dn", "echo", 1)
	d.expect(publish("t/dn", "echo", 1))

	d.send(unsubscribe("t/dn"))
	d.expect(ack(unsuback, 0))
	h.other.publish(t, "ct/t/dn", "echo", 1)

	h.other.subscribe(t, "ct/t/up")
	for qos := range 3 {
		d.send(publish("t/up", "up", qos))
		d.expect(ack(puback, 0))
		h.other.expect(t, "ct/t/up", "up")
	}
	d.send(object{"type": disconnect})
	d.expectClosed()
}

func (h *fixture) rawPublish(t *testing.T) {
	h.other.subscribe(t, "t/raw")
	d := h.login(t, "d-raw", object{"mountpoint": "ct/"})
	d.send(object{"type": 10, "topic": "t/raw", "qos": 0, "payload": "raw"})
	if h.kind.module { // modules have no raw publish
		d.expect(ack(puback, 1))
		return
	}
	d.expect(ack(puback, 0))
	h.other.expect(t, "t/raw", "raw")
}

func (h *fixture) authDenied(t *testing.T) {
	d := h.dial(t, "main")
	d.send(connectFrame("d-auth", "wrong-"+h.up.password, nil))
	d.expect(ack(connack, 1))
	d.expectClosed()
}

// aclDenied: the same connection is refused first, then allowed.
func (h *fixture) aclDenied(t *testing.T) {
	h.up.deny(t)
	d := h.login(t, h.up.aclUser, nil)
	d.send(subscribe("acl/t", 1))
	d.expect(ack(suback, 1))
	d.send(publish("acl/t", "x", 1))
	d.expect(ack(puback, 1))

	h.up.allow(t)
	d.retry(subscribe("acl/t", 0), ack(suback, 0))
	d.send(publish("acl/t", "y", 1))
	d.expectBoth(ack(puback, 0), publish("acl/t", "y", 0)) // the lower QoS of publish and subscription
}

// retry sends until the answer is want: a real broker ends the session of a client whose rules change, and the gateway
// takes a moment to come back.
func (d *device) retry(o, want object) {
	d.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		d.send(o)
		got, err := d.read()
		if err != nil {
			d.t.Fatal(err)
		}
		if text(d.t, got) == text(d.t, want) {
			return
		}
	}
	d.t.Fatalf("never answered %v", want)
}

// expectBoth reads two objects that come in either order.
func (d *device) expectBoth(a, b object) {
	d.t.Helper()
	want := map[string]bool{text(d.t, a): true, text(d.t, b): true}
	for range 2 {
		got, err := d.read()
		if err != nil {
			d.t.Fatalf("waiting for %v: %v", want, err)
		}
		if !want[text(d.t, got)] {
			d.t.Fatalf("got %v, want one of %v", got, want)
		}
		delete(want, text(d.t, got))
	}
}

// keepalive: the handler's goodbye arrives, and the device is ended exactly once, whatever others send.
func (h *fixture) keepalive(t *testing.T) {
	h.await(t, "main", "closed", h.events(t, "main", "created"))
	h.pester(t)
	timers, closed := h.events(t, "main", "timer"), h.events(t, "main", "closed")
	d := h.login(t, "d-keepalive", object{"keepalive": 1})
	d.expect(object{"type": disconnect})
	d.expectClosed()
	h.await(t, "main", "timer", timers+1)
	h.await(t, "main", "closed", closed+1)
}

// idle: a device that has sent nothing is ended; without connections, one that has no keepalive.
func (h *fixture) idle(t *testing.T) {
	d := h.dial(t, "idle")
	if h.transport.silent {
		d.raw([]byte("{"))
		h.await(t, "idle", "created", 1)
	}
	d.expectClosed()
}

// otherListener: a listener keeps its connections while another is changed and removed.
func (h *fixture) otherListener(t *testing.T) {
	d := h.login(t, "d-other", nil)
	h.churnOtherListener(t)
	d.send(publish("t/up", "still here", 1))
	d.expect(ack(puback, 0))
}

func (h *fixture) noSecretInLog(t *testing.T) {
	if log := h.log.String(); strings.Contains(log, h.up.password) {
		t.Errorf("the password is in the log:\n%s", log)
	}
}
