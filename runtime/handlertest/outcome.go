package handlertest

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/exgate/exgate/runtime/gateway"
)

// outcome writes down the result of one call, at once or when the upstream has answered.
type outcome func(gateway.Result)

// result describes a call now, since its arguments are the caller's, and returns what writes it down with its result.
func (a *recordedAdapter) result(format string, args ...any) outcome {
	line := fmt.Sprintf(format, args...)
	return func(r gateway.Result) { a.trace.add("%s: %v", line, r.Code) }
}

// before writes the result down before the handler learns of it.
func (o outcome) before(done gateway.Done) gateway.Done {
	return func(r gateway.Result) {
		o(r)
		if done != nil {
			done(r)
		}
	}
}

// refused writes down that a call was refused at once, if it was.
func (o outcome) refused(r gateway.Result) gateway.Result {
	if !r.Ok() {
		o(r)
	}
	return r
}

var password = regexp.MustCompile(`"password":"[^"]*"`)

// shown is what a device sent, in one line and without its password.
func withoutPassword(b []byte) string {
	return strings.NewReplacer("\r", `\r`, "\n", `\n`).Replace(password.ReplaceAllString(string(b), `"password":"..."`))
}
