package remote_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	handlerv1 "github.com/exgate/exgate/proto/exgate/handler/v1"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote"
)

// ender is a handler of sessions that ends its stream at an event of a bad device. It records each event when it first
// comes, as script does.
type ender struct {
	handlerv1.UnimplementedSessionHandlerServer
	journal

	mu   sync.Mutex // guards the fields below; taken before journal's
	seen map[string]map[uint64]bool
	at   string // the event
	with codes.Code
	ends int // how many times more
}

// expectEnd makes the handler end the next streams, up to n times.
func (e *ender) expectEnd(at string, with codes.Code, n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.at, e.with, e.ends = at, with, n
}

func (e *ender) pending() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.ends
}

func (e *ender) Session(stream sessionServer) error {
	if _, err := stream.Recv(); err != nil {
		return err
	}
	if err := stream.Send(&handlerv1.HandlerFrame{Hello: &handlerv1.HandlerHello{Version: 1}}); err != nil {
		return err
	}
	ids := make(map[uint64]string)
	for {
		frame, err := stream.Recv()
		if err != nil {
			return err
		}
		answer := &handlerv1.HandlerFrame{Pong: frame.GetPing()}
		for _, event := range frame.GetEvents() {
			if created := event.GetCreated(); created != nil {
				ids[event.GetConn()] = created.GetId()
			}
			if ended, err := e.event(ids[event.GetConn()], event); ended {
				return err
			}
			answer.Commands = append(answer.Commands, &handlerv1.Command{Conn: event.GetConn(), Ack: event.GetSeq()})
		}
		if err := stream.Send(answer); err != nil {
			return err
		}
	}
}

func (e *ender) event(id string, event *handlerv1.Event) (ended bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	name, text := describe(event)
	if strings.HasPrefix(id, "bad") && name == e.at && e.ends > 0 && event.GetSeq() != 0 {
		e.ends--
		return true, status.Error(e.with, strings.Repeat("\xf0\x9f\x92\xa5 no ", 100))
	}
	if e.seen == nil {
		e.seen = make(map[string]map[uint64]bool)
	}
	if e.seen[id] == nil {
		e.seen[id] = make(map[uint64]bool)
	}
	seq := event.GetSeq()
	if name == "created" { // without a seq when it comes again
		seq = 0
	}
	if !e.seen[id][seq] {
		e.seen[id][seq] = true
		e.add("%s %s %s", name, id, text)
	}
	return false, nil
}

func describe(event *handlerv1.Event) (name, text string) {
	switch x := event.GetEvent().(type) {
	case *handlerv1.Event_Created:
		return "created", ""
	case *handlerv1.Event_Bytes:
		return "bytes", fmt.Sprintf("%q", x.Bytes)
	case *handlerv1.Event_TimerTimeout:
		return "timer", x.TimerTimeout.GetType().String()
	case *handlerv1.Event_Messages:
		return "messages", string(x.Messages.GetMessages()[0].GetPayload())
	}
	return "closed", event.GetClosed().GetReason()
}

const goodSession = `created, bytes "x", timer KEEPALIVE, messages p, closed normal`

func serveEnder(t *testing.T, policy remote.OnFailure) (*ender, *remote.Client) {
	t.Helper()
	e := new(ender)
	address, _ := serveOn(t, "", func(s *grpc.Server) { handlerv1.RegisterSessionHandlerServer(s, e) })
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	return e, newClient(t, remote.ClientConfig{
		Addresses: []string{address}, Dialect: remote.DialectSession, OnFailure: policy,
	}, a)
}

// allCodes runs test for each status code, all at the same time since they mostly wait for streams.
func allCodes(t *testing.T, policy remote.OnFailure, test func(e *ender, c *remote.Client, code codes.Code) error) {
	t.Helper()
	var all sync.WaitGroup
	for code := codes.OK; code <= codes.Unauthenticated; code++ {
		e, c := serveEnder(t, policy)
		all.Go(func() {
			if err := test(e, c, code); err != nil {
				t.Errorf("%v: %v", code, err)
			}
		})
	}
	all.Wait()
}

// within waits until ok returns true.
func within(what string, ok func() bool) error {
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("waited too long until %s", what)
		}
	}
	return nil
}

