package peer_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/remote/adapter/internal/peer"
)

// whoAreYou is a method of every node here, of the same name as that by which nodes ask each other.
const whoAreYou = "/" + peer.Service + "/Node"

// town is nodes on one port of several addresses, found by DNS.
type town struct {
	dns  *nameServer
	port string
	log  gatewaytest.Log
}

// newTown has one node, name at 127.0.0.1, which is what this returns besides.
func newTown(t *testing.T, name string) (*town, *peer.Peers) {
	t.Helper()
	w := &town{dns: serveDNS(t)}
	_, w.port, _ = net.SplitHostPort(gatewaytest.FreeAddress(t))
	w.dns.set("127.0.0.1")
	p, _ := w.serve(t, w.listen(t, "127.0.0.1"), peer.Config{Node: name})
	return w, p
}

func (w *town) listen(t *testing.T, host string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, w.port))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// serve starts a node on l and returns a function that stops it.
func (w *town) serve(t *testing.T, l net.Listener, cfg peer.Config) (*peer.Peers, func()) {
	t.Helper()
	cfg.DNS, cfg.Logger = "gateways.test:"+w.port, w.log.Logger()
	cfg = peer.WithResolver(cfg, w.dns.resolver())
	p, err := peer.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	p.Register(server)
	go server.Serve(l)
	stop := sync.OnceFunc(func() {
		p.Close()
		server.Stop()
	})
	t.Cleanup(stop)
	return p, stop
}

// open starts a node at host, in DNS or not.
func (w *town) open(t *testing.T, host, name string) func() {
	t.Helper()
	_, stop := w.serve(t, w.listen(t, host), peer.Config{Node: name})
	return stop
}

// reach forwards a call to a node and returns the name that answers.
func reach(p *peer.Peers, node string) (string, error) {
	name := new(wrapperspb.StringValue)
	err := p.Forward(context.Background(), node, whoAreYou, new(emptypb.Empty), name)
	return name.GetValue(), err
}

func reaches(t *testing.T, p *peer.Peers, node string) {
	t.Helper()
	if name, err := reach(p, node); name != node || err != nil {
		t.Errorf("calling %s: %q answers, %v", node, name, err)
	}
}

func TestNodesAreFoundByTheirNames(t *testing.T) {
	w, _ := newTown(t, "gw1")
	w.open(t, "127.0.0.2", "gw2")
	w.open(t, "127.0.0.3", "gw3")
	w.dns.set("127.0.0.1", "127.0.0.2", "127.0.0.3")
	p, _ := w.serve(t, w.listen(t, "127.0.0.4"), peer.Config{Node: "gw4"})
	for _, node := range []string{"gw1", "gw2", "gw3"} {
		reaches(t, p, node)
	}
	for _, node := range []string{"gw4", "gw5", ""} {
		if _, err := reach(p, node); !errors.Is(err, peer.ErrUnknownNode) {
			t.Errorf("calling %q: %v", node, err)
		}
	}
}

// A call to a node that came after the last look at DNS has a new look made, but not every such call.
func TestNewNodeIsFoundWhenItIsCalled(t *testing.T) {
	w, p := newTown(t, "gw1")
	gatewaytest.Eventually(t, "the first look", func() bool { return w.dns.questions() > 0 })
	w.open(t, "127.0.0.2", "gw2")
	w.dns.set("127.0.0.1", "127.0.0.2")
	gatewaytest.Eventually(t, "the new node is found", func() bool {
		name, _ := reach(p, "gw2")
		return name == "gw2"
	})
	before := w.dns.questions()
	for range 1000 {
		_, _ = reach(p, "nobody")
	}
	if after := w.dns.questions(); after > before+1 {
		t.Errorf("1000 calls to a node that is not there looked %d times", after-before)
	}
}

