package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/exgate/exgate/cmd/exgate/internal/service"
)

// printSockets prints the listening addresses, one per line.
func printSockets(out io.Writer, sockets []service.Socket) {
	fmt.Fprintln(out, "exgate is listening on")
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, s := range sockets {
		fmt.Fprintf(table, "  %s\t%s\t%s", s.Name, s.Kind, s.Addr)
		if s.Note != "" {
			fmt.Fprintf(table, "\t%s", s.Note)
		}
		fmt.Fprintln(table)
	}
	_ = table.Flush()
}

// bannerPatience bounds the wait for the broker before the start prints whether it is reachable.
const bannerPatience = time.Second

// printUpstream prints the broker and whether it is reachable. The embedded broker is listed with the sockets.
func printUpstream(ctx context.Context, out io.Writer, g *running) {
	if !g.cfg.Upstream.Elsewhere() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, bannerPatience)
	defer cancel()
	urls := strings.Join(g.cfg.Upstream.URL, ", ")
	if err := g.service.BrokerReachable(ctx); err != nil {
		fmt.Fprintf(out, "broker %s: %v; retrying\n", urls, err)
		return
	}
	fmt.Fprintf(out, "broker %s: connected\n", urls)
}

// printDemo prints how to try the demo, with the broker at upstream or the embedded one.
func printDemo(out io.Writer, sockets []service.Socket, upstream string) {
	var device net.Addr
	for _, s := range sockets {
		switch s.Name {
		case "demo":
			device = s.Addr
		case "broker":
			upstream = "mqtt://" + dialable(s.Addr)
		}
	}
	option := ""
	if upstream != "mqtt://127.0.0.1:1883" {
		option = " --url " + upstream
	}
	host, port, _ := net.SplitHostPort(dialable(device))
	fmt.Fprintln(out, "Try it, each line in its own terminal:")
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "  %s sub 'demo/#'%s\tor: mosquitto_sub -v -L '%s/demo/#'\n", self(), option, upstream)
	fmt.Fprintf(table, "  nc %s %s\tand type: login me, sub demo/#, pub demo/hello good morning\n", host, port)
	fmt.Fprintf(table, "  %s pub demo/hello 'good evening'%s\tor: mosquitto_pub -L %s/demo/hello -m 'good evening'\n",
		self(), option, upstream)
	_ = table.Flush()
}

// self returns the command that starts this program. A binary in Go's build cache was started with go run and is not in
// the PATH.
func self() string {
	if path, err := os.Executable(); err == nil && strings.Contains(path, "go-build") {
		return "go run ./cmd/exgate"
	}
	return "exgate"
}

// dialable returns the address that reaches a socket from this machine.
func dialable(a net.Addr) string {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return a.String()
	}
	if tcp.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", fmt.Sprint(tcp.Port))
	}
	return tcp.String()
}
