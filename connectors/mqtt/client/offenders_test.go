package client

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/connectors/mqtt/brokertest"
	"github.com/exgate/exgate/connectors/mqtt/wire"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// TestRepeatedQoS0 publishes QoS 0 messages for which the broker ends connections, again and again, from a device on a
// shared connection. Others lose their connection once; the device loses its session and may not log in for a while.
func TestRepeatedQoS0(t *testing.T) {
	b := brokertest.NewStrictBroker(t, packets.DisconnectTopicNameInvalid)
	s := newQueues(t, Config{URL: b.URL(), ReconnectDelay: brokertest.Unit})
	good := brokertest.LoginTo(t, s, "good", "l")
	device := gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: "evil"}, Listener: "l"}
	down := connectortest.NewDevice()
	evil, err := s.Connect(context.Background(), device, "", down)
	if err != nil {
		t.Fatal(err)
	}
	defer evil.Close()
	gatewaytest.Eventually(t, "the device to be closed", func() bool {
		evil.Publish("bad", 0, []byte("x"), nil, nil)
		if r := connectortest.Publish(t, good, "good", 1, "x"); !r.Ok() {
			t.Fatal(r)
		}
		return down.Losses() > 0
	})
	if r := down.Lost(t); !r.Is(gateway.ReasonUpstreamRefused) {
		t.Error(r)
	}
	s.client.mu.Lock()
	again := len(s.client.connects)
	s.client.mu.Unlock()
	if again > 2 {
		t.Errorf("the shared connection was opened %d times", again)
	}
	var refused *gateway.ResultError
	if _, err := s.Connect(context.Background(), device, "", down); !errors.As(err, &refused) ||
		refused.Result.Code != gateway.CodeLimit {
		t.Errorf("the device logged in again: %v", err)
	}
}

// TestSeveralSuspects publishes messages for which the broker ends connections, from six devices on a shared
// connection, and a good message from another. The good one must wait until each of the others has been tried once, but
// not until all are refused.
func TestSeveralSuspects(t *testing.T) {
	b := brokertest.NewStrictBroker(t, 0)
	s := newQueues(t, Config{URL: b.URL(), ReconnectDelay: brokertest.Unit})
	const several = 6
	good := brokertest.LoginTo(t, s, "good", "l")
	var calls []*connectortest.Call
	for n := range several {
		call := connectortest.NewCall()
		session := brokertest.LoginTo(t, s, fmt.Sprint("evil-", n), "l")
		session.Publish(fmt.Sprint("bad/", n), 1, []byte("x"), nil, call.Done)
		calls = append(calls, call)
	}
	if r := connectortest.Publish(t, good, "good", 1, "x"); !r.Ok() {
		t.Error(r)
	}
	if _, all := b.Endings(); all > suspectAt+several+2 {
		t.Errorf("the broker ended %d connections before it got what it takes", all)
	}
	for _, call := range calls {
		if r := call.Result(t); r.Ok() {
			t.Error(r)
		}
	}
}

// TestAloneStaysAlone ends the connection of two suspects that were tried together, so that each is tried alone next. A
// suspect that is added meanwhile must wait: an end would not tell which of the two caused it.
func TestAloneStaysAlone(t *testing.T) {
	held, answer := make(chan struct{}), make(chan struct{})
	var connections atomic.Int32
	b := brokertest.NewScripted(t, func(p *brokertest.Peer) {
		connect := p.Accept(false)
		if connect == nil || !strings.HasSuffix(connect.ClientID, "-suspects") {
			return
		}
		first := connections.Add(1) == 1
		for n := 0; ; n++ {
			cp := p.Next()
			if cp == nil || first && n == 2 {
				return
			}
			publish, ok := cp.Content.(*packets.Publish)
			switch {
			case !ok:
				return
			case first && n == 1:
				continue // its PUBACK is never sent, so the third is in flight with it
			case !first && n == 1:
				close(held)
				<-answer
			}
			p.Puback(publish.PacketID, 0)
		}
	})
	c := newDevices(t, Config{URL: b.URL(), ReconnectDelay: brokertest.Unit})
	verdicts := make(chan verdict, 4)
	try := func(topic string) {
		c.broker.tryElsewhere(call{kind: publishing, topic: topic, qos: 1}, func(v verdict) { verdicts <- v })
	}
	for _, topic := range []string{"first", "second", "third"} {
		try(topic)
	}
	<-held
	try("late")
	p := c.broker.theProber()
	p.mu.Lock()
	trying, waiting := len(p.trying), len(p.trials)
	p.mu.Unlock()
	close(answer)
	if trying != 1 || waiting != 1 {
		t.Errorf("%d suspects are under way beside %d that wait", trying, waiting)
	}
	for range cap(verdicts) {
		if v := <-verdicts; v.reason != 0 || v.convicted != nil || v.unavailable {
			t.Errorf("%+v", v)
		}
	}
}

