package listener_test

import (
	"bytes"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener"
	"github.com/exgate/exgate/runtime/listener/listenertest"
)

// TestGoodbyeArrives sends and closes in one event, while the peer still sends what nobody will read, and other
// goroutines send and close too. What Send took arrives in full, and the end is no reset.
func TestGoodbyeArrives(t *testing.T) {
	goodbye := bytes.Repeat([]byte("goodbye "), 40_000) // more than a socket takes at once
	for _, size := range []int{8, len(goodbye)} {
		said := func(a gateway.ConnectionAdapter, _ []byte) {
			a.Send(goodbye[:size])
			var wg sync.WaitGroup
			wg.Go(func() { a.Close(gateway.ReasonNormal) })
			for a.Send([]byte("!")).Ok() {
			}
			wg.Wait()
		}
		path := filepath.Join(t.TempDir(), "s")
		plain := serveStream(t, listener.TCPConfig{}, said, gateway.Limits{})
		local := serveStream(t, listener.TCPConfig{Bind: "unix:" + path}, said, gateway.Limits{})
		ca := listenertest.NewIssuer(t)
		secure := serveTLS(t, tlsOf(t, ca, "server"), said, gateway.Limits{})
		for name, dial := range map[string]func() net.Conn{
			"tcp":  func() net.Conn { return dial(t, plain.addr) },
			"unix": func() net.Conn { return dialUnix(t, path) },
			"tls":  func() net.Conn { return dialTLS(t, secure.addr, ca.Client()) },
		} {
			for range 20 {
				c := dial()
				_ = c.SetDeadline(time.Now().Add(90 * time.Second))
				for range 4 { // the first is the event, the rest is never read by a handler
					_, _ = c.Write(make([]byte, 1000))
				}
				got, err := io.ReadAll(c)
				if err != nil || len(got) < size || string(got[:size]) != string(goodbye[:size]) {
					t.Fatalf("%s: %d of %d bytes, %v", name, len(got), size, err)
				}
				_ = c.Close()
			}
		}
		for _, s := range []*streamServer{plain, local, secure} {
			for range 20 {
				if r := <-s.Closed; !r.Is(gateway.ReasonNormal) {
					t.Fatal(r)
				}
			}
		}
	}
}
