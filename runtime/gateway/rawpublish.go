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

	opening sync.Mutex // one Connect at a time

	mu      sync.Mutex // guards the fields below
	session Session
	lease   *lease[Connector] // session's
}

// NewRawPublisher makes a publisher that goes through the named connector as client.
func (g *Gateway) NewRawPublisher(connector string, client ClientInfo, password string) *RawPublisher {
	p := &RawPublisher{gateway: g, connector: connector, client: client, password: password}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.raws = append(g.raws, p)
	return p
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

// open returns the session, a new one where there is none.
func (p *RawPublisher) open() (Session, error) {
	if s := p.current(); s != nil {
		return s, nil
	}
	p.opening.Lock()
	defer p.opening.Unlock()
	if s := p.current(); s != nil {
		return s, nil
	}
	lease, err := p.take()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), DefaultLimits.AuthTimeout)
	defer cancel()
	s, err := lease.value.Connect(ctx, Device{ClientInfo: p.client}, p.password, p)
	if err != nil {
		lease.release()
		return nil, fmt.Errorf("connecting as %q: %w", p.client.ClientID, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.session, p.lease = s, lease
	return s, nil
}

func (p *RawPublisher) current() Session {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.session
}

func (p *RawPublisher) take() (*lease[Connector], error) {
	p.gateway.mu.Lock()
	defer p.gateway.mu.Unlock()
	lease := p.gateway.connectors[p.connector]
	if lease == nil || !lease.take() {
		return nil, fmt.Errorf("no connector is named %q", p.connector)
	}
	return lease, nil
}

// Deliver drops what comes: a publisher subscribes to nothing.
func (p *RawPublisher) Deliver(Message) bool { return false }

// SessionLost makes the next RawPublish open a new session.
func (p *RawPublisher) SessionLost(reason CloseReason) {
	p.gateway.log.Warn("session of raw publish lost", "connector", p.connector, "reason", reason.Name)
	p.drop()
}

// Close ends the session, if there is one. [Gateway.Shutdown] does it too, after the last connection.
func (p *RawPublisher) Close() {
	if s := p.drop(); s != nil {
		s.Close()
	}
}

func (p *RawPublisher) drop() Session {
	p.mu.Lock()
	s, lease := p.session, p.lease
	p.session, p.lease = nil, nil
	p.mu.Unlock()
	if lease != nil {
		lease.release()
	}
	return s
}

func (g *Gateway) closeRawPublishers() {
	g.mu.Lock()
	raws := g.raws
	g.raws = nil
	g.mu.Unlock()
	for _, p := range raws {
		p.Close()
	}
}

var _ Downlink = (*RawPublisher)(nil)
