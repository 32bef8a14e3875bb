package tap

import (
	"fmt"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// Kind says what a [Record] is: an event, a call or something between them.
type Kind uint8

// The events of a handler come first, each when it begins; Handled is the end of the one before. Then its calls, each before it is carried out, and Result,
// the outcome of a call.
const (
	Created Kind = iota + 1
	Bytes
	Timer
	Messages
	Posted // an event that the handler posted itself, such as a guest's RESULT
	Drain
	Closed
	Handled

	Send
	Close
	Authenticate
	StartTimer
	Publish
	Subscribe
	Unsubscribe
	Pause
	Resume
	Result
)

var kindNames = [...]string{
	"", "created", "bytes", "timer", "messages", "posted", "drain", "closed", "handled",
	"send", "close", "authenticate", "start_timer", "publish", "subscribe", "unsubscribe", "pause", "resume", "result",
}

func (k Kind) String() string {
	if k == 0 || int(k) >= len(kindNames) {
		return fmt.Sprintf("Kind(%d)", uint8(k))
	}
	return kindNames[k]
}

// KindOf returns the kind that String calls name, or 0.
func KindOf(name string) Kind {
	for k := Created; k <= Result; k++ {
		if kindNames[k] == name {
			return k
		}
	}
	return 0
}

// Event reports whether the handler was told something.
func (k Kind) Event() bool { return k >= Created && k <= Closed }

// Call reports whether the handler called its adapter.
func (k Kind) Call() bool { return k >= Send && k <= Resume }

// Record is one thing that happened to a connection. Which fields are set depends on the kind; the slices and the password belong to whoever gave
// them, see [Sink].
type Record struct {
	Kind Kind
	At   time.Duration // since the connection was given its handler

	// Call numbers the calls of a connection, from 1. In a Result it is that of the call.
	Call uint32

	Info     gateway.ConnInfo    // Created
	Digest   string              // Created: the version of the handler, where it has one
	Data     []byte              // Bytes, Send, Publish
	Timer    gateway.TimerType   // Timer, StartTimer
	Seconds  uint32              // StartTimer
	Messages []gateway.Message   // Messages
	Reason   gateway.CloseReason // Closed, Close
	Client   gateway.ClientInfo  // Authenticate
	Password string              // Authenticate
	Topic    string              // Publish, Subscribe, Unsubscribe: the topic or the filter
	QoS      uint32              // Publish, Subscribe
	Wanted   bool                // Authenticate, Publish, Subscribe, Unsubscribe: a Result follows, unless the connection ends first
	Err      error               // Handled: the handler failed

	// Result is the outcome of a call. Calls without one went well, or did not want to know.
	Result  gateway.Result
	Refused bool // Result: the call was refused at once, and nothing more is heard of it
}
