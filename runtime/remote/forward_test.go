package remote_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/remote"
)

// group is the adapters of the nodes gw1 and gw2, which know each other.
type group struct {
	adapters  [2]*remote.Adapter
	addresses [2]string
	metrics   [2]*prometheus.Registry
	log       journal
}

// newGroup starts the nodes; change, if not nil, may modify the configuration of each.
func newGroup(t *testing.T, change func(i int, cfg *remote.AdapterConfig)) *group {
	t.Helper()
	g := new(group)
	listeners := [2]net.Listener{listen(t, ""), listen(t, "")}
	var nodes []string
	for i, l := range listeners {
		g.addresses[i] = l.Addr().String()
		nodes = append(nodes, fmt.Sprintf("gw%d=%s", i+1, g.addresses[i]))
	}
	for i, l := range listeners {
		g.metrics[i] = prometheus.NewRegistry()
		cfg := remote.AdapterConfig{
			Node: fmt.Sprintf("gw%d", i+1), Peers: remote.PeersConfig{Nodes: nodes, Token: "among us"},
			Logger: g.log.logger(), Metrics: remote.NewMetrics(g.metrics[i]).Adapter,
		}
		if change != nil {
			change(i, &cfg)
		}
		g.adapters[i] = serveAdapterOn(t, l, cfg)
	}
	return g
}

// through returns the adapter of a node, as a handler sees it.
func (g *group) through(t *testing.T, i int) exproto.ConnectionAdapterClient {
	t.Helper()
	return exproto.NewConnectionAdapterClient(dialAdapter(t, g.addresses[i]))
}

// open opens a device at a node whose handler has a token.
func (g *group) open(t *testing.T, i int, id, token string) *device {
	t.Helper()
	address, _ := serveHandler(t, "", &script{})
	c := newClient(t, remote.ClientConfig{Addresses: []string{address}, AdapterToken: token}, g.adapters[i])
	d := newDevice(id)
	must(t, newHandler(t, c, d).OnSocketCreated(gateway.ConnInfo{}))
	return d
}

// One handler service behind one adapter address serves the devices of two nodes, whichever node its calls reach.
func TestOneHandlerServesTwoNodesThroughOneAdapterAddress(t *testing.T) {
	g := newGroup(t, nil)
	a := g.through(t, 0)
	closed := make(chan string, 1)
	s := &script{on: func(ctx context.Context, e any) error {
		switch e := e.(type) {
		case *exproto.ReceivedBytesRequest:
			converse(bearing(ctx, "Bearer alpha"), t, a, e.GetConn())
		case *exproto.SocketClosedRequest:
			closed <- e.GetReason()
		}
		return nil
	}}
	address, _ := serveHandler(t, "", s)
	for i, adapter := range g.adapters {
		cfg := remote.ClientConfig{Name: "demo", Addresses: []string{address}, AdapterToken: "alpha"}
		conn := connectDeviceTo(t, fmt.Sprintf("gw%d", i+1), cfg, adapter)
		expectConversation(t, conn, closed)
	}
	if n := forwarded(t, g.metrics[0], "gw2", "OK"); n != float64(len(conversation)+4) {
		t.Errorf("%v calls were forwarded", n)
	}
}

func forwarded(t *testing.T, counts *prometheus.Registry, node, code string) float64 {
	t.Helper()
	return gatewaytest.Metric(t, counts, "exgate_adapter_forwarded_total", node, code)
}

func TestOwnerNodeAsksForTheHandlersToken(t *testing.T) {
	g := newGroup(t, nil)
	for i := range g.adapters {
		g.open(t, i, fmt.Sprintf("a@gw%d", i+1), "alpha")
		g.open(t, i, fmt.Sprintf("b@gw%d", i+1), "beta")
	}
	for i := range g.adapters {
		w := &tenants{call: g.through(t, i)}
		for _, node := range []string{"gw1", "gw2"} {
			expect(t, "its own", w.outcome(t, "Bearer alpha", "a@"+node), "SUCCESS")
			expect(t, "another's", w.outcome(t, "Bearer alpha", "b@"+node), "CONN_PROCESS_NOT_ALIVE")
			expect(t, "none", w.outcome(t, "", "a@"+node), "Unauthenticated")
			expect(t, "unknown", w.outcome(t, "Bearer gamma", "a@"+node), "Unauthenticated")
		}
	}
}

