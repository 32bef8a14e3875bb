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

// printSockets says what is listened at, one socket a line.
func printSockets(out io.Writer, sockets []service.Socket) {
	fmt.Fprintln(out, "exgate listens at")
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

// bannerPatience is how long the start waits to say whether the broker can be reached.
const bannerPatience = time.Second

// printUpstream says which broker devices are connected to, and whether it can be reached. The embedded one is among the sockets.
func printUpstream(ctx context.Context, out io.Writer, g *running) {
	if !g.cfg.Upstream.Elsewhere() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, bannerPatience)
	defer cancel()
	urls := strings.Join(g.cfg.Upstream.URL, ", ")
	if err := g.service.BrokerReachable(ctx); err != nil {
		fmt.Fprintf(out, "broker %s: %v; trying again\n", urls, err)
		return
	}
	fmt.Fprintf(out, "broker %s: reached\n", urls)
}

// printDemo says how to try the demo, with a broker at upstream or the embedded one.
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
	fmt.Fprintln(out, "Try it, each line in a terminal of its own:")
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "  %s sub 'demo/#'%s\tor: mosquitto_sub -v -L '%s/demo/#'\n", self(), option, upstream)
	fmt.Fprintf(table, "  nc %s %s\tand type: login me, sub demo/#, pub demo/hello good morning\n", host, port)
	fmt.Fprintf(table, "  %s pub demo/hello 'good evening'%s\tor: mosquitto_pub -L %s/demo/hello -m 'good evening'\n", self(), option, upstream)
	_ = table.Flush()
}

// self is how this program is called from a shell. A binary in Go's build cache was started with go run, and is not on anybody's path.
func self() string {
	if path, err := os.Executable(); err == nil && strings.Contains(path, "go-build") {
		return "go run ./cmd/exgate"
	}
	return "exgate"
}

// dialable is the address to connect to a socket from this machine.
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
