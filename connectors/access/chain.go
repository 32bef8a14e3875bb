package access

import (
	"context"
	"fmt"

	"github.com/exgate/exgate/runtime/gateway"
)

// Chain tries authenticators in order. The first answer other than [Ignore] decides. Without one, the login is
// refused. An error ends the chain: a later authenticator might allow a client that the failed one would have refused.
type Chain []Link

// Link is one authenticator of a [Chain].
type Link struct {
	Name          string // as in the configuration; used in errors and reasons
	Authenticator Authenticator
}

var _ Authenticator = Chain(nil)

// Authenticate implements [Authenticator]. Errors and the reasons of refusals name the link that they come from.
func (c Chain) Authenticate(ctx context.Context, device gateway.Device, password string) (Answer, error) {
	for _, link := range c {
		answer, err := link.Authenticator.Authenticate(ctx, device, password)
		if err != nil {
			return Answer{}, fmt.Errorf("authenticating with %s: %w", link.Name, err)
		}
		if answer.Decision == Ignore {
			continue
		}
		if answer.Decision == Deny {
			answer.Reason = link.Name + ": " + answer.Reason
		}
		return answer, nil
	}
	return Answer{Decision: Deny, Reason: "no authenticator knows the client"}, nil
}
