package mqtt

import (
	"context"
	"errors"

	"github.com/eclipse/paho.golang/paho"

	"github.com/exgate/exgate/connectors/access"
	"github.com/exgate/exgate/runtime/gateway"
)

// Probe returns an Authenticator that asks the broker: it connects with the device's credentials and client id, and leaves at once. A session that the
// broker has under that client id ends with it.
func (c *Connector) Probe() access.Authenticator { return loginCheck{c.broker} }

type loginCheck struct{ broker *broker }

// Authenticate allows whom the broker takes. What is not about the credentials (the broker is busy, or away) is an error.
func (p loginCheck) Authenticate(ctx context.Context, device gateway.Device, password string) (access.Answer, error) {
	if err := p.broker.checkLogin(device, password); err != nil {
		return access.Answer{}, err
	}
	c := &client{}
	c.init(p.broker, device.ClientID, visitor{})
	c.username, c.password = device.Username, password
	l, err := p.broker.open(ctx, c, true)
	var refused *gateway.ResultError
	switch {
	case err == nil:
		l.disconnect(false, false)
		return access.Answer{Decision: access.Allow}, nil
	case errors.As(err, &refused) && refused.Result.Code == gateway.CodePermissionDeny:
		return access.Answer{Decision: access.Deny, Reason: refused.Result.Message}, nil
	}
	return access.Answer{}, err
}

// visitor owns a client that only comes and goes.
type visitor struct{}

func (visitor) message(*paho.Publish)    {}
func (visitor) resuming(bool)            {}
func (visitor) connected(bool)           {}
func (visitor) lost(gateway.CloseReason) {}