// A token that only the forwarding node knows is reported to the handler.
func TestTokenThatOnlyOneNodeKnows(t *testing.T) {
	g := newGroup(t, nil)
	g.open(t, 0, "a@gw1", "alpha")
	g.open(t, 1, "b@gw2", "beta")
	expect(t, "outcome", (&tenants{call: g.through(t, 0)}).outcome(t, "Bearer alpha", "b@gw2"), "Unauthenticated")
}

func TestForwardedCallsGoNoFurther(t *testing.T) {
	circle := [2]net.Listener{listen(t, ""), listen(t, "")}
	var metrics [2]*prometheus.Registry
	for i, l := range circle {
		metrics[i] = prometheus.NewRegistry()
		serveAdapterOn(t, l, remote.AdapterConfig{
			Node:    fmt.Sprintf("gw%d", i+1),
			Peers:   remote.PeersConfig{Nodes: []string{"gw3=" + circle[1-i].Addr().String()}},
			Metrics: remote.NewMetrics(metrics[i]).Adapter,
		})
	}
	w := &tenants{call: exproto.NewConnectionAdapterClient(dialAdapter(t, circle[0].Addr().String()))}
	expect(t, "a call that would go in a circle", w.outcome(t, "", "x@gw3"), "CONN_PROCESS_NOT_ALIVE")
	for i, want := range []float64{float64(len(connCalls)), 0} {
		if n := forwarded(t, metrics[i], "gw3", "OK"); n != want {
			t.Errorf("node %d forwarded %v calls", i+1, n)
		}
	}
}

func TestUnknownNode(t *testing.T) {
	w := &tenants{call: newGroup(t, nil).through(t, 0)}
	for _, id := range []string{
		"x@gw9", "x@gw1", "x@gw2", "x@", "@", "@gw2", "x", "x@gw2@gw1", strings.Repeat("@", 1<<16),
	} {
		expect(t, "conn "+shortened(id), w.outcome(t, "", id), "CONN_PROCESS_NOT_ALIVE")
	}
}

// Forwarded Sends that are made one after the other arrive in order.
func TestForwardedSendsKeepTheirOrder(t *testing.T) {
	g := newGroup(t, nil)
	d := g.open(t, 1, "a@gw2", "")
	d.sent = make(chan []byte, 500)
	a := g.through(t, 0)
	for i := range cap(d.sent) {
		r, err := a.Send(t.Context(), &exproto.SendBytesRequest{Conn: "a@gw2", Bytes: fmt.Append(nil, i)})
		must(t, err)
		expect(t, "code", r.GetCode().String(), "SUCCESS")
	}
	for i := range cap(d.sent) {
		expect(t, "bytes", string(<-d.sent), fmt.Sprint(i))
	}
}

func TestLargeSendIsForwarded(t *testing.T) {
	g := newGroup(t, nil)
	d := g.open(t, 1, "a@gw2", "")
	r, err := g.through(t, 0).Send(t.Context(), &exproto.SendBytesRequest{Conn: "a@gw2", Bytes: make([]byte, 8<<20)})
	must(t, err)
	expect(t, "code", r.GetCode().String(), "SUCCESS")
	if n := len(<-d.sent); n != 8<<20 {
		t.Errorf("%d bytes arrived", n)
	}
}

func TestNodeThatIsDownComesBack(t *testing.T) {
	g := newGroup(t, nil)
	must(t, g.adapters[1].Stop(t.Context()))
	a := g.through(t, 0)
	r, err := a.Send(t.Context(), &exproto.SendBytesRequest{Conn: "a@gw2"})
	must(t, err)
	expect(t, "while it is down", said(r), `UNKNOWN the connection's node "gw2" cannot be reached`)
	if s := g.log.String(); !strings.Contains(s, "call to another node failed") ||
		!strings.Contains(s, g.addresses[1]) {
		t.Errorf("log:\n%s", s)
	}
	g.adapters[1] = serveAdapterOn(t, listen(t, g.addresses[1]), remote.AdapterConfig{})
	g.open(t, 1, "a@gw2", "")
	gatewaytest.Eventually(t, "the node is reached again", func() bool {
		r, err := a.Send(t.Context(), &exproto.SendBytesRequest{Conn: "a@gw2"})
		return err == nil && r.GetCode() == exproto.ResultCode_SUCCESS
	})
}