// TestProberForgetsItsUnsubscribe ends the prober's connection for the UNSUBSCRIBE that follows a successful trial. It
// is no suspect: nothing waits for its verdict.
func TestProberForgetsItsUnsubscribe(t *testing.T) {
	again := make(chan struct{})
	var connections atomic.Int32
	b := brokertest.NewScripted(t, func(p *brokertest.Peer) {
		connect := p.Accept(false)
		if connect == nil || !strings.HasSuffix(connect.ClientID, "-suspects") {
			return
		}
		if connections.Add(1) == 2 {
			close(again)
		}
		for cp := p.Next(); cp != nil; cp = p.Next() {
			if cp.Type == packets.UNSUBSCRIBE {
				p.Disconnect(packets.DisconnectTopicFilterInvalid)
				return
			}
			p.Suback(cp.PacketID(), 0)
		}
	})
	c := newDevices(t, Config{URL: b.URL(), ReconnectDelay: brokertest.Unit})
	verdicts := make(chan verdict, 1)
	c.broker.tryElsewhere(call{kind: subscribing, topic: "t"}, func(v verdict) { verdicts <- v })
	if v := <-verdicts; v.reason != 0 || v.convicted != nil || v.unavailable {
		t.Errorf("%+v", v)
	}
	<-again
	p := c.broker.theProber()
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.trials) + len(p.trying); n > 0 {
		t.Errorf("%d suspects are left", n)
	}
}

// TestProvenBesideSuspects publishes from proven devices on a shared connection, beside new devices for whose messages
// the broker ends it: the messages of proven devices must not be tried by the prober, behind the others.
func TestProvenBesideSuspects(t *testing.T) {
	for _, reason := range []byte{0, packets.DisconnectTopicNameInvalid} {
		b := brokertest.NewStrictBroker(t, reason)
		s := newQueues(t, Config{URL: b.URL(), ReconnectDelay: brokertest.Unit, Node: "n"})
		var good []gateway.Session
		for n := range 5 {
			good = append(good, brokertest.LoginTo(t, s, fmt.Sprint("good-", n), "l"))
			if r := connectortest.Publish(t, good[n], "first", 1, "x"); !r.Ok() {
				t.Fatal(r)
			}
		}
		const several = 6
		var evil, honest []*connectortest.Call
		for n := range several {
			call := connectortest.NewCall()
			evil = append(evil, call)
			evil := brokertest.LoginTo(t, s, fmt.Sprint("evil-", n), "l")
			evil.Publish(fmt.Sprint("bad/", n), 1, []byte("x"), nil, call.Done)
			for i, device := range good {
				call := connectortest.NewCall()
				honest = append(honest, call)
				device.Publish(fmt.Sprint("good/", i), 1, []byte("x"), nil, call.Done)
			}
		}
		for _, call := range honest {
			if r := call.Result(t); !r.Ok() {
				t.Error(r)
			}
		}
		for _, call := range evil {
			if r := call.Result(t); r.Ok() {
				t.Error(r)
			}
		}
		b.Mu.Lock()
		for i := range good {
			topic := fmt.Sprint("good/", i)
			if own, elsewhere := b.From["exgate-n-shared-1 "+topic],
				b.From["exgate-n-suspects "+topic]; own < several || elsewhere > 0 {
				t.Errorf("reason 0x%02X: %s was taken %d times, and %d times elsewhere", reason, topic, own, elsewhere)
			}
		}
		b.Mu.Unlock()
	}
}

