package embedded_test

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/exgate/exgate/connectors/access"
	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/connectors/embedded"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// client runs mosquitto_pub or mosquitto_sub against b, and returns what it prints.
func client(t *testing.T, b *embedded.Broker, program string, args ...string) (string, error) {
	t.Helper()
	host, port, _ := net.SplitHostPort(b.Addr().String())
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, mosquitto.Program(t, program),
		append([]string{"-h", host, "-p", port}, args...)...).CombinedOutput()
	return string(out), err
}

// TestNetworkClients sends messages between a device and clients of both MQTT versions.
func TestNetworkClients(t *testing.T) {
	b := start(t, embedded.Config{Listener: listen(t)})
	s, d := connect(t, b, "device")
	connectortest.Subscribe(t, s, "up/#", 2)
	for _, version := range []string{"311", "5"} {
		for _, qos := range []string{"0", "1", "2"} {
			if out, err := client(t, b, "mosquitto_pub", "-V", version, "-q", qos, "-t", "up/x", "-m", version+qos,
				"-i", "pub"); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if m := d.Next(t); string(m.Payload) != version+qos || m.From != "pub" || m.QoS != qos[0]-'0' {
				t.Fatalf("got %+v", m)
			}
		}
		out := make(chan string)
		go func() {
			text, _ := client(t, b, "mosquitto_sub", "-V", version, "-q", "2", "-t", "down/#", "-C", "2", "-F", "%q %p")
			out <- text
		}()
		publishUntil(t, s, out, "0 x\n0 x\n")
	}
}

// TestReservedTopicsOfClients requires an answer to publishes of network clients to the broker's own topics.
func TestReservedTopicsOfClients(t *testing.T) {
	b := start(t, embedded.Config{Listener: listen(t)})
	for _, qos := range []string{"1", "2"} {
		for _, name := range []string{"$SYS/x", "$sys/broker/uptime"} {
			out, _ := client(t, b, "mosquitto_pub", "-V", "5", "-q", qos, "-t", name, "-m", "x", "-i", "pub")
			if !strings.Contains(out, "Not authorized") {
				t.Errorf("QoS %s to %s: %q", qos, name, out)
			}
			out, err := client(t, b, "mosquitto_pub", "-V", "311", "-q", qos, "-t", name, "-m", "x", "-i", "pub")
			if err == nil {
				t.Errorf("QoS %s to %s in version 3.1.1: %q", qos, name, out)
			}
		}
	}
}

