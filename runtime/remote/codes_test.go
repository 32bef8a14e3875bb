package remote_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/remote"
)

// eventNames are the events of a connection's life, in order.
var eventNames = []string{"created", "bytes", "timer", "messages", "closed"}

// liveThrough passes every event of a connection's life to h, and ends it at the first that fails, as a gateway does.
func liveThrough(h gateway.ConnectionHandler) error {
	err := h.OnSocketCreated(gateway.ConnInfo{})
	if err == nil {
		err = h.OnReceivedBytes([]byte("x"))
	}
	if err == nil {
		err = h.OnTimerTimeout(gateway.TimerKeepalive)
	}
	if err == nil {
		err = h.OnReceivedMessages([]gateway.Message{message("1", "t", "p")})
	}
	reason := gateway.ReasonNormal
	if err != nil {
		reason = gateway.ReasonOf(err)
	}
	return errors.Join(err, h.OnSocketClosed(reason))
}

// Whatever a handler answers to an event of one device, in each dialect and with each on_failure, the events of other
// devices arrive once and in order, and trailers and details in the answer do no harm.
func TestEveryCodeAtEveryEvent(t *testing.T) {
	for _, dialect := range append([]remote.Dialect{remote.DialectAuto}, emqxDialects...) {
		for _, policy := range []remote.OnFailure{remote.OnFailureClose, remote.OnFailureRetry, remote.OnFailureHold} {
			t.Run(fmt.Sprint(dialect, " ", policy), func(t *testing.T) {
				t.Parallel()
				testEveryCode(t, dialect, policy)
			})
		}
	}
}

func testEveryCode(t *testing.T, dialect remote.Dialect, policy remote.OnFailure) {
	var mu sync.Mutex
	var fails string
	var with codes.Code
	s := new(script)
	s.on = func(ctx context.Context, e any) error {
		mu.Lock()
		defer mu.Unlock()
		if e, ok := e.(interface{ GetConn() string }); !ok || !strings.HasPrefix(e.GetConn(), "bad") ||
			fails != nameOf(e) {
			return nil
		}
		_ = grpc.SetTrailer(ctx,
			metadata.Pairs("grpc-retry-pushback-ms", "99999999", "x-large", strings.Repeat("x", 4096)))
		st, _ := status.New(with, strings.Repeat("\xf0\x9f\x92\xa5 no ", 100)).WithDetails(&exproto.EmptySuccess{})
		if st == nil {
			return status.Error(with, "no")
		}
		return st.Err()
	}
	served := dialect
	if dialect == remote.DialectAuto {
		served = remote.DialectUnary
	}
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	c := newClient(t, remote.ClientConfig{
		Addresses: []string{serveForm(t, served, s)}, Dialect: dialect, OnFailure: policy,
		HoldTimeout: 30 * time.Millisecond,
	}, a)
	good := newHandler(t, c, newDevice("always"))
	must(t, good.OnSocketCreated(gateway.ConnInfo{}))
	for code := codes.OK + 1; code <= codes.Unauthenticated; code++ {
		for _, event := range eventNames {
			mu.Lock()
			fails, with = event, code
			mu.Unlock()
			name := fmt.Sprintf("%v-%s", code, event)
			var all sync.WaitGroup
			all.Go(func() {
				if err := liveThrough(newHandler(t, c, newDevice("bad-"+name))); err == nil {
					t.Errorf("%s: the failure is lost", name)
				}
			})
			for i := range 2 {
				all.Go(func() {
					id := fmt.Sprintf("good-%s-%d", name, i)
					if err := liveThrough(newHandler(t, c, newDevice(id))); err != nil {
						t.Errorf("%s: %v", id, err)
					}
				})
			}
			if err := good.OnReceivedBytes([]byte(name)); err != nil {
				t.Errorf("%s: a device that was there before: %v", name, err)
			}
			all.Wait()
			for i := range 2 {
				id := fmt.Sprintf("good-%s-%d", name, i)
				if got := s.of(id); got != goodLife {
					t.Errorf("%s: %s", id, got)
				}
			}
			s.clear()
		}
	}
	must(t, good.OnSocketClosed(gateway.ReasonNormal))
	gatewaytest.Eventually(t, "its end", func() bool { return strings.Contains(s.String(), "closed always") })
}

const goodLife = `created, bytes "x", timer KEEPALIVE, messages [gw1 1 1 pub t p 1700000000123], closed normal`

func nameOf(event any) string {
	switch event.(type) {
	case *exproto.SocketCreatedRequest:
		return "created"
	case *exproto.ReceivedBytesRequest:
		return "bytes"
	case *exproto.TimerTimeoutRequest:
		return "timer"
	case *exproto.ReceivedMessagesRequest:
		return "messages"
	}
	return "closed"
}