// TestSuspectThatLeaves disconnects a device before its publish is tried; it returns and publishes the same. No other
// device may lose its connection because of that.
func TestSuspectThatLeaves(t *testing.T) {
	b := brokertest.NewStrictBroker(t, 0)
	s := newQueues(t, Config{URL: b.URL(), ReconnectDelay: 5 * brokertest.Unit}) // the suspicion lasts for 3 s
	good := brokertest.LoginTo(t, s, "good", "l")
	login := func() gateway.Session {
		evil := brokertest.LoginTo(t, s, "evil", "l")
		evil.Publish("bad", 1, []byte("x"), nil, nil)
		return evil
	}
	evil := login().(*queueSession)
	gatewaytest.Eventually(t, "the publish to be a suspect", func() bool {
		s.client.mu.Lock()
		defer s.client.mu.Unlock()
		return evil.queue.diverted
	})
	losses := func() float64 { // without those of the prober
		lost := s.broker.metrics.losses
		return testutil.ToFloat64(lost.WithLabelValues(lossNetwork)) +
			testutil.ToFloat64(lost.WithLabelValues(lossRepeated))
	}
	before := losses()
	evil.Close()
	login()
	gatewaytest.Eventually(t, "both to be refused", func() bool { return s.broker.offenders.count("evil") == 2 })
	if r := connectortest.Publish(t, good, "good", 1, "x"); !r.Ok() {
		t.Error(r)
	}
	if after := losses(); after > before {
		t.Errorf("the shared connection was lost %v times more", after-before)
	}
}

// TestSpooledSuspect expects good messages in order and bad ones set aside, including those left by an earlier process,
// and resends one.
func TestSpooledSuspect(t *testing.T) {
	b := brokertest.NewStrictBroker(t, packets.DisconnectTopicNameInvalid)
	folder := t.TempDir() + "/spool"
	cfg := Config{URL: b.URL(), ReconnectDelay: brokertest.Unit, Spool: SpoolConfig{Folder: folder}}
	leave(t, folder, "evil", "good/1", "bad", "good/2", "bad/2", "good/3")
	for n := range 20 {
		leave(t, folder, fmt.Sprint("device-", n), fmt.Sprint("other/", n))
	}
	newDevices(t, cfg)
	want := []string{"good/1", "good/2", "good/3"}
	for n := range 20 {
		want = append(want, fmt.Sprint("other/", n))
	}
	gatewaytest.Eventually(t, "what the broker takes", func() bool {
		for _, topic := range want {
			if b.Took(topic) == 0 {
				return false
			}
		}
		list, err := ListRefused(folder)
		return err == nil && len(list) == 2
	})
	if most, _ := b.Endings(); most > 6 {
		t.Errorf("the broker ended %d connections", most)
	}
	list, _ := ListRefused(folder)
	if list[0].Topic != "bad" || list[1].Topic != "bad/2" || list[0].ClientID != "evil" {
		t.Fatalf("%+v", list)
	}
	b.Set(true)
	ctx, cancel := context.WithTimeout(context.Background(), brokertest.Patience)
	defer cancel()
	if err := ResendRefused(ctx, Config{URL: b.URL()}, list[0]); err != nil {
		t.Fatal(err)
	}
	if b.Took("bad") != 1 {
		t.Error("it was not sent")
	}
}

