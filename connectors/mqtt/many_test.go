package mqtt

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"

	"github.com/eclipse/paho.golang/paho"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/runtime/gateway"
)

// What benchmarks of many devices are made of: sessions of both kinds, and MQTT clients of the library alone to compare
// them with.

// dialing is how many connections are opened at once, by all of them.
const dialing = 64

// many is a way to have many clients at a broker.
type many interface {
	// attach connects n devices, each subscribed to its own topic down/I, and counts what they get.
	attach(b *testing.B, n int, got func())
	// publish sends one message for device i and calls done when it is acknowledged, or at QoS 0 handed over.
	publish(i int, qos byte, payload []byte, done func(error))
	leave()
}

// eachOf runs f for 0 to n-1, some at once.
func eachOf(n int, f func(i int)) {
	var wg sync.WaitGroup
	places := make(chan struct{}, dialing)
	for i := range n {
		places <- struct{}{}
		wg.Go(func() { f(i); <-places })
	}
	wg.Wait()
}

// ofSessions are devices of a connector.
type ofSessions struct {
	connector gateway.Connector
	metrics   *prometheus.Registry
	prefix    string // of the client ids
	sessions  []gateway.Session
}

// counting is a device that counts.
type counting struct{ got func() }

func (c counting) Deliver(gateway.Message) bool    { c.got(); return true }
func (c counting) SessionLost(gateway.CloseReason) {}

func (m *ofSessions) attach(b *testing.B, n int, got func()) {
	m.sessions = make([]gateway.Session, n)
	eachOf(n, func(i int) {
		device := gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: fmt.Sprint(m.prefix, "-", i)}}
		s, err := m.connector.Connect(context.Background(), device, "", counting{got})
		if err != nil {
			b.Error(err)
			return
		}
		m.sessions[i] = s
		if r := connectortest.Subscribe(b, s, fmt.Sprint("down/", i), 1); !r.Ok() {
			b.Error(r)
		}
	})
	if b.Failed() {
		b.FailNow()
	}
}

func (m *ofSessions) publish(i int, qos byte, payload []byte, done func(error)) {
	m.sessions[i].Publish("up/bench", qos, payload, func(r gateway.Result) {
		if !r.Ok() {
			done(&gateway.ResultError{Result: r})
			return
		}
		done(nil)
	})
}

func (m *ofSessions) leave() {
	for _, s := range m.sessions {
		s.Close()
	}
	m.sessions = nil
}

// ofPaho are clients of the library, one connection each.
type ofPaho struct {
	addr    string
	clients []*paho.Client
}

func (m *ofPaho) attach(b *testing.B, n int, got func()) {
	m.clients = make([]*paho.Client, n)
	receive := uint16(20)
	eachOf(n, func(i int) {
		conn, err := net.Dial("tcp", m.addr)
		if err != nil {
			b.Error(err)
			return
		}
		c := paho.NewClient(paho.ClientConfig{Conn: conn, OnPublishReceived: []func(paho.PublishReceived) (bool, error){
			func(paho.PublishReceived) (bool, error) { got(); return true, nil },
		}})
		m.clients[i] = c
		_, err = c.Connect(context.Background(), &paho.Connect{
			ClientID: fmt.Sprint("paho-", i), CleanStart: true, KeepAlive: 60,
			Properties: &paho.ConnectProperties{ReceiveMaximum: &receive},
		})
		if err == nil {
			_, err = c.Subscribe(context.Background(),
				&paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: fmt.Sprint("down/", i), QoS: 1}}})
		}
		if err != nil {
			b.Error(err)
		}
	})
	if b.Failed() {
		b.FailNow()
	}
}

// publish waits, as the library does.
func (m *ofPaho) publish(i int, qos byte, payload []byte, done func(error)) {
	_, err := m.clients[i].Publish(context.Background(), &paho.Publish{Topic: "up/bench", QoS: qos, Payload: payload})
	done(err)
}

func (m *ofPaho) leave() {
	for _, c := range m.clients {
		_ = c.Disconnect(&paho.Disconnect{})
	}
	for _, c := range m.clients {
		<-c.Done()
	}
	m.clients = nil
}

// bothModes are a connector of each kind at a broker of its own.
func bothModes(b *testing.B, broker *mosquitto.Broker) map[string]*ofSessions {
	b.Helper()
	return map[string]*ofSessions{
		"device": sessionsOf(b, "device", Config{URL: broker.URL()}),
		"shared": sessionsOf(b, "shared", Config{URL: broker.URL(), Node: "bench"}),
	}
}
