package remote_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/remote"
)

func TestAdapterIsHealthy(t *testing.T) {
	_, address := serveAdapter(t, remote.AdapterConfig{})
	health := grpc_health_v1.NewHealthClient(dialAdapter(t, address))
	for _, service := range []string{"", "emqx.exproto.v1.ConnectionAdapter"} {
		r, err := health.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: service})
		must(t, err)
		expect(t, "status of "+service, r.GetStatus().String(), "SERVING")
	}
}

func TestReflectionListsTheServices(t *testing.T) {
	_, address := serveAdapter(t, remote.AdapterConfig{})
	stream, err := grpc_reflection_v1.NewServerReflectionClient(dialAdapter(t,
		address)).ServerReflectionInfo(t.Context())
	must(t, err)
	must(t, stream.Send(&grpc_reflection_v1.ServerReflectionRequest{
		MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_ListServices{},
	}))
	r, err := stream.Recv()
	must(t, err)
	must(t, stream.CloseSend())
	var names []string
	for _, s := range r.GetListServicesResponse().GetService() {
		names = append(names, s.GetName())
	}
	for _, want := range []string{
		"emqx.exproto.v1.ConnectionAdapter", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
	} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is not among %v", want, names)
		}
	}
}

func TestSendOfEightMiB(t *testing.T) {
	d := newDevice("c1")
	_, a := opened(t, d, remote.AdapterConfig{})
	want := bytes.Repeat([]byte("exgate!\n"), 1<<20)
	r, err := a.Send(t.Context(), &exproto.SendBytesRequest{Conn: "c1", Bytes: want})
	must(t, err)
	expect(t, "code", r.GetCode().String(), "SUCCESS")
	if got := <-d.sent; !bytes.Equal(got, want) {
		t.Errorf("%d bytes arrived and are not those sent", len(got))
	}
}

func TestSendOverTheLimit(t *testing.T) {
	_, a := opened(t, newDevice("c1"), remote.AdapterConfig{})
	_, err := a.Send(t.Context(), &exproto.SendBytesRequest{Conn: "c1", Bytes: make([]byte, 17<<20)})
	expect(t, "gRPC code", status.Code(err).String(), codes.ResourceExhausted.String())
}

// stopping is an adapter with one call that waits for the broker.
func stopping(t *testing.T) (a *remote.Adapter, d *device, address string, answered chan error) {
	d = newDevice("c1")
	d.pending = true
	a, address = serveAdapter(t, remote.AdapterConfig{RawPublisher: d})
	client := exproto.NewConnectionAdapterClient(dialAdapter(t, address))
	answered = make(chan error, 1)
	go func() {
		_, err := rawPublish.make(context.Background(), client, "")
		answered <- err
	}()
	return a, d, address, answered
}

func TestStopWaitsForCalls(t *testing.T) {
	a, d, address, answered := stopping(t)
	done := <-d.waiting
	stopped := make(chan error, 1)
	go func() { stopped <- a.Stop(t.Context()) }()
	gatewaytest.Eventually(t, "new calls are refused", func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	select {
	case err := <-stopped:
		t.Errorf("Stop did not wait: %v", err)
	case err := <-answered:
		t.Errorf("the call was answered: %v", err)
	default:
	}
	done(d.settled)
	must(t, <-answered)
	must(t, <-stopped)
}

func TestStopFailsCallsWhenItsTimeIsUp(t *testing.T) {
	a, d, _, answered := stopping(t)
	<-d.waiting
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := a.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Stop: %v", err)
	}
	if err := <-answered; status.Code(err) != codes.Unavailable && status.Code(err) != codes.Canceled {
		t.Errorf("the call that was left: %v", err)
	}
}

func TestStoppedAdapterServesNothing(t *testing.T) {
	a := newAdapter(t, remote.AdapterConfig{})
	must(t, a.Stop(t.Context()))
	must(t, a.Serve(listen(t, "")))
}
