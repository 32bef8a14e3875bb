package target

import (
	"errors"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// UnprocessedError is the error of a call that the server certainly did not begin: it refused the stream (RFC 9113,
// section 8.7), or its GOAWAY says that it will not process it. gRPC repeats such a call once.
type UnprocessedError struct{ Err error }

func (u *UnprocessedError) Error() string              { return u.Err.Error() }
func (u *UnprocessedError) Unwrap() error              { return u.Err }
func (u *UnprocessedError) GRPCStatus() *status.Status { return status.Convert(u.Err) }

// unprocessedTexts are grpc-go's messages for such calls; it does not expose them in any other way.
// TestUnprocessedCalls fails if they change.
var unprocessedTexts = map[string]bool{
	"stream terminated by RST_STREAM with error code: REFUSED_STREAM":  true,
	"the stream is rejected because server is draining the connection": true,
	"the connection is draining":                                       true,
	"transport is closing":                                             true,
}

// MarkUnprocessed wraps err in an [UnprocessedError] if it is one. A server that answered, perhaps with a status that
// it received itself, has sent headers or trailers.
func MarkUnprocessed(err error, header, trailer metadata.MD) error {
	if len(header) > 0 || len(trailer) > 0 || status.Code(err) != codes.Unavailable ||
		!unprocessedTexts[status.Convert(err).Message()] {
		return err
	}
	return &UnprocessedError{err}
}

// MarkUnprocessedStream is MarkUnprocessed for the error that ended a stream.
func MarkUnprocessedStream(stream grpc.ClientStream, err error) error {
	if status.Code(err) != codes.Unavailable {
		return err
	}
	header, _ := stream.Header()
	return MarkUnprocessed(err, header, stream.Trailer())
}

// IsUnprocessed reports whether err wraps an [UnprocessedError].
func IsUnprocessed(err error) bool {
	var u *UnprocessedError
	return err != nil && errors.As(err, &u)
}
