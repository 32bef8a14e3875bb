package gateway

import (
	"context"
	"fmt"
	"sync"
)

// RawPublisher publishes for the gateway itself, past connections, access rules of devices and mountpoints, as ExProto's RawPublish does.
// Its session is opened at the first use, with credentials of its own.
type RawPublisher struct {
	gateway   *Gateway
	connector string
	client    ClientInfo
	password  string

	mu      sync.Mutex // guards session
	session Session
}

// NewRawPublisher makes a publisher that goes through the named connector as client.
func (g *Gateway) NewRawPublisher(connector string, client ClientInfo, password string) *RawPublisher {
	return &RawPublisher{gateway: g, connector: connector, client: client, password: password}
}

// RawPublish publishes and calls done once with the result, on another goroutine, unless the Result refuses the call. It waits for the
// upstream only when it has no session yet.
func (p *RawPublisher) RawPublish(topic string, qos uint32, payload []byte, done Done) Result {
	if r := checkPublish(topic, qos); !r.Ok() {
		return r
	}
	session, err := p.open()
	if err != nil {
		p.gateway.log.Warn("raw publish failed", "connector", p.connector, "error", err)
		return Refuse(CodeUnknown, "upstream cannot be reached")
	}
	session.Publish(topic, byte(qos), payload, func(r Result) {
		if done != nil {
			go done(r)
		}
	})
	return OK
}

func (p *RawPublisher) open() (Session, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.session != nil {
		return p.session, nil
	}
	p.gateway.mu.Lock()
	lease := p.gateway.connectors[p.connector]
	p.gateway.mu.Unlock()
	if lease == nil {
		return nil, fmt.Errorf("no connector is named %q", p.connector)
	}
	ctx, cancel := context.WithTimeout(context.Background(), DefaultLimits.AuthTimeout)
	defer cancel()
	s, err := lease.value.Connect(ctx, p.client, p.password, p)
	if err != nil {
		return nil, fmt.Errorf("connecting as %q: %w", p.client.ClientID, err)
	}
	p.session = s
	return s, nil
}

// Deliver drops what comes: a publisher subscribes to nothing.
func (p *RawPublisher) Deliver(Message) bool { return false }

// SessionLost makes the next RawPublish open a new session.
func (p *RawPublisher) SessionLost(reason CloseReason) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.session = nil
	p.gateway.log.Warn("session of raw publish lost", "connector", p.connector, "reason", reason.Name)
}

// Close ends the session, if there is one.
func (p *RawPublisher) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.session != nil {
		p.session.Close()
		p.session = nil
	}
}

var _ Downlink = (*RawPublisher)(nil)
