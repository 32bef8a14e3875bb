package listener_test

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener"
)

// A listener that was closed still has the connections that it accepted, until they are attached.
func TestAttachedWaitsForWhatWasAccepted(t *testing.T) {
	l, err := listener.ListenTCP(t.Context(), listener.TCPConfig{Bind: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	entered, proceed, served := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		served <- l.Serve(func(gateway.Transport) (*gateway.Conn, error) {
			close(entered)
			<-proceed
			return nil, errors.New("refused")
		})
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	<-entered
	_ = l.Close()
	if err := <-served; err != nil {
		t.Error(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Attached(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("attached: %v", err)
	}
	attached := make(chan error)
	go func() { attached <- l.Attached(t.Context()) }()
	close(proceed)
	if err := <-attached; err != nil {
		t.Error(err)
	}
	if err := l.Attached(t.Context()); err != nil {
		t.Error(err)
	}
}
