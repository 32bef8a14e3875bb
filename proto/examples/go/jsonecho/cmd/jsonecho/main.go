// Command jsonecho serves the JSON echo protocol to a gateway.
//
//	go run ./proto/examples/go/jsonecho/cmd/jsonecho -listen 127.0.0.1:9001 -adapter 127.0.0.1:9100
package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/exgate/exgate/proto/examples/go/jsonecho"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:9001", "address that the gateway's handler.grpc names")
	adapter := flag.String("adapter", "127.0.0.1:9100", "address of the gateway's adapter")
	flag.Parse()
	if err := run(*listen, *adapter); err != nil {
		fmt.Fprintln(os.Stderr, "jsonecho:", err)
		os.Exit(1)
	}
}

func run(listen, adapter string) error {
	s, err := jsonecho.New(adapter)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("opening the handler's listener: %w", err)
	}
	fmt.Println("handler on", l.Addr(), "calls the adapter at", adapter)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	select {
	case err := <-served:
		return err
	case <-stop:
		return s.Stop()
	}
}
