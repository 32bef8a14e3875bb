package probe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

const (
	askedMethod   = "OnReceivedBytes" // every handler has it
	sessionMethod = "Session"
	absentMethod  = "NoSuchMethod" // no server has it
)

// verdict is what an answer to a call without a message tells of a method.
type verdict int

const (
	absent       verdict = iota
	takesStream          // no message is a stream of none
	wantsMessage         // the server misses the one message of a unary method
	silent               // the server waits for that message, although none can come
)

var howAsked = map[verdict]string{
	takesStream:  "a call without a message, which its stream took",
	wantsMessage: "a call without a message, which it refused for want of one",
	silent:       "a call without a message, which it did not answer",
}

// ask calls the services of all dialects.
func ask(ctx context.Context, conn grpc.ClientConnInterface) (Finding, error) {
	questions := []struct {
		service, method string
		dialects        map[verdict]string
	}{
		{sessionService, sessionMethod, map[verdict]string{takesStream: Session, wantsMessage: Session, silent: Session}},
		{unaryService, askedMethod, map[verdict]string{takesStream: Unary, wantsMessage: Unary, silent: Unary}},
		{streamService, askedMethod, map[verdict]string{takesStream: Stream, wantsMessage: UnaryV42, silent: Stream}},
	}
	verdicts, errs := make([]verdict, len(questions)), make([]error, len(questions))
	var answers sync.WaitGroup
	for i, q := range questions {
		answers.Go(func() { verdicts[i], errs[i] = judge(ctx, conn, q.service, q.method) })
	}
	answers.Wait()
	var f Finding
	for i, q := range questions {
		if errs[i] != nil {
			return Finding{}, fmt.Errorf("asking the server for %s: %w", q.service, errs[i])
		}
		if v := verdicts[i]; v != absent {
			f.Dialects = append(f.Dialects, q.dialects[v])
			f.How = cmp.Or(f.How, howAsked[v])
		}
	}
	if len(f.Dialects) == 0 {
		return Finding{}, &NotServedError{}
	}
	return f, nil
}

// judge compares the server's answer for a method with that for one it cannot have: UNIMPLEMENTED alone may mean either, as gRPC gives this code to calls
// with too few messages too.
func judge(ctx context.Context, conn grpc.ClientConnInterface, service, method string) (verdict, error) {
	no := call(ctx, conn, service, absentMethod)
	if no.Code() == codes.Unavailable || no.Code() == codes.DeadlineExceeded || no.Code() == codes.Canceled {
		return absent, no.Err()
	}
	got := call(ctx, conn, service, method)
	unnamed := strings.NewReplacer(absentMethod, "", method, "")
	same := got.Code() == no.Code() && unnamed.Replace(got.Message()) == unnamed.Replace(no.Message())
	switch code := got.Code(); {
	case same && code == codes.Unimplemented:
		return absent, nil
	case same && code == codes.OK:
		return absent, errors.New("it answers calls of methods that do not exist: is it a gRPC server, or a proxy?")
	case same || code == codes.Unavailable || code == codes.Canceled:
		return absent, got.Err()
	case code == codes.DeadlineExceeded:
		return silent, ctx.Err()
	case code == codes.Internal, code == codes.Unimplemented && !stub(got.Message()):
		return wantsMessage, nil
	}
	return takesStream, nil
}

// stub reports whether text is that of generated code in the place of a method that nobody wrote, which a unary call without its message does not reach.
func stub(text string) bool {
	text = strings.ToLower(text)
	return strings.Contains(text, "not implemented") || strings.Contains(text, "is unimplemented")
}

// call calls a method and ends the call before it sends a message.
func call(ctx context.Context, conn grpc.ClientConnInterface, service, method string) *status.Status {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/"+service+"/"+method)
	if err == nil {
		_ = stream.CloseSend() // it never fails: the status comes with RecvMsg
		err = stream.RecvMsg(new(emptypb.Empty))
	}
	if errors.Is(err, io.EOF) { // it ended well without a message
		err = nil
	}
	return status.Convert(err)
}
