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
	"github.com/exgate/exgate/connectors/mqtt/client"
	"github.com/exgate/exgate/runtime/gateway"
)

// Clients for benchmarks with many devices: sessions of both kinds and, for comparison, clients of paho.

// dialing is the total number of connections opened at once.
const dialing = 64

// many connects many clients to a broker.
type many interface {
	// attach connects n devices, each subscribed to its own topic down/I, and calls got for each message.
	attach(b *testing.B, n int, got func())
	// publish sends a message for device i and calls done when it is acknowledged or, at QoS 0, written.
	publish(i int, qos byte, payload []byte, done func(error))
	leave()
}

// eachOf runs f for 0 to n-1, at most dialing at once.
func eachOf(n int, f func(i int)) {
	var wg sync.WaitGroup
	places := make(chan struct{}, dialing)
	for i := range n {
		places <- struct{}{}
		wg.Go(func() { f(i); <-places })
	}
	wg.Wait()
}

// ofSessions connects devices with a connector.
type ofSessions struct {
	connector gateway.Connector
	metrics   *prometheus.Registry
	prefix    string // prefix of the client ids
	sessions  []gateway.Session
}

// counting is a device that calls got for each message.
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
	m.sessions[i].Publish("up/bench", qos, payload, nil, func(r gateway.Result) {
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

// ofPaho connects paho clients, each with its own connection.
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

// publish waits, as paho does.
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

// bothModes returns a connector of each kind.
func bothModes(b *testing.B, broker *mosquitto.Broker) map[string]*ofSessions {
	b.Helper()
	return map[string]*ofSessions{
		"device": sessionsOf(b, "device", client.Config{URL: broker.URL()}),
		"shared": sessionsOf(b, "shared", client.Config{URL: broker.URL(), Node: "bench"}),
	}
}
