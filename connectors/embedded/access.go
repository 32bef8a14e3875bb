package embedded

import (
	"context"

	"github.com/exgate/exgate/runtime/gateway"
)

// Authenticator decides who may connect, devices and network clients alike. [AuthFile] is one.
type Authenticator interface {
	// Authenticate reports whether password belongs to client. It may take its time, at most until ctx ends.
	Authenticate(ctx context.Context, device gateway.Device, password string) bool
}

// Action is what a client wants to do with a topic.
type Action uint8

// The actions.
const (
	Publish Action = iota
	Subscribe
)

// ACL decides what clients may do. It is asked for each publish, for each subscription with its filter ($share/GROUP/ removed), and
// before each delivery with Subscribe and the message's topic, so that a narrow rule holds for those who subscribed to #. [AuthFile] is one.
type ACL interface {
	Allows(device gateway.Device, action Action, topic string) bool
}