func said(r *exproto.CodeResponse) string { return r.GetCode().String() + " " + r.GetMessage() }

// A node that accepts connections and says nothing delays callers only until their deadline.
func TestNodeThatIsSilent(t *testing.T) {
	silent := listen(t, "")
	defer silent.Close()
	g := newGroup(t,
		func(_ int, cfg *remote.AdapterConfig) { cfg.Peers.Nodes = []string{"gw3=" + silent.Addr().String()} })
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := g.through(t, 0).Send(ctx, &exproto.SendBytesRequest{Conn: "a@gw3"})
	expect(t, "gRPC code", status.Code(err).String(), codes.DeadlineExceeded.String())
	d := g.open(t, 0, "a@gw1", "")
	r, err := g.through(t, 0).Send(t.Context(), &exproto.SendBytesRequest{Conn: "a@gw1", Bytes: []byte("x")})
	must(t, err)
	expect(t, "a connection of its own, "+string(<-d.sent), r.GetCode().String(), "SUCCESS")
}

func TestNodesWithDifferentPeerTokens(t *testing.T) {
	g := newGroup(t, func(i int, cfg *remote.AdapterConfig) { cfg.Peers.Token = fmt.Sprint("secret", i) })
	g.open(t, 1, "a@gw2", "")
	r, err := g.through(t, 0).Send(t.Context(), &exproto.SendBytesRequest{Conn: "a@gw2"})
	must(t, err)
	expect(t, "answer", said(r), `UNKNOWN the connection's node "gw2" refuses calls from this node: PermissionDenied`)
	if s := g.log.String(); strings.Contains(s, "secret") || !strings.Contains(s, "adapter.peer_token_file") {
		t.Errorf("log:\n%s", s)
	}
	must(t, testutil.GatherAndCompare(g.metrics[1], strings.NewReader(`
# HELP exgate_adapter_refused_total Refused calls to ConnectionAdapter, by reason.
# TYPE exgate_adapter_refused_total counter
exgate_adapter_refused_total{reason="peer_token"} 1
`), "exgate_adapter_refused_total"))
}

func TestNodesOverMutualTLS(t *testing.T) {
	cert, pool := certificate(t)
	g := newGroup(t, func(_ int, cfg *remote.AdapterConfig) {
		cfg.TLS = &tls.Config{
			Certificates: []tls.Certificate{cert}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
		}
		cfg.Peers.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, RootCAs: pool}
	})
	g.open(t, 1, "a@gw2", "alpha")
	g.open(t, 0, "b@gw1", "alpha")
	cc, err := grpc.NewClient(g.addresses[0],
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
			RootCAs: pool, Certificates: []tls.Certificate{cert},
		})))
	must(t, err)
	defer cc.Close()
	expect(t, "outcome", (&tenants{call: exproto.NewConnectionAdapterClient(cc)}).outcome(t, "Bearer alpha", "a@gw2"),
		"SUCCESS")
}

func TestPeersThatCannotBe(t *testing.T) {
	for _, test := range []struct {
		node  string
		peers remote.PeersConfig
		want  string
	}{
		{"", remote.PeersConfig{DNS: "gw:9100"}, "a node's name must not be empty"},
		{"gw1", remote.PeersConfig{DNS: "gw"}, `adapter.peers_dns "gw" must be name:port`},
		{"gw1", remote.PeersConfig{Nodes: []string{"gw2"}}, `adapter.peers "gw2": it must be node=host:port`},
		{"gw1", remote.PeersConfig{Nodes: []string{"gw2=host"}}, `adapter.peers "gw2=host": it must be node=host:port`},
		{"gw1", remote.PeersConfig{Nodes: []string{"g@2=h:1"}}, `letters, digits`},
		{"gw1", remote.PeersConfig{Nodes: []string{"a=h:1", "a=h:2"}}, `adapter.peers names the node "a" twice`},
	} {
		_, err := remote.NewAdapter(remote.AdapterConfig{Node: test.node, Peers: test.peers})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
}
