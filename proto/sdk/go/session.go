package handler

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	handlerv1 "github.com/exgate/exgate/proto/exgate/handler/v1"
)

const (
	sessionVersion    = 1
	featureTimers     = "timers"
	featureState      = "state"
	featureProperties = "properties"
)

// sessions serves the dialect session.
type sessions struct {
	handlerv1.UnimplementedSessionHandlerServer
	cfg *Config
}

// session is one stream of a gateway.
type session struct {
	cfg       *Config
	out       *outbox
	conns     map[uint64]*sessionConn // owned by the receiving goroutine
	features  []string                // of the gateway
	callbacks sync.WaitGroup
}

// Session serves one stream. When it returns, all its goroutines have ended.
func (s *sessions) Session(stream grpc.BidiStreamingServer[handlerv1.GatewayFrame, handlerv1.HandlerFrame]) error {
	hello, err := s.greet(stream)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(stream.Context())
	x := &session{
		cfg: s.cfg, out: newOutbox(ctx), conns: make(map[uint64]*sessionConn), features: hello.GetFeatures(),
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		x.out.run(stream.Send)
	}()
	err = x.receive(stream)
	cancel()
	for _, c := range x.conns {
		c.lose()
	}
	x.callbacks.Wait()
	<-written
	return err
}

// greet exchanges the first frames and returns the gateway's hello.
func (s *sessions) greet(
	stream grpc.BidiStreamingServer[handlerv1.GatewayFrame, handlerv1.HandlerFrame],
) (*handlerv1.GatewayHello, error) {
	first, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	if v := first.GetHello().GetVersion(); v < sessionVersion {
		return nil, status.Errorf(codes.FailedPrecondition,
			"the first frame must be a hello of version %d or later; it has version %d", sessionVersion, v)
	}
	var used []string
	for _, feature := range []string{featureState, featureProperties} {
		if slices.Contains(first.GetHello().GetFeatures(), feature) {
			used = append(used, feature)
		}
	}
	return first.GetHello(), stream.Send(&handlerv1.HandlerFrame{Hello: &handlerv1.HandlerHello{
		Version: sessionVersion, Program: "exgate-go", WindowEvents: s.cfg.Window, Features: used,
	}})
}

func (x *session) receive(stream grpc.BidiStreamingServer[handlerv1.GatewayFrame, handlerv1.HandlerFrame]) error {
	for {
		frame, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if n := frame.GetPing(); n != 0 {
			x.out.pong(n)
		}
		for _, e := range frame.GetEvents() {
			x.event(e)
		}
	}
}

// event passes an event to its connection.
func (x *session) event(e *handlerv1.Event) {
	c := x.conns[e.GetConn()]
	if created := e.GetCreated(); c == nil && created != nil {
		c = x.newConn(e.GetConn(), created)
		x.conns[c.number] = c
	}
	if c == nil {
		return
	}
	if r := e.GetResult(); r != nil {
		c.calls.settle(r)
		return
	}
	if e.GetClosed() != nil {
		delete(x.conns, c.number)
		c.calls.end() // so that a callback that waits for a result does not delay this event
	}
	c.receive(e)
}
