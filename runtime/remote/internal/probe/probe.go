// Package probe finds out which form of a handler's service a gRPC server serves, without letting the handler see an event.
package probe

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/exgate/exgate/proto/exgate/handler/v1"
	"github.com/exgate/exgate/proto/exproto"
)

// The dialects, as the configuration spells them.
const (
	Session  = "session"
	Unary    = "unary"
	Stream   = "stream"
	UnaryV42 = "unary-v42"
)

// The services of the dialects.
var (
	sessionService = handlerv1.SessionHandler_ServiceDesc.ServiceName
	unaryService   = exproto.ConnectionUnaryHandler_ServiceDesc.ServiceName
	streamService  = exproto.ConnectionHandler_ServiceDesc.ServiceName // that of unary-v42 too
)

// Finding is what a server serves.
type Finding struct {
	// Dialects are those that it serves, the preferred one first: Session, Unary, then Stream or UnaryV42.
	Dialects []string
	// How is what told it, for a person.
	How string
}

// NotServedError tells that the server answers and has no service of a handler.
type NotServedError struct {
	// Services are those that it says it has. If nil, it does not say.
	Services []string
}

func (e *NotServedError) Error() string {
	text := fmt.Sprintf("it has none of the services %s, %s and %s", unaryService, streamService, sessionService)
	if len(e.Services) > 0 {
		text += "; it has " + strings.Join(e.Services, ", ")
	}
	return text
}

// answerTimeout bounds the wait for one answer.
const answerTimeout = 2 * time.Second

// Find asks the server behind conn: by reflection, or by calls without a message where the server has no reflection. It takes at most 10 s. An error is
// a [NotServedError], or wraps the status of a call: codes.Unavailable where the server cannot be reached.
func Find(ctx context.Context, conn grpc.ClientConnInterface) (Finding, error) {
	services, method, err := reflected(ctx, conn)
	if err == nil {
		if dialects := dialectsOf(services); len(dialects) > 0 {
			return Finding{Dialects: dialects, How: "its reflection (" + method + ")"}, nil
		}
	}
	if unreachable(err) {
		return Finding{}, fmt.Errorf("asking the server for its services: %w", err)
	}
	f, err := ask(ctx, conn)
	var none *NotServedError
	if errors.As(err, &none) {
		none.Services = names(services)
	}
	return f, err
}

// dialectsOf are the dialects of the services that reflection tells of.
func dialectsOf(services []service) []string {
	found := make(map[string]form)
	for _, s := range services {
		found[s.name] = s.form
	}
	var dialects []string
	if _, ok := found[sessionService]; ok {
		dialects = append(dialects, Session)
	}
	if _, ok := found[unaryService]; ok {
		dialects = append(dialects, Unary)
	}
	switch found[streamService] {
	case formStream:
		dialects = append(dialects, Stream)
	case formUnary:
		dialects = append(dialects, UnaryV42)
	}
	return dialects
}

func unreachable(err error) bool { return status.Code(err) == codes.Unavailable }