// TestSpooledSuspectOfADeviceThatComesAndGoes has a stored message sent by another queue, over another connection, each
// time the device logs in or out. The evidence against it must follow it.
func TestSpooledSuspectOfADeviceThatComesAndGoes(t *testing.T) {
	b := brokertest.NewStrictBroker(t, 0)
	folder := t.TempDir() + "/spool"
	s := newQueues(t, Config{URL: b.URL(), ReconnectDelay: brokertest.Unit, Spool: SpoolConfig{Folder: folder}})
	evil := brokertest.LoginTo(t, s, "evil", "")
	call := connectortest.NewCall()
	evil.Publish("bad", 1, []byte("x"), nil, call.Done)
	if r := call.Result(t); !r.Ok() {
		t.Fatal(r)
	}
	ended := 0
	gatewaytest.Eventually(t, "the message to be set aside", func() bool {
		if _, all := b.Endings(); all > ended { // it has been sent; another queue sends it next
			ended = all
			evil.Close()
			if ended%2 == 0 {
				evil = brokertest.LoginTo(t, s, "evil", "")
			}
		}
		list, err := ListRefused(folder)
		return err == nil && len(list) == 1
	})
	if _, all := b.Endings(); all > 6 {
		t.Errorf("the broker ended %d connections", all)
	}
}

// leave stores messages in a spool that nothing drains.
func leave(t *testing.T, folder, id string, topics ...string) {
	t.Helper()
	c := newBrokerless(t, folder)
	g := c.backlogOf(id)
	for _, topic := range topics {
		done := make(chan gateway.Result, 1)
		g.use()
		g.append(call{topic: topic, qos: 1, payload: []byte("x"), done: func(r gateway.Result) { done <- r }})
		if r := <-done; !r.Ok() {
			t.Fatal(r)
		}
	}
	if err := c.spool.close(); err != nil {
		t.Fatal(err)
	}
}

// newBrokerless returns a broker with a spool that nothing drains.
func newBrokerless(t *testing.T, folder string) *Broker {
	t.Helper()
	b, err := newBroker(Config{URL: "mqtt://127.0.0.1:1", Spool: SpoolConfig{Folder: folder}})
	if err != nil {
		t.Fatal(err)
	}
	b.use()
	b.spool.spool, b.spool.err = b.awaitSpool()
	if b.spool.err != nil {
		t.Fatal(b.spool.err)
	}
	close(b.spool.opened)
	t.Cleanup(func() { _ = b.Leave(context.Background()) })
	return b
}

// TestUselessConnections uses a broker that ends each connection right after CONNACK, and expects few connections.
func TestUselessConnections(t *testing.T) {
	b := brokertest.NewScripted(t, func(p *brokertest.Peer) {
		if p.Accept(false) != nil {
			p.Disconnect(packets.DisconnectServerShuttingDown)
		}
	})
	s := newQueues(t, Config{URL: b.URL(), ReconnectDelay: brokertest.Unit})
	c := s
	gatewaytest.Eventually(t, "seven connects", func() bool {
		c.client.mu.Lock()
		defer c.client.mu.Unlock()
		if n := len(c.client.connects); n > mostConnects+1 {
			t.Fatalf("%d connects within %v", n, connectWindow*brokertest.Unit)
		}
		return c.client.attempt >= mostConnects+2
	})
}

