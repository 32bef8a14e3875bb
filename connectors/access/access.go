package access

import (
	"context"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// Action is what a client wants to do with a topic.
type Action uint8

// The actions.
const (
	Publish Action = iota
	Subscribe
)

// Decision is what an [Authenticator] thinks of a login.
type Decision uint8

// The decisions.
const (
	// it knows nothing of this client: the next is asked; where there is none, the client is refused
	Ignore Decision = iota
	Allow
	Deny
)

func (d Decision) String() string {
	switch d {
	case Allow:
		return "allow"
	case Deny:
		return "deny"
	}
	return "ignore"
}

// Answer is what becomes of a login.
type Answer struct {
	Decision  Decision
	Reason    string    // why, where it is not Allow, for the log and the result of the refusal; holds no secret
	Rules     *Rules    // what the client may do; nil: the answer does not say
	Superuser bool      // no rule applies to the client
	Expires   time.Time // when its session has to end; zero: never
}

// Allows reports whether the client that got the answer may do action with topic. Where the answer does not say,
// otherwise decides; where that is nil, it may.
func (a Answer) Allows(device gateway.Device, action Action, topic string, otherwise ACL) bool {
	switch {
	case a.Superuser:
		return true
	case a.Rules != nil:
		return a.Rules.Allows(device, action, topic)
	}
	return otherwise == nil || otherwise.Allows(device, action, topic)
}

// Authenticator decides who may connect.
type Authenticator interface {
	// Authenticate says whether password belongs to device. It may take its time, at most until ctx ends. An error
	// means that it could not be asked, and holds no secret.
	Authenticate(ctx context.Context, device gateway.Device, password string) (Answer, error)
}

// ACL decides what clients may do. It is asked for each publish, for each subscription with its filter ($share/GROUP/
// removed), and before each delivery with Subscribe and the message's topic, so that a narrow rule holds for those who
// subscribed to #.
type ACL interface {
	Allows(device gateway.Device, action Action, topic string) bool
}

// Everybody allows everyone to log in. It says nothing of what they may do.
func Everybody() Authenticator { return everybody{} }

type everybody struct{}

func (everybody) Authenticate(context.Context, gateway.Device, string) (Answer, error) {
	return Answer{Decision: Allow}, nil
}
