package remote_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/exgate/exgate/proto/exproto"
	handler "github.com/exgate/exgate/proto/sdk/go"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote"
)

// echoAdapterEnv makes the test binary a handler that echoes through the adapter at this address, so that a benchmark
// measures the gateway's process alone.
const echoAdapterEnv = "EXGATE_TEST_ECHO_ADAPTER"

type echoHandler struct{ handler.Nothing }

func (echoHandler) OnReceivedBytes(c *handler.Conn, b []byte) { _ = c.Send(b) }

// serveEcho runs in the other process. It prints its address and, for each line of its input, the processor time that
// it has used. It ends with its input.
func serveEcho(adapter string) {
	server, err := handler.New(handler.Config{Adapter: adapter, New: func() handler.Handler { return echoHandler{} }})
	if err != nil {
		fmt.Println(err)
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	go server.Serve(l)
	fmt.Println(l.Addr())
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println(processorTime())
	}
}

// echo is a process that runs serveEcho.
type echo struct {
	address string
	ask     func() string
}

// startEcho runs serveEcho until the benchmark ends.
func startEcho(b *testing.B, adapter string) *echo {
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
	lines := bufio.NewReader(stdout)
	line := func() string {
		s, err := lines.ReadString('\n')
		must(b, err)
		return strings.TrimSpace(s)
	}
	return &echo{address: line(), ask: func() string {
		fmt.Fprintln(stdin)
		return line()
	}}
}

// processorTime returns the processor time of the process, in microseconds.
func (e *echo) processorTime(b *testing.B) float64 {
	us, err := strconv.ParseFloat(e.ask(), 64)
	must(b, err)
	return us
}

// echoed is a device that reports the bytes that are sent to it.
type echoed struct {
	*device
	got chan struct{}
}

func (d *echoed) Send([]byte) gateway.Result {
	d.got <- struct{}{}
	return gateway.OK
}

// load is a set of echoed connections. ahead is how many messages each has in flight.
type load struct{ conns, ahead int }

func (l load) String() string {
	if l.ahead > 1 {
		return fmt.Sprintf("conns=%d,ahead=%d", l.conns, l.ahead)
	}
	return fmt.Sprintf("conns=%d", l.conns)
}

// BenchmarkEcho sends 64 bytes to a handler in another process and back, in each dialect, next to a bare gRPC call
// between the same processes. In the dialects of EMQX an echo is two RPCs, one in each direction, and a connection has
// one event in flight.
func BenchmarkEcho(b *testing.B) {
	adapter, adapterAddress := serveAdapter(b, remote.AdapterConfig{})
	other := startEcho(b, adapterAddress)
	for _, l := range []load{{1, 1}, {50, 1}, {50, 16}} {
		if l.ahead == 1 {
			b.Run("bare/"+l.String(), func(b *testing.B) { benchmarkBare(b, other, l) })
		}
		for _, dialect := range []remote.Dialect{remote.DialectUnary, remote.DialectStream, remote.DialectSession} {
			if l.ahead == 1 || dialect == remote.DialectSession {
				client := newClient(b, remote.ClientConfig{Addresses: []string{other.address}, Dialect: dialect},
					adapter)
				b.Run(string(dialect)+"/"+l.String(), func(b *testing.B) { benchmarkEcho(b, client, other, l) })
			}
		}
	}
}

func benchmarkEcho(b *testing.B, client *remote.Client, other *echo, l load) {
	devices := make([]*echoed, l.conns)
	handlers := make([]gateway.ConnectionHandler, l.conns)
	for i := range devices {
		devices[i] = &echoed{device: newDevice(fmt.Sprintf("%p-%d", client, i)), got: make(chan struct{}, l.ahead)}
		handlers[i] = newHandler(b, client, devices[i])
		must(b, handlers[i].OnSocketCreated(gateway.ConnInfo{}))
	}
	payload := make([]byte, 64)
	measure(b, other, l, func(i int, times []time.Duration) error {
		begun := make([]time.Time, len(times))
		for n := range len(times) + l.ahead {
			if n >= l.ahead && n-l.ahead < len(times) {
				<-devices[i].got
				times[n-l.ahead] = time.Since(begun[n-l.ahead])
			}
			if n < len(times) {
				begun[n] = time.Now()
				if err := handlers[i].OnReceivedBytes(payload); err != nil {
					return err
				}
			}
		}
		return nil
	})
	for _, h := range handlers {
		must(b, h.OnSocketClosed(gateway.ReasonNormal))
	}
}

func benchmarkBare(b *testing.B, other *echo, l load) {
	cc, err := grpc.NewClient(other.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(b, err)
	defer cc.Close()
	bare := exproto.NewConnectionUnaryHandlerClient(cc)
	measure(b, other, l, func(i int, times []time.Duration) error {
		request := &exproto.TimerTimeoutRequest{Conn: fmt.Sprint("bare", i)}
		for n := range times {
			begun := time.Now()
			if _, err := bare.OnTimerTimeout(b.Context(), request); err != nil {
				return err
			}
			times[n] = time.Since(begun)
		}
		return nil
	})
}

// measure makes b.N round trips on all connections together and reports their rate, their times, and the processor time
// of the gateway and of the handler for each.
func measure(b *testing.B, other *echo, l load, part func(conn int, times []time.Duration) error) {
	times := make([]time.Duration, (b.N/l.conns+1)*l.conns)
	each := len(times) / l.conns
	gateway, handler := processorTime(), other.processorTime(b)
	b.ResetTimer()
	var running sync.WaitGroup
	for i := range l.conns {
		running.Go(func() {
			if err := part(i, times[i*each:(i+1)*each]); err != nil {
				b.Error(err)
			}
		})
	}
	running.Wait()
	b.StopTimer()
	n := float64(len(times))
	slices.Sort(times)
	b.ReportMetric((processorTime()-gateway)/n, "gateway-cpu-us/op")
	b.ReportMetric((other.processorTime(b)-handler)/n, "handler-cpu-us/op")
	b.ReportMetric(float64(times[len(times)/2].Nanoseconds())/1e3, "p50-us")
	b.ReportMetric(float64(times[len(times)*99/100].Nanoseconds())/1e3, "p99-us")
	b.ReportMetric(n/b.Elapsed().Seconds(), "op/s")
}

// processorTime returns the processor time of this process, user and system, in microseconds.
func processorTime() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return float64(u.Utime.Sec+u.Stime.Sec)*1e6 + float64(u.Utime.Usec+u.Stime.Usec)
}