// A node that is shut down leaves DNS before its connections end: it can be called while it answers.
func TestNodeThatLeftDNSIsCalledWhileItAnswers(t *testing.T) {
	w, _ := newTown(t, "gw1")
	stop := w.open(t, "127.0.0.2", "gw2")
	w.dns.set("127.0.0.1", "127.0.0.2")
	p, _ := w.serve(t, w.listen(t, "127.0.0.3"), peer.WithRefresh(peer.Config{Node: "gw3"}, 10*time.Millisecond))
	reaches(t, p, "gw2")
	w.dns.set("127.0.0.1")
	asked := w.dns.questions()
	gatewaytest.Eventually(t, "looks", func() bool { return w.dns.questions() > asked+3 })
	reaches(t, p, "gw2")
	stop()
	gatewaytest.Eventually(t, "the node is forgotten", func() bool {
		_, err := reach(p, "gw2")
		return errors.Is(err, peer.ErrUnknownNode)
	})
}

func TestNodeThatIsDownIsNotForgotten(t *testing.T) {
	w, _ := newTown(t, "gw1")
	stop := w.open(t, "127.0.0.2", "gw2")
	w.dns.set("127.0.0.1", "127.0.0.2")
	p, _ := w.serve(t, w.listen(t, "127.0.0.3"), peer.WithRefresh(peer.Config{Node: "gw3"}, 10*time.Millisecond))
	reaches(t, p, "gw2")
	stop()
	asked := w.dns.questions()
	gatewaytest.Eventually(t, "looks", func() bool { return w.dns.questions() > asked+3 })
	if _, err := reach(p, "gw2"); status.Code(err) != codes.Unavailable {
		t.Errorf("calling a node that is down: %v", err)
	}
	w.dns.set("127.0.0.1", "127.0.0.5") // it comes back elsewhere
	w.open(t, "127.0.0.5", "gw2")
	gatewaytest.Eventually(t, "the node is back", func() bool {
		name, _ := reach(p, "gw2")
		return name == "gw2"
	})
}

func TestTwoNodesOfOneNameAreWarnedOf(t *testing.T) {
	w, _ := newTown(t, "gw1")
	w.open(t, "127.0.0.2", "gw1")
	w.dns.set("127.0.0.1", "127.0.0.2")
	p, _ := w.serve(t, w.listen(t, "127.0.0.3"), peer.Config{Node: "gw3"})
	reaches(t, p, "gw1")
	if !strings.Contains(w.log.String(), "two nodes have one name") {
		t.Errorf("log:\n%s", w.log.String())
	}
}

// Addresses that are not an adapter, answer with garbage or expect another token are ignored.
func TestStrangersInDNS(t *testing.T) {
	w, _ := newTown(t, "gw1")
	l := w.listen(t, "127.0.0.2")
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("220 mail.example ESMTP\r\n"))
			_ = c.Close()
		}
	}()
	w.dns.set("127.0.0.1", "127.0.0.2", "127.0.0.99")
	p, _ := w.serve(t, w.listen(t, "127.0.0.3"), peer.Config{Node: "gw3"})
	reaches(t, p, "gw1")
}

func TestDNSThatFails(t *testing.T) {
	w, _ := newTown(t, "gw1")
	w.dns.set()
	p, _ := w.serve(t, w.listen(t, "127.0.0.3"), peer.Config{Node: "gw3"})
	if _, err := reach(p, "gw1"); !errors.Is(err, peer.ErrUnknownNode) {
		t.Errorf("calling: %v", err)
	}
	if !strings.Contains(w.log.String(), "adapter.peers_dns") {
		t.Errorf("log:\n%s", w.log.String())
	}
}

// A peer that says nothing costs a call without a deadline the time that is configured.
func TestTimeoutOfForwardedCalls(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cfg := peer.Config{Node: "gw1", Nodes: []string{"gw2=" + l.Addr().String()}}
	p, err := peer.New(peer.WithTimeout(cfg, 50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := reach(p, "gw2"); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("calling a silent node: %v", err)
	}
}
