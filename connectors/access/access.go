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
	PublishRetained // publish a message that the broker keeps
)

// PublishOf returns the action that publishes a message with these properties, which may be nil.
func PublishOf(props *gateway.Properties) Action {
	if props != nil && props.Retain {
		return PublishRetained
	}
	return Publish
}

// Refused is the result of a publish to topic that is not allowed.
func Refused(props *gateway.Properties, topic string) gateway.Result {
	if PublishOf(props) == PublishRetained {
		return gateway.Refuse(gateway.CodePermissionDeny, "publishing a retained message to %.100q is not allowed",
			topic)
	}
	return gateway.Refuse(gateway.CodePermissionDeny, "publishing to %.100q is not allowed", topic)
}

// ResponseRefused is the result of a publish whose response topic the client may not subscribe to: whoever answers
// publishes there with its own rights.
func ResponseRefused(topic string) gateway.Result {
	return gateway.Refuse(gateway.CodePermissionDeny,
		"subscribing to the response topic %.100q is not allowed", topic)
}

// Decision is the outcome of a login at an [Authenticator].
type Decision uint8

// The decisions.
const (
	// Ignore means that the authenticator does not know the client: the next one decides. Without a next one, the login
	// is refused.
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

// Answer is an Authenticator's answer to a login.
type Answer struct {
	Decision  Decision
	Reason    string    // why, if Decision is not Allow; goes to the log and the refusal, and contains no secret
	Rules     *Rules    // what the client may do; nil if the answer does not say
	Superuser bool      // no rule applies to the client
	Expires   time.Time // when the session must end; zero: never
}

// Allows reports whether the client may perform action on topic. If the answer has no rules, otherwise decides; a nil
// otherwise allows everything.
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
	// Authenticate decides whether password belongs to device. It may block until ctx ends. It returns an error if it
	// could not decide; the error contains no secret.
	Authenticate(ctx context.Context, device gateway.Device, password string) (Answer, error)
}

// ACL decides what clients may do. It is consulted for each publish (with PublishRetained if it is to be retained), for
// each subscription (with its filter, without $share/GROUP/), and before each delivery (with Subscribe and the
// message's topic), so that a narrow rule also restricts clients that subscribed to #.
type ACL interface {
	Allows(device gateway.Device, action Action, topic string) bool
}

// Everybody returns an Authenticator that allows every login and sets no rules.
func Everybody() Authenticator { return everybody{} }

type everybody struct{}

func (everybody) Authenticate(context.Context, gateway.Device, string) (Answer, error) {
	return Answer{Decision: Allow}, nil
}
