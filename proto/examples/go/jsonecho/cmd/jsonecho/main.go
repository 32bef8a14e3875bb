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
	handler "github.com/exgate/exgate/proto/sdk/go"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:9001", "address that the gateway's handler.grpc names")
	adapter := flag.String("adapter", "127.0.0.1:9100", "address of the gateway's adapter")
	unaryV42 := flag.Bool("unary-v42", false, "serve ConnectionHandler as EMQX Enterprise 4.2 wants it")
	flag.Parse()
	if err := run(*listen, handler.Config{
		Adapter: *adapter, New: jsonecho.NewHandler,
		UnaryV42: *unaryV42,
	}); err != nil {
		fmt.Fprintln(os.Stderr, "jsonecho:", err)
		os.Exit(1)
	}
}

func run(listen string, cfg handler.Config) error {
	s, err := handler.New(cfg)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("opening the handler's listener: %w", err)
	}
	fmt.Println("handler on", l.Addr(), "calls the adapter at", cfg.Adapter)
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
