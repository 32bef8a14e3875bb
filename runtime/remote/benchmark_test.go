package remote_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote"
)

// echoAdapterEnv makes the test binary a handler that echoes through the adapter at this address, so that a benchmark measures the
// gateway's process alone.
const echoAdapterEnv = "EXGATE_TEST_ECHO_ADAPTER"

type echoHandler struct {
	exproto.UnimplementedConnectionUnaryHandlerServer
	adapter exproto.ConnectionAdapterClient
}

func (h *echoHandler) OnSocketCreated(context.Context, *exproto.SocketCreatedRequest) (*exproto.EmptySuccess, error) {
	return &exproto.EmptySuccess{}, nil
}

func (h *echoHandler) OnReceivedBytes(ctx context.Context, r *exproto.ReceivedBytesRequest) (*exproto.EmptySuccess, error) {
	_, err := h.adapter.Send(ctx, &exproto.SendBytesRequest{Conn: r.GetConn(), Bytes: r.GetBytes()})
	return &exproto.EmptySuccess{}, err
}

// OnTimerTimeout answers at once: the bare call that an echo is compared with.
func (h *echoHandler) OnTimerTimeout(context.Context, *exproto.TimerTimeoutRequest) (*exproto.EmptySuccess, error) {
	return &exproto.EmptySuccess{}, nil
}

// serveEcho is the other process. It prints its address and ends with its input.
func serveEcho(adapter string) {
	cc, err := grpc.NewClient(adapter, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		fmt.Println(err)
		return
	}
	server := grpc.NewServer()
	exproto.RegisterConnectionUnaryHandlerServer(server, &echoHandler{adapter: exproto.NewConnectionAdapterClient(cc)})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	go server.Serve(l)
	fmt.Println(l.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// startEcho runs serveEcho and returns its address.
func startEcho(b *testing.B, adapter string) string {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), echoAdapterEnv+"="+adapter)
	stdin, err := cmd.StdinPipe()
	must(b, err)
	stdout, err := cmd.StdoutPipe()
	must(b, err)
	must(b, cmd.Start())
	b.Cleanup(func() {
		stdin.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	must(b, err)
	return strings.TrimSpace(line)
}

// sink is a device that throws away what it is sent.
type sink struct {
	*device
	got atomic.Int64
}

func (s *sink) Send(b []byte) gateway.Result {
	s.got.Add(1)
	return gateway.OK
}

// BenchmarkUnaryEcho is one device's 64 bytes to a handler in another process and back, next to one bare gRPC call of the same
// processes. An echo is two RPCs, one in each direction.
func BenchmarkUnaryEcho(b *testing.B) {
	adapter, adapterAddress := serveAdapter(b, remote.AdapterConfig{})
	address := startEcho(b, adapterAddress)
	client := newClient(b, remote.ClientConfig{Addresses: []string{address}}, adapter)
	cc, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(b, err)
	defer cc.Close()
	bare := exproto.NewConnectionUnaryHandlerClient(cc)
	for _, conns := range []int{1, 50} {
		b.Run(fmt.Sprintf("conns=%d", conns), func(b *testing.B) { benchmarkEcho(b, client, bare, conns) })
	}
}

func benchmarkEcho(b *testing.B, client *remote.Client, bare exproto.ConnectionUnaryHandlerClient, conns int) {
	devices := make([]*sink, conns)
	handlers := make([]gateway.ConnectionHandler, conns)
	for i := range devices {
		devices[i] = &sink{device: newDevice(fmt.Sprint("c", conns, "-", i))}
		handlers[i] = newHandler(b, client, devices[i])
		must(b, handlers[i].OnSocketCreated(gateway.ConnInfo{}))
	}
	payload := make([]byte, 64)
	request := &exproto.TimerTimeoutRequest{Conn: "c"}

	bareCPU := cpuOf(b, conns, func(int) error {
		_, err := bare.OnTimerTimeout(b.Context(), request)
		return err
	})
	b.ResetTimer()
	echoCPU := cpuOf(b, conns, func(i int) error { return handlers[i].OnReceivedBytes(payload) })
	b.StopTimer()
	b.ReportMetric(echoCPU, "cpu-us/op")
	b.ReportMetric(bareCPU, "bare-cpu-us/op")
	b.ReportMetric(echoCPU/bareCPU, "cpu/bare")
	var got int64
	for _, d := range devices {
		got += d.got.Load()
	}
	if got != int64(b.N) {
		b.Errorf("%d of %d echoes came", got, b.N)
	}
}

// cpuOf makes b.N calls from workers goroutines and returns the processor time of this process for each, in microseconds.
func cpuOf(b *testing.B, workers int, call func(worker int) error) float64 {
	left := new(atomic.Int64)
	left.Store(int64(b.N))
	failed := make(chan error, workers)
	before := processorTime(b)
	for i := range workers {
		go func() {
			for left.Add(-1) >= 0 {
				if err := call(i); err != nil {
					failed <- err
					return
				}
			}
			failed <- nil
		}()
	}
	for range workers {
		must(b, <-failed)
	}
	return (processorTime(b) - before) / float64(b.N)
}

// processorTime is what this process has used, user and system, in microseconds.
func processorTime(b *testing.B) float64 {
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return float64(u.Utime.Sec+u.Stime.Sec)*1e6 + float64(u.Utime.Usec+u.Stime.Usec)
}
