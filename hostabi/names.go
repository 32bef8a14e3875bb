package hostabi

import "fmt"

// Modules that a guest may import from.
const (
	ModuleName     = "exproto_v1"
	WASIModuleName = "wasi_snapshot_preview1"
)

// Minor is the minor version of exproto_v1 that this package has.
const Minor = 1

// Names of a guest's exports.
const (
	ExportMemory     = "memory"
	ExportInitialize = "_initialize"
	ExportBuffer     = "exproto_v1_buffer"
	ExportInit       = "exproto_v1_init"
	ExportBytes      = "exproto_v1_bytes"
	ExportEvent      = "exproto_v1_event"
)

// Kind is the first parameter of exproto_v1_event. A guest must return [ActionContinue] for an unknown kind: later
// minor versions add more.
type Kind uint32

// The kinds of events and their bodies.
const (
	KindCreated Kind = 1 // a ConnInfo message
	// KindClosed has the reason as text, such as tcp_closed. It is the last event of the connection, and its action is
	// ignored.
	KindClosed   Kind = 2
	KindTimer    Kind = 3 // arg is the timer's type
	KindMessages Kind = 4 // a ReceivedMessagesRequest message without conn
	// KindResult has the token of the call as arg and a CodeResponse message. For an authenticate that succeeded, the
	// message also has the device's state in the field 3 (bytes), if save_state has saved any. Since minor 1.
	KindResult Kind = 5
	KindDrain  Kind = 6 // a newer version of the guest is loaded, or the gateway stops: finish what can be finished
	KindAlarm  Kind = 7 // arg is the id of a timer of set_timer that has fired. Since minor 1
)

func (k Kind) String() string {
	names := [...]string{"bytes", "created", "closed", "timer", "messages", "result", "drain", "alarm"}
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("Kind(%d)", uint32(k))
}

// Action is the result of exproto_v1_bytes and exproto_v1_event. Any other number is a fault.
type Action uint32

// The actions.
const (
	ActionContinue Action = 0
	ActionPause    Action = 1 // stop reading the socket until resume; bytes that were already read are still delivered
	ActionClose    Action = 2 // close the connection after sending the queued bytes
	// ActionFail closes the connection because the guest failed at this event, and goes on with the others: for guests
	// that run somebody else's code and can stop it. The last line that it logged as an error in the event says why.
	// Since minor 1.
	ActionFail Action = 16
)

// Code is the result of the imports. 0 to 5 are ExProto's ResultCode.
type Code uint32

// The codes.
const (
	CodeSuccess             Code = 0
	CodeUnknown             Code = 1
	CodeConnProcessNotAlive Code = 2 // not a connection of this instance, or closed
	CodeRequiredParamsMiss  Code = 3
	CodeParamsTypeError     Code = 4
	CodePermissionDeny      Code = 5
	CodeLimit               Code = 16 // a limit of this event or of the connection was reached
	CodeUnsupported         Code = 17
)
