package embedded

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/exgate/exgate/runtime/gateway"
)

var errClosed = errors.New("the embedded broker is closed")

// Connect opens the session of a device. A session of the same client id, of a device or a network client, ends.
func (b *Broker) Connect(ctx context.Context, client gateway.ClientInfo, password string, down gateway.Downlink) (gateway.Session, error) {
	if client.ClientID == "" || strings.IndexByte(client.ClientID, 0) >= 0 || !utf8.ValidString(client.ClientID) {
		return nil, &gateway.ResultError{Result: gateway.Refuse(gateway.CodeParamsTypeError, "client id %.100q is not usable with MQTT", client.ClientID)}
	}
	if !b.admit(ctx, client, password) {
		return nil, &gateway.ResultError{Result: gateway.Refuse(gateway.CodePermissionDeny, "bad username or password")}
	}
	s := &Session{broker: b, client: client, down: down}
	old, err := b.register(s)
	if err != nil {
		return nil, err
	}
	if old != nil {
		old.lose(gateway.ReasonDiscarded.With("client id %q connected again", client.ClientID))
	}
	if network, ok := b.server.Clients.Get(client.ClientID); ok {
		network.Stop(packets.ErrSessionTakenOver)
	}
	return s, nil
}

func (b *Broker) admit(ctx context.Context, client gateway.ClientInfo, password string) bool {
	if b.auth == nil || b.auth.Authenticate(ctx, client, password) {
		return true
	}
	b.metrics.refused.Inc()
	return false
}

func (b *Broker) register(s *Session) (old *Session, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, errClosed
	}
	old = b.sessions[s.client.ClientID]
	b.sessions[s.client.ClientID] = s
	if old == nil {
		b.metrics.sessions.Inc()
	}
	return old, nil
}

func (b *Broker) unregister(s *Session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sessions[s.client.ClientID] == s {
		delete(b.sessions, s.client.ClientID)
		b.metrics.sessions.Dec()
	}
}

func (b *Broker) session(clientID string) *Session {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sessions[clientID]
}
