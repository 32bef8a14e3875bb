package target

import (
	"errors"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// UnprocessedError is the error of a call that the server certainly did not begin: it refused the stream (RFC 9113, section 8.7), or said with a GOAWAY that
// it is beyond the last one that it takes. gRPC repeats such a call by itself once.
type UnprocessedError struct{ Err error }

func (u *UnprocessedError) Error() string              { return u.Err.Error() }
func (u *UnprocessedError) Unwrap() error              { return u.Err }
func (u *UnprocessedError) GRPCStatus() *status.Status { return status.Convert(u.Err) }

// unprocessedTexts are what grpc-go says of such calls, which it does not tell in any other way. TestUnprocessedCalls fails when they change.
var unprocessedTexts = map[string]bool{
	"stream terminated by RST_STREAM with error code: REFUSED_STREAM":  true,
	"the stream is rejected because server is draining the connection": true,
	"the connection is draining":                                       true,
	"transport is closing":                                             true,
}

// MarkUnprocessed returns err as [unprocessed] where it is. A server that answered, perhaps with a status that it got elsewhere, has sent headers or trailers.
func MarkUnprocessed(err error, header, trailer metadata.MD) error {
	if len(header) > 0 || len(trailer) > 0 || status.Code(err) != codes.Unavailable || !unprocessedTexts[status.Convert(err).Message()] {
		return err
	}
	return &UnprocessedError{err}
}

// MarkUnprocessedStream is judge for the error with which a stream ended.
func MarkUnprocessedStream(stream grpc.ClientStream, err error) error {
	if status.Code(err) != codes.Unavailable {
		return err
	}
	header, _ := stream.Header()
	return MarkUnprocessed(err, header, stream.Trailer())
}

func IsUnprocessed(err error) bool {
	var u *UnprocessedError
	return err != nil && errors.As(err, &u)
}