// TestUnavailable expects calls to be refused, and statuses published without retain, if CONNACK says that the broker
// does not support what they need.
func TestUnavailable(t *testing.T) {
	no := byte(0)
	retained := make(chan bool, 10)
	b := brokertest.NewScripted(t, func(p *brokertest.Peer) {
		cp := p.Next()
		if cp == nil {
			return
		}
		if cp.Content.(*packets.Connect).WillRetain {
			p.Send(&packets.Connack{Properties: &packets.Properties{}, ReasonCode: packets.ConnackRetainNotSupported})
			return
		}
		p.Send(&packets.Connack{Properties: &packets.Properties{
			RetainAvailable: &no, WildcardSubAvailable: &no, SharedSubAvailable: &no, SubIDAvailable: &no,
		}})
		for cp := p.Next(); cp != nil; cp = p.Next() {
			switch c := cp.Content.(type) {
			case *packets.Publish:
				retained <- c.Retain
				p.Puback(c.PacketID, 0)
			case *packets.Subscribe:
				p.Disconnect(packets.DisconnectWildcardSubscriptionsNotSupported)
				return
			}
		}
	})
	var log gatewaytest.Log
	c := newDevices(t, Config{
		URL: b.URL(), Logger: log.Logger(),
		DeviceStatus: Status{Topic: "s/${clientid}", QoS: 1, Retain: true},
	})
	s, d := brokertest.Connect(t, c, "c")
	if <-retained {
		t.Error("a status was retained")
	}
	for _, filter := range []string{"a/#", "a/+", "$share/g/a"} {
		if r := connectortest.Subscribe(t, s, filter, 1); r.Code != gateway.CodeUnsupported {
			t.Errorf("%s: %v", filter, r)
		}
	}
	for qos := byte(0); qos <= 2; qos++ {
		r := connectortest.PublishWith(t, s, "a", qos, "x", &gateway.Properties{Retain: true})
		const want = "the broker does not support retained messages"
		if r.Code != gateway.CodeUnsupported || !strings.Contains(r.Message, want) {
			t.Errorf("retain, QoS %d: %v", qos, r)
		}
	}
	if r := connectortest.Publish(t, s, "a", 1, "x"); !r.Ok() || d.Losses() > 0 || <-retained {
		t.Error(r)
	}
	if !strings.Contains(log.String(), "the broker does not support retained messages") {
		t.Error(log.String())
	}
}

// TestUserPropertiesThatCannotBeSent expects a login to be refused if the broker would end the connection for its user
// properties.
func TestUserPropertiesThatCannotBeSent(t *testing.T) {
	b := brokertest.NewStrictBroker(t, 0)
	cfg := Config{URL: b.URL(), UserProperties: true}
	for _, c := range []gateway.Connector{newDevices(t, cfg), newQueues(t, cfg)} {
		for _, name := range []string{"\x01", "\uffff", "\xff", string(make([]byte, 70_000))} {
			device := gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: "c", ProtoName: name}}
			var refused *gateway.ResultError
			_, err := c.Connect(context.Background(), device, "", connectortest.NewDevice())
			if !errors.As(err, &refused) || refused.Result.Code != gateway.CodeParamsTypeError {
				t.Errorf("%.10q: %v", name, err)
			}
		}
	}
}

// TestNoncharacterAtMosquitto has mosquitto end connections because of a user property that no check of ours finds.
func TestNoncharacterAtMosquitto(t *testing.T) {
	broker := mosquitto.Start(t, mosquitto.Options{})
	cfg := Config{URL: broker.URL(), ReconnectDelay: 50 * time.Millisecond}
	bad := wire.EncodeUser(paho.UserProperties{{Key: "k", Value: "\ufffe"}})
	t.Run("shared", func(t *testing.T) {
		s := newQueues(t, cfg)
		evil, good := brokertest.LoginTo(t, s, "evil", "l"), brokertest.LoginTo(t, s, "good", "l")
		evil.(*queueSession).queue.props = bad
		wantRefused(t, evil, good)
	})
	t.Run("device", func(t *testing.T) {
		c := newDevices(t, cfg)
		evil, good := brokertest.LoginTo(t, c, "evil", "l"), brokertest.LoginTo(t, c, "good", "l")
		evil.(*deviceSession).queue.props = bad
		wantRefused(t, evil, good)
	})
}

func wantRefused(t *testing.T, evil, good gateway.Session) {
	t.Helper()
	call := connectortest.NewCall()
	evil.Publish("t", 1, []byte("x"), nil, call.Done)
	if r := connectortest.Publish(t, good, "t", 1, "x"); !r.Ok() {
		t.Error(r)
	}
	if r := call.Result(t); r.Ok() {
		t.Error("mosquitto took it")
	}
	if r := connectortest.Publish(t, good, "t", 1, "x"); !r.Ok() {
		t.Error(r)
	}
}
