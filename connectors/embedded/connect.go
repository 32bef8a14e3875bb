package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/exgate/exgate/connectors/access"
	"github.com/exgate/exgate/runtime/gateway"
)

var errClosed = errors.New("the embedded broker is closed")

// Connect opens a session for a device. An existing session with this client id, of a device or a network client, ends.
func (b *Broker) Connect(
	ctx context.Context, device gateway.Device, password string, down gateway.Downlink,
) (gateway.Session, error) {
	if err := checkLogin(device, password); err != nil {
		return nil, &gateway.ResultError{Result: gateway.Refuse(gateway.CodeParamsTypeError, "%v", err)}
	}
	answer, err := b.admit(ctx, device, password)
	if err != nil {
		return nil, err
	}
	s := &Session{broker: b, device: device, answer: answer, down: down}
	old, err := b.register(s)
	if err != nil {
		return nil, err
	}
	s.expireAt(answer.Expires)
	if old != nil {
		old.lose(gateway.ReasonDiscarded.With("client id %q connected again", device.ClientID))
	}
	if network, ok := b.server.Clients.Get(device.ClientID); ok {
		network.Stop(packets.ErrSessionTakenOver)
	}
	return s, nil
}

// admit returns the answer for a client that may connect. A refusal is a [*gateway.ResultError].
func (b *Broker) admit(ctx context.Context, device gateway.Device, password string) (access.Answer, error) {
	if b.auth == nil {
		return access.Answer{Decision: access.Allow}, nil
	}
	answer, err := b.auth.Authenticate(ctx, device, password)
	if err == nil && answer.Decision == access.Allow {
		answer.Reason = ""
		return answer, nil
	}
	b.metrics.refused.Inc()
	if err != nil {
		return answer, fmt.Errorf("authenticating: %w", err)
	}
	return answer, &gateway.ResultError{
		Result: gateway.Refuse(gateway.CodePermissionDeny, "%s", cmp.Or(answer.Reason, "bad username or password")),
	}
}

func (b *Broker) register(s *Session) (old *Session, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, errClosed
	}
	old = b.sessions[s.device.ClientID]
	b.sessions[s.device.ClientID] = s
	if old == nil {
		b.metrics.sessions.Inc()
	}
	return old, nil
}

func (b *Broker) unregister(s *Session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sessions[s.device.ClientID] == s {
		delete(b.sessions, s.device.ClientID)
		b.metrics.sessions.Dec()
	}
}

func (b *Broker) session(clientID string) *Session {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sessions[clientID]
}