// Whatever status ends a session's stream, and at whichever event of one device: with hold, and with retry unless the
// handler was lost, each event of each device arrives, in order. Otherwise devices are closed with
// handler_unavailable, none receives an event out of order, and the next device is served.
func TestEveryCodeAtEveryEventOfASession(t *testing.T) {
	for _, policy := range []remote.OnFailure{remote.OnFailureClose, remote.OnFailureRetry, remote.OnFailureHold} {
		t.Run(string(policy), func(t *testing.T) {
			allCodes(t, policy, func(e *ender, c *remote.Client, code codes.Code) error {
				for _, event := range eventNames {
					if err := endAt(e, c, event, policy, code); err != nil {
						return fmt.Errorf("at %s: %w", event, err)
					}
				}
				return nil
			})
		})
	}
}

func endAt(e *ender, c *remote.Client, event string, policy remote.OnFailure, code codes.Code) error {
	e.expectEnd(event, code, 1)
	ids := []string{"bad-" + event}
	for i := range 5 {
		ids = append(ids, fmt.Sprintf("good-%s-%d", event, i))
	}
	errs := make([]error, len(ids))
	var all sync.WaitGroup
	for i, id := range ids {
		all.Go(func() { errs[i] = liveAt(c, id) })
	}
	all.Wait()
	if err := within("the stream ends", func() bool { return e.pending() == 0 }); err != nil {
		return err
	}
	for i, id := range ids {
		errs[i] = e.check(id, errs[i], policy, isLoss(code))
	}
	return errors.Join(append(errs, within("the next device is served", func() bool {
		return liveAt(c, "next-"+event) == nil
	}))...)
}

func liveAt(c *remote.Client, id string) error {
	h, err := c.NewHandler(newDevice(id))
	if err != nil {
		return err
	}
	return liveThrough(h)
}

// check compares the events of a device whose life ended with err.
func (e *ender) check(id string, err error, policy remote.OnFailure, lost bool) error {
	survives := policy == remote.OnFailureHold || policy == remote.OnFailureRetry && !lost
	if err != nil {
		var failure *gateway.HandlerError
		if survives || !errors.As(err, &failure) || !failure.Reason.Is(gateway.ReasonHandlerUnavailable) {
			return fmt.Errorf("%s: %w", id, err)
		}
		return nil
	}
	ended := func() bool { return strings.Contains(e.of(id), "closed") }
	if err := within("the end of "+id+" comes", ended); err != nil {
		return err
	}
	if got := e.of(id); got != goodSession {
		return fmt.Errorf("%s: %s", id, got)
	}
	return nil
}

// isLoss reports whether a stream that ended with code counts as a handler that was lost.
func isLoss(code codes.Code) bool { return code == codes.Unavailable || code == codes.Canceled }

// A device at one of whose events each stream ends is closed with a named reason, whatever the status.
func TestSessionEndedWithEveryCodeByOneDevice(t *testing.T) {
	for _, policy := range []remote.OnFailure{remote.OnFailureRetry, remote.OnFailureHold} {
		t.Run(string(policy), func(t *testing.T) {
			allCodes(t, policy, func(e *ender, c *remote.Client, code codes.Code) error {
				return endAlways(e, c, policy, code)
			})
		})
	}
}

func endAlways(e *ender, c *remote.Client, policy remote.OnFailure, code codes.Code) error {
	const most = 100
	e.expectEnd("bytes", code, most)
	good, err := c.NewHandler(newDevice("good"))
	bad, badErr := c.NewHandler(newDevice("bad"))
	err = errors.Join(err, badErr, good.OnSocketCreated(gateway.ConnInfo{}), bad.OnSocketCreated(gateway.ConnInfo{}),
		within("both are known", func() bool { return e.of("good") != "" && e.of("bad") != "" }))
	if err != nil {
		return err
	}
	reason, ends := gateway.ReasonHandlerStreamEnded, 6
	if policy == remote.OnFailureRetry && isLoss(code) {
		reason, ends = gateway.ReasonHandlerUnavailable, 1
	}
	err = errors.Join(bad.OnReceivedBytes([]byte("x")), bad.OnTimerTimeout(gateway.TimerKeepalive))
	var failure *gateway.HandlerError
	if !errors.As(err, &failure) || !failure.Reason.Is(reason) {
		return fmt.Errorf("the device was closed with %w, want %v", err, reason)
	}
	_ = bad.OnSocketClosed(reason)
	if n := most - e.pending(); n > ends {
		return fmt.Errorf("%d ends", n)
	}
	return errors.Join(good.OnReceivedBytes([]byte("x")), good.OnTimerTimeout(gateway.TimerKeepalive),
		good.OnSocketClosed(gateway.ReasonNormal), within("the other device has lived", func() bool {
			return e.of("good") == `created, bytes "x", timer KEEPALIVE, closed normal`
		}))
}
