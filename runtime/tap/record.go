package tap

import (
	"fmt"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// Kind is the kind of a [Record]: an event, a call or a result.
type Kind uint8

// The events of a handler, recorded when they begin; Handled is the end of the last one. Then its calls, recorded
// before they are made, and Result, the result of a call.
const (
	Created Kind = iota + 1
	Bytes
	Timer
	Alarm
	Messages
	Posted // an event that the handler has posted, such as a guest's RESULT
	Drain
	Closed
	Handled

	Send
	Close
	Authenticate
	StartTimer
	SetTimer
	SaveState
	Publish
	Subscribe
	Unsubscribe
	Pause
	Resume
	Result
)

var kindNames = [...]string{
	"", "created", "bytes", "timer", "alarm", "messages", "posted", "drain", "closed", "handled",
	"send", "close", "authenticate", "start_timer", "set_timer", "save_state", "publish", "subscribe",
	"unsubscribe", "pause", "resume", "result",
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

// Event reports whether k is an event of the handler.
func (k Kind) Event() bool { return k >= Created && k <= Closed }

// Call reports whether k is a call of the adapter.
func (k Kind) Call() bool { return k >= Send && k <= Resume }

// Record is an event, call or result of a connection. Which fields are set depends on the kind. The sink does not own
// the slices and the password; see [Sink].
type Record struct {
	Kind Kind
	At   time.Duration // since the handler was made

	// Call numbers the calls of a connection, from 1. In a Result it is the number of the call.
	Call uint32

	Info     gateway.ConnInfo    // Created
	Digest   string              // Created: the version of the handler, if it has one
	Data     []byte              // Bytes, Send, Publish, SaveState; Result: the state that came with a login
	Timer    gateway.TimerType   // Timer, StartTimer
	Seconds  uint32              // StartTimer
	Alarm    uint32              // Alarm, SetTimer: the id of the timer
	Millis   int32               // SetTimer
	Messages []gateway.Message   // Messages
	Reason   gateway.CloseReason // Closed, Close
	Client   gateway.ClientInfo  // Authenticate
	Password string              // Authenticate
	Topic    string              // Publish, Subscribe, Unsubscribe: the topic or the filter
	QoS      uint32              // Publish, Subscribe
	Props    *gateway.Properties // Publish; nil without properties
	// Authenticate, SaveState, Publish, Subscribe, Unsubscribe: a Result follows, unless the connection ends first
	Wanted bool
	Err    error // Handled: the handler failed

	// Result is the result of a call. A call without one succeeded, or did not request its result.
	Result  gateway.Result
	Refused bool // Result: the call was refused at once
}