// publishUntil publishes to down/x with QoS 1 until a subscriber, which is connecting meanwhile, has printed want.
func publishUntil(t *testing.T, s gateway.Session, out <-chan string, want string) {
	t.Helper()
	for {
		connectortest.Publish(t, s, "down/x", 1, "x")
		select {
		case got := <-out:
			if got != want {
				t.Fatalf("the subscriber got %q, want %q", got, want)
			}
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func TestWill(t *testing.T) {
	a := &rules{denied: "secret/topic"}
	b := start(t, embedded.Config{Listener: listen(t), ACL: a})
	for _, topic := range []string{"secret/topic", "$SYS/x"} {
		if out, err := client(t, b, "mosquitto_pub", "-V", "5", "-t", "t", "-m", "x", "--will-topic", topic,
			"--will-payload", "w"); err == nil {
			t.Fatalf("a will for %s was accepted: %s", topic, out)
		}
	}
	s, d := connect(t, b, "device")
	connectortest.Subscribe(t, s, "will", 0)
	conn := rawConnect(t, b, "will-client", "will")
	_ = conn.Close()
	if m := d.Next(t); string(m.Payload) != "gone" {
		t.Fatalf("got %q", m.Payload)
	}
}

// rawConnect connects with MQTT 3.1.1 and a will of payload "gone".
func rawConnect(t *testing.T, b *embedded.Broker, clientID, will string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", b.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	field := func(s string) string { return string([]byte{byte(len(s) >> 8), byte(len(s))}) + s }
	flags := byte(2) // clean session
	rest := field(clientID)
	if will != "" {
		flags |= 4
		rest += field(will) + field("gone")
	}
	rest = field("MQTT") + string([]byte{4, flags, 0, 60}) + rest
	_, _ = conn.Write([]byte("\x10" + string([]byte{byte(len(rest))}) + rest))
	ack := make([]byte, 4)
	_ = conn.SetReadDeadline(time.Now().Add(90 * time.Second))
	if _, err := conn.Read(ack); err != nil || ack[3] != 0 {
		t.Fatalf("CONNACK %x, %v", ack, err)
	}
	return conn
}

// TestNetworkTakeover lets a network client and a device take a client id from each other.
func TestNetworkTakeover(t *testing.T) {
	b := start(t, embedded.Config{Listener: listen(t)})
	_, d := connect(t, b, "same")
	conn := rawConnect(t, b, "same", "")
	if r := d.Lost(t); !r.Is(gateway.ReasonDiscarded) {
		t.Fatal(r)
	}
	_, d = connect(t, b, "same")
	if _, err := conn.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Fatalf("the network client was not disconnected: %v", err)
	}
	if d.Losses() != 0 {
		t.Fatal("the device was lost")
	}
}

// TestSharedGroupAcrossKinds has a device and a network client in one group.
func TestSharedGroupAcrossKinds(t *testing.T) {
	b := start(t, embedded.Config{Listener: listen(t)})
	s, d := connect(t, b, "device")
	n, nd := connect(t, overNetwork(t, b), "network")
	for _, each := range []gateway.Session{s, n} {
		if r := connectortest.Subscribe(t, each, "$share/g/t/#", 1); !r.Ok() {
			t.Fatal(r)
		}
	}
	const total = 200
	for range total {
		connectortest.Publish(t, s, "t/x", 1, "x")
	}
	gatewaytest.Eventually(t, "each message once", func() bool { return d.Unread()+nd.Unread() == total })
	if d.Unread() == 0 || nd.Unread() == 0 {
		t.Fatalf("%d and %d messages", d.Unread(), nd.Unread())
	}
}

// TestDeniedDelivery requires that a subscriber of # does not receive topics that it may not subscribe to.
func TestDeniedDelivery(t *testing.T) {
	a := &rules{}
	m := embedded.NewMetrics(nil)
	b := start(t, embedded.Config{Listener: listen(t), ACL: a, Metrics: m})
	publisher, _ := connect(t, b, "publisher")
	s, d := connect(t, b, "device")
	n, nd := connect(t, overNetwork(t, b), "network")
	for _, each := range []gateway.Session{s, n} {
		if r := connectortest.Subscribe(t, each, "#", 0); !r.Ok() {
			t.Fatal(r)
		}
	}
	a.deny("secret/topic", access.Subscribe)
	for _, topic := range []string{"secret/topic", "public"} {
		if r := connectortest.Publish(t, publisher, topic, 1, "x"); !r.Ok() {
			t.Fatal(r)
		}
	}
	for _, each := range []*connectortest.Device{d, nd} {
		if m := each.Next(t); m.Topic != "public" {
			t.Fatalf("got %q", m.Topic)
		}
	}
	if m.Dropped(embedded.DropDenied) != 1 {
		t.Fatalf("%v drops counted", m.Dropped(embedded.DropDenied))
	}
}

// TestHostileConnections requires that garbage, silence and too many connections are cut off.
func TestHostileConnections(t *testing.T) {
	b := start(t, embedded.Config{Listener: listen(t), MaxClients: 2})
	for _, bytes := range []string{
		"GET / HTTP/1.1\r\n\r\n", "\x10\xff\xff\xff\x7f", "\x30\x05\x00\x01tx",
		"\x10\x0c\x00\x04MQTT\x09\x02\x00\x3c\x00\x00",
	} {
		conn, err := net.Dial("tcp", b.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write([]byte(bytes))
		_ = conn.SetReadDeadline(time.Now().Add(90 * time.Second))
		for {
			if _, err = conn.Read(make([]byte, 64)); err != nil {
				break
			}
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%q keeps the connection open", bytes)
		}
		_ = conn.Close()
	}
	for i := range 2 {
		rawConnect(t, b, string(rune('a'+i)), "")
	}
	conn, err := net.Dial("tcp", b.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(90 * time.Second))
	if _, err := conn.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Fatalf("a third connection is open: %v", err)
	}
}

// TestCloseWithStalledClient closes while a client does not read what it is sent.
func TestCloseWithStalledClient(t *testing.T) {
	b, err := embedded.New(embedded.Config{Listener: listen(t)})
	if err != nil {
		t.Fatal(err)
	}
	conn := rawConnect(t, b, "stalled", "")
	_, _ = conn.Write([]byte("\x82\x06\x00\x01\x00\x01t\x00"))
	if _, err := conn.Read(make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	s, _ := connect(t, b, "device")
	for range 200 {
		connectortest.Publish(t, s, "t", 0, strings.Repeat("x", 64<<10))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	if err := b.Close(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestCloseClosesTheListener also checks that clients are served before.
func TestCloseClosesTheListener(t *testing.T) {
	l := listen(t)
	b, err := embedded.New(embedded.Config{Listener: l})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := client(t, b, "mosquitto_pub", "-t", "a", "-m", "b"); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if err := b.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener is open: %v", err)
	}
}
