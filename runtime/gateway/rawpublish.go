package gateway

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// RawPublisher publishes for the gateway itself, without a device's access rules and mountpoint, as ExProto's
// RawPublish does. Its session is opened at the first use, with its own credentials.
type RawPublisher struct {
	gateway   *Gateway
	connector string
	client    ClientInfo
	password  string

	opening sync.Mutex // one Connect at a time

	mu      sync.Mutex  // guards session
	session *rawSession // nil until the first use, and after it was lost
}

// rawSession is a session of a RawPublisher, and its Downlink.
type rawSession struct {
	publisher *RawPublisher
	lease     *lease[Connector]
	session   Session // set once Connect has returned
	lost      bool    // guarded by publisher.mu; it may be lost before Connect has returned
}

// NewRawPublisher creates a publisher that goes through the named connector as client.
func (g *Gateway) NewRawPublisher(connector string, client ClientInfo, password string) *RawPublisher {
	p := &RawPublisher{gateway: g, connector: connector, client: client, password: password}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.raws = append(g.raws, p)
	return p
}

// RawPublish publishes and calls done once with the result, on another goroutine, unless the Result refuses the call.
// It waits for the upstream only to open the session.
func (p *RawPublisher) RawPublish(topic string, qos uint32, payload []byte, done Done) Result {
	if r := checkPublish(topic, qos); !r.Ok() {
		return r
	}
	session, err := p.open()
	if err != nil {
		p.gateway.log.Warn("raw publish failed", "connector", p.connector, "error", err)
		return Refuse(CodeUnknown, "upstream cannot be reached")
	}
	session.session.Publish(topic, byte(qos), payload, nil, func(r Result) {
		if r.Code == CodeConnProcessNotAlive {
			p.drop(session)
		}
		if done != nil {
			go done(r)
		}
	})
	return OK
}

// open returns the session, and opens one if there is none.
func (p *RawPublisher) open() (*rawSession, error) {
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
	s := &rawSession{publisher: p, lease: lease}
	s.session, err = lease.value.Connect(ctx, Device{ClientInfo: p.client}, p.password, s)
	if err == nil && !p.keep(s) {
		s.session.Close()
		err = errRawLost
	}
	if err != nil {
		lease.release()
		return nil, fmt.Errorf("connecting as %q: %w", p.client.ClientID, err)
	}
	return s, nil
}

var errRawLost = errors.New("the session was lost at once")

// keep makes s the session, unless it has already been lost.
func (p *RawPublisher) keep(s *rawSession) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.lost {
		return false
	}
	p.session = s
	return true
}

func (p *RawPublisher) current() *rawSession {
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

// Deliver drops the message: a publisher subscribes to nothing.
func (s *rawSession) Deliver(Message) bool { return false }

// SessionLost makes the next RawPublish open a new session.
func (s *rawSession) SessionLost(reason CloseReason) {
	p := s.publisher
	p.gateway.log.Warn("session of raw publish lost", "connector", p.connector, "reason", reason.Name)
	p.drop(s)
}

// Close ends the session, if there is one. [Gateway.Shutdown] does it too, after the last connection.
func (p *RawPublisher) Close() {
	if s := p.current(); s != nil && p.drop(s) {
		s.session.Close()
	}
}

// drop forgets a session that has ended, and reports whether it was the one in use.
func (p *RawPublisher) drop(s *rawSession) bool {
	p.mu.Lock()
	s.lost = true
	used := p.session == s
	if used {
		p.session = nil
	}
	p.mu.Unlock()
	if used {
		s.lease.release()
	}
	return used
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

var _ Downlink = (*rawSession)(nil)
