package bench

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	lineGuest = "../../../../wasm-examples/line/line.wasm"
	// holdVariable makes the test binary a process that holds device connections, so that their memory is not measured:
	// ADDRESS COUNT.
	holdVariable = "EXGATE_BENCH_HOLD"
	// untilIdle is when a connection that is silent has given back what it needed to talk: listener.restAfter, and a
	// little.
	untilIdle = 6 * time.Second
)

func TestMain(m *testing.M) {
	if what := os.Getenv(holdVariable); what != "" {
		addr, count, _ := strings.Cut(what, " ")
		n, _ := strconv.Atoi(count)
		if err := hold(addr, n); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// hold logs in n devices, prints a line, and keeps them connected until standard input ends.
func hold(addr string, n int) error {
	for i := range n {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return err
		}
		defer c.Close()
		if _, err := fmt.Fprintf(c, "login d%d\n", i); err != nil {
			return err
		}
		if err := awaitLine(c, "ok"); err != nil {
			return fmt.Errorf("logging in device %d: %w", i, err)
		}
	}
	fmt.Println("ready")
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// awaitLine reads c byte by byte, so that it keeps nothing behind, until a line begins with want.
func awaitLine(c net.Conn, want string) error {
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	var line strings.Builder
	for b := make([]byte, 1); ; {
		if _, err := c.Read(b); err != nil {
			return fmt.Errorf("waiting for %q after %q: %w", want, line.String(), err)
		}
		line.Write(b)
		if b[0] != '\n' {
			continue
		}
		if strings.HasPrefix(line.String(), want) {
			return nil
		}
		line.Reset()
	}
}

// BenchmarkIdle: resident memory of an idle device that logged in through a guest, on the embedded broker. The goal is
// 6 KiB without the upstream session. A process may have 20,000 descriptors where this is usually run.
func BenchmarkIdle(b *testing.B) {
	for _, n := range []int{5_000, 19_000} {
		b.Run(fmt.Sprintf("tcp/%d", n), func(b *testing.B) {
			addr := serve(b, wasmEngine(b, lineGuest), nil)
			for b.Loop() {
				before := resident(b)
				stop := holdDevices(b, addr, n)
				time.Sleep(untilIdle)
				after := resident(b)
				stop()
				b.ReportMetric(float64(after-before)/float64(n)/1024, "KiB/connection")
			}
		})
	}
}

func holdDevices(b *testing.B, addr string, n int) (stop func()) {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d", holdVariable, addr, n))
	cmd.Stderr = os.Stderr
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		b.Fatalf("holding devices: %q, %v", line, err)
	}
	return func() {
		_ = in.Close()
		_ = cmd.Wait()
	}
}

// resident is this process's memory in RAM, in bytes, after a collection.
func resident(b *testing.B) int {
	b.Helper()
	for range 3 {
		runtime.GC()
	}
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Skip("needs /proc: ", err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	if err != nil {
		b.Fatal(err)
	}
	return pages * os.Getpagesize()
}
