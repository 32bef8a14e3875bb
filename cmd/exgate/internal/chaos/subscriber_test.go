package chaos

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
)

// subscriber keeps a session at the broker, also over its restarts, so that it misses nothing.
type subscriber struct {
	address string
	filter  string
	receive func(*paho.Publish)
}

// subscribe writes a ledger of what devices publish, until the test ends.
func subscribe(t *testing.T, b *mosquitto.Broker, devices int) *ledger {
	t.Helper()
	l := newLedger(devices)
	s := &subscriber{b.Addr(), topicPrefix + "#", l.enter}
	lost, err := s.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.stay(ctx, lost)
	}()
	t.Cleanup(func() { stop(); <-done })
	return l
}

// stay connects again, whenever the connection is lost, until ctx ends.
func (s *subscriber) stay(ctx context.Context, lost <-chan struct{}) {
	for ctx.Err() == nil {
		if lost != nil {
			<-lost
		}
		var err error
		if lost, err = s.connect(ctx); err != nil {
			lost = nil
			time.Sleep(retryPause)
		}
	}
	if lost != nil {
		<-lost
	}
}

// connect subscribes and returns a channel that is closed when the connection ends, at the latest with ctx.
func (s *subscriber) connect(ctx context.Context) (<-chan struct{}, error) {
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		return nil, err
	}
	client := paho.NewClient(paho.ClientConfig{
		Conn: conn,
		OnPublishReceived: []func(paho.PublishReceived) (bool,
			error){func(m paho.PublishReceived) (bool, error) { s.receive(m.Packet); return true, nil }},
	})
	expiry := uint32(3600)
	hello := &paho.Connect{
		ClientID: "subscriber", KeepAlive: 60,
		Properties: &paho.ConnectProperties{SessionExpiryInterval: &expiry},
	}
	context.AfterFunc(ctx, func() { _ = conn.Close() })
	if _, err = client.Connect(ctx, hello); err != nil {
		_ = conn.Close()
		return nil, err
	}
	if _, err = client.Subscribe(ctx, &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{
		Topic: s.filter, QoS: 1,
		RetainHandling: 2,
	}}}); err != nil {
		_ = conn.Close()
		<-client.Done()
		return nil, err
	}
	return client.Done(), nil
}
