package handlertest

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/exgate/exgate/runtime/gateway"
)

// outcome records the result of one call, at once or when the upstream has answered.
type outcome func(gateway.Result)

// result formats a call now, since the caller owns its arguments, and returns a function that records it with its
// result.
func (a *recordedAdapter) result(format string, args ...any) outcome {
	line := fmt.Sprintf(format, args...)
	return func(r gateway.Result) { a.trace.add("%s: %v", line, r.Code) }
}

// before records the result before the handler gets it.
func (o outcome) before(done gateway.Done) gateway.Done {
	return func(r gateway.Result) {
		o(r)
		if done != nil {
			done(r)
		}
	}
}

// refused records the result if the call was refused.
func (o outcome) refused(r gateway.Result) gateway.Result {
	if !r.Ok() {
		o(r)
	}
	return r
}

var password = regexp.MustCompile(`"password":"[^"]*"`)

// withoutPassword returns what a device sent as one line, with the password covered.
func withoutPassword(b []byte) string {
	return inOneLine(password.ReplaceAll(b, []byte(`"password":"..."`)))
}

func inOneLine(b []byte) string {
	return strings.NewReplacer("\r", `\r`, "\n", `\n`).Replace(string(b))
}
