// Package probe finds out which form of a handler's service a gRPC server has, without calling a method of the handler
// in a way that EMQX never does. It imports the generated code in proto only. Begin reading at Find.
package probe

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
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
	streamService  = exproto.ConnectionHandler_ServiceDesc.ServiceName // of unary-v42 too
)

// Finding describes the services of a server.
type Finding struct {
	// Dialects are those that it serves, the preferred one first: Session, Unary, then Stream or UnaryV42. If nil, the
	// probe was inconclusive.
	Dialects []string
	// How says how it was found, for logs.
	How string
}

// NotServedError says that the server answers and has no service of a handler.
type NotServedError struct {
	// Services are the server's services. If nil, it does not list them.
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

// Find asks the server behind conn for its services by reflection; it takes at most 2 s. A server without reflection is
// inconclusive, which is not an error. An error is a [NotServedError] or wraps the status of the call: Unavailable if
// the server cannot be reached, Unauthenticated or PermissionDenied if it refuses this client.
func Find(ctx context.Context, conn grpc.ClientConnInterface) (Finding, error) {
	services, method, err := reflected(ctx, conn)
	switch status.Code(err) {
	case codes.OK:
	case codes.Unavailable, codes.Unauthenticated, codes.PermissionDenied:
		return Finding{}, fmt.Errorf("listing the services of the server: %w", err)
	default:
		return Finding{}, ctx.Err()
	}
	if dialects := dialectsOf(services); len(dialects) > 0 {
		return Finding{Dialects: dialects, How: "its reflection (" + method + ")"}, nil
	}
	return Finding{}, &NotServedError{Services: names(services)}
}

// FindSession is like Find, but if that is inconclusive it opens a session, which servers for EMQX do not know.
func FindSession(ctx context.Context, conn grpc.ClientConnInterface) (Finding, error) {
	var greeted bool
	var asking sync.WaitGroup
	asking.Go(func() { greeted = greets(ctx, conn) })
	f, err := Find(ctx, conn)
	asking.Wait()
	if err == nil && f.Dialects == nil && greeted {
		f = Finding{Dialects: []string{Session}, How: "its answer to a session's hello"}
	}
	return f, err
}

// greets reports whether the server answers the hello of a session.
func greets(ctx context.Context, conn grpc.ClientConnInterface) bool {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	stream, err := handlerv1.NewSessionHandlerClient(conn).Session(ctx)
	if err != nil {
		return false
	}
	if stream.Send(&handlerv1.GatewayFrame{Hello: &handlerv1.GatewayHello{Version: 1}}) != nil ||
		stream.CloseSend() != nil {
		return false
	}
	answer, err := stream.Recv()
	return err == nil && answer.GetHello() != nil
}

// Absent reports whether err is the answer of a server that lacks the called method. The table in docs/handlers.md
// lists the answers of servers.
func Absent(err error) bool {
	text := strings.ToLower(status.Convert(err).Message())
	switch status.Code(err) {
	case codes.Unimplemented, codes.NotFound:
		return true
	case codes.Unknown, codes.Internal, codes.InvalidArgument, codes.FailedPrecondition:
		for _, said := range absentTexts {
			if strings.Contains(text, said) {
				return true
			}
		}
	}
	return false
}

// absentTexts are what servers and proxies say of methods that they lack with codes other than UNIMPLEMENTED and
// NOT_FOUND.
var absentTexts = []string{
	"unknown method", "unknown service", "method not found", "service not found", "no such method", "no such service",
	"not implemented", "unimplemented",
	"404 (not found)", "405 (method not allowed)", "415 (unsupported media type)", "501 (not implemented)",
}

// dialectsOf returns the dialects of the services listed by reflection.
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
	switch form, ok := found[streamService]; {
	case !ok:
	case form == formUnary:
		dialects = append(dialects, UnaryV42)
	default: // unary methods accept events on streams that end, too
		dialects = append(dialects, Stream)
	}
	return dialects
}

func unreachable(err error) bool {
	var none *NotServedError
	return !errors.As(err, &none) && status.Code(err) == codes.Unavailable
}
