package mqtt

import (
	"context"
	"errors"

	"github.com/exgate/exgate/connectors/access"
	"github.com/exgate/exgate/connectors/mqtt/client"
	"github.com/exgate/exgate/runtime/gateway"
)

// Probe returns an Authenticator that checks logins at the broker: it connects with the device's credentials and client
// id and disconnects at once. This ends the session that the broker has for that client id.
func (c *Connector) Probe() access.Authenticator { return loginCheck{c.broker} }

type loginCheck struct{ broker *client.Broker }

// Authenticate allows a device if the broker accepts its CONNECT. It returns an error if the broker is busy or down.
func (p loginCheck) Authenticate(ctx context.Context, device gateway.Device, password string) (access.Answer, error) {
	err := p.broker.TryLogin(ctx, device, password)
	var refused *gateway.ResultError
	switch {
	case err == nil:
		return access.Answer{Decision: access.Allow}, nil
	case errors.As(err, &refused) && refused.Result.Code == gateway.CodePermissionDeny:
		return access.Answer{Decision: access.Deny, Reason: refused.Result.Message}, nil
	}
	return access.Answer{}, err
}
