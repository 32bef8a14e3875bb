package gateway

import "fmt"

// ResultCode is the outcome of an adapter call. 0 to 5 are ExProto's ResultCode, 16 and up are exgate's.
type ResultCode uint8

// The result codes.
const (
	CodeSuccess             ResultCode = 0
	CodeUnknown             ResultCode = 1
	CodeConnProcessNotAlive ResultCode = 2
	CodeRequiredParamsMiss  ResultCode = 3
	CodeParamsTypeError     ResultCode = 4
	CodePermissionDeny      ResultCode = 5
	CodeLimit               ResultCode = 16 // a bound of exgate was reached: try again later
	CodeUnsupported         ResultCode = 17
)

var codeNames = map[ResultCode]string{
	CodeSuccess: "SUCCESS", CodeUnknown: "UNKNOWN", CodeConnProcessNotAlive: "CONN_PROCESS_NOT_ALIVE",
	CodeRequiredParamsMiss: "REQUIRED_PARAMS_MISSED", CodeParamsTypeError: "PARAMS_TYPE_ERROR",
	CodePermissionDeny: "PERMISSION_DENY", CodeLimit: "LIMIT", CodeUnsupported: "UNSUPPORTED",
}

func (c ResultCode) String() string {
	if s, ok := codeNames[c]; ok {
		return s
	}
	return fmt.Sprintf("ResultCode(%d)", uint8(c))
}

// Result is the outcome of an adapter call. The zero value is success.
type Result struct {
	Code    ResultCode
	Message string // for a person; empty on success
}

// OK is the successful Result.
var OK = Result{}

// Ok reports success.
func (r Result) Ok() bool { return r.Code == CodeSuccess }

func (r Result) String() string {
	if r.Message == "" {
		return r.Code.String()
	}
	return r.Code.String() + ": " + r.Message
}

// Refuse returns a Result that is not success.
func Refuse(code ResultCode, format string, args ...any) Result {
	return Result{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Done takes the Result of a call that waited for the broker.
type Done func(Result)

// ResultError is a refusal as an error.
type ResultError struct{ Result Result }

func (e *ResultError) Error() string { return e.Result.String() }
