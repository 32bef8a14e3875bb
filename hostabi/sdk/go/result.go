package exproto

import "strconv"

// Action is the result of an event.
type Action int32

// The actions.
const (
	Continue Action = 0
	Pause    Action = 1 // stop reading this socket until Conn.Resume
	Close    Action = 2 // close the connection after sending the queued bytes
)

// Code is the result of a call.
type Code uint32

// The codes.
const (
	Success             Code = 0
	Unknown             Code = 1
	ConnProcessNotAlive Code = 2 // the connection is closed
	RequiredParamsMiss  Code = 3
	ParamsTypeError     Code = 4
	PermissionDeny      Code = 5
	Limit               Code = 16 // a limit of exgate was reached: try again later
	Unsupported         Code = 17
)

var codeNames = map[Code]string{
	Success: "SUCCESS", Unknown: "UNKNOWN", ConnProcessNotAlive: "CONN_PROCESS_NOT_ALIVE",
	RequiredParamsMiss: "REQUIRED_PARAMS_MISSED", ParamsTypeError: "PARAMS_TYPE_ERROR",
	PermissionDeny: "PERMISSION_DENY",
	Limit:          "LIMIT", Unsupported: "UNSUPPORTED",
}

func (c Code) String() string {
	if s, ok := codeNames[c]; ok {
		return s
	}
	return "Code(" + strconv.FormatUint(uint64(c), 10) + ")"
}

// Result is the outcome of a call that the broker answered.
type Result struct {
	Code    Code
	Message string // for a person; empty on success
	State   string // of an Authenticate that succeeded: what SaveState saved last, as bytes; empty without any
}

// OK reports whether the call succeeded.
func (r Result) OK() bool { return r.Code == Success }

func parseResult(b []byte) (r Result, err error) {
	err = eachField(b, func(f field) error {
		switch f.number {
		case 1:
			r.Code = Code(uint32Of(f.value))
		case 2:
			r.Message = string(f.bytes)
		case 3:
			r.State = string(f.bytes)
		}
		return nil
	})
	return r, err
}
