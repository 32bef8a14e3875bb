package listener_test

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/listener"
	"github.com/exgate/exgate/runtime/listener/listenertest"
)

// fewFiles is the child's limit; a test binary has about 10 open.
const fewFiles = 40

// A listener that runs out of file descriptors serves again as soon as connections have closed.
func TestListenerSurvivesEMFILE(t *testing.T) {
	if os.Getenv("EXGATE_TEST_FEW_FILES") != "" {
		serveWithFewFiles(t)
		return
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestListenerSurvivesEMFILE$")
	child.Env = append(os.Environ(), "EXGATE_TEST_FEW_FILES=1")
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	output := bufio.NewReader(stdout)
	addr := strings.TrimSpace(lineWith(t, output, "127.0.0.1:"))
	conns := []net.Conn{echoed(t, addr)}
	for range fewFiles {
		conns = append(conns, dial(t, addr)) // the kernel accepts; the child cannot
	}
	if line := lineWith(t, output, "accept failed"); !strings.Contains(line, "too many open files") {
		t.Error(line)
	}
	for _, c := range conns {
		_ = c.Close()
	}
	_ = echoed(t, addr).Close()
	_ = stdin.Close()
	rest, _ := io.ReadAll(output)
	if err := child.Wait(); err != nil {
		t.Errorf("%v: %s", err, rest)
	}
}

// serveWithFewFiles prints its address and then its log, and echoes until its input ends.
func serveWithFewFiles(t *testing.T) {
	limit := syscall.Rlimit{Cur: fewFiles, Max: fewFiles}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	l, err := listener.ListenTCP(t.Context(), listener.TCPConfig{
		Bind:   "127.0.0.1:0",
		Logger: slog.New(slog.NewTextHandler(os.Stdout, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	gatewaytest.Serve(t, l, listenertest.NewEcho(listenertest.Send), listenertest.NoUpstream{}, gateway.Limits{})
	fmt.Println(l.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func lineWith(t *testing.T, r *bufio.Reader, word string) string {
	t.Helper()
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("%q did not come: %v", word, err)
		}
		if strings.Contains(line, word) {
			return line
		}
	}
}

func echoed(t *testing.T, addr string) net.Conn {
	t.Helper()
	c := dial(t, addr)
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	return c
}
