package access

import (
	"context"
	"fmt"

	"github.com/exgate/exgate/runtime/gateway"
)

// Chain asks one after the other. The first that does not answer [Ignore] decides; if none does, the client is refused.
// One that could not be asked ends the chain with its error: those behind it might let somebody in whom it would have
// refused.
type Chain []Link

// Link is one of a [Chain].
type Link struct {
	Name          string // as the operator writes it, for errors and reasons
	Authenticator Authenticator
}

var _ Authenticator = Chain(nil)

// Authenticate implements [Authenticator]. An error names the link that could not be asked, and so does the reason of a
// refusal.
func (c Chain) Authenticate(ctx context.Context, device gateway.Device, password string) (Answer, error) {
	for _, link := range c {
		answer, err := link.Authenticator.Authenticate(ctx, device, password)
		if err != nil {
			return Answer{}, fmt.Errorf("asking %s who may log in: %w", link.Name, err)
		}
		if answer.Decision == Ignore {
			continue
		}
		if answer.Decision == Deny {
			answer.Reason = link.Name + ": " + answer.Reason
		}
		return answer, nil
	}
	return Answer{Decision: Deny, Reason: "nobody who was asked knows the client"}, nil
}
