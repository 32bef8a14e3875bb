package remote_test

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote"
)

func message(id, topic, payload string) gateway.Message {
	return gateway.Message{
		Node: "gw1", ID: id, QoS: 1, From: "pub", Topic: topic, Payload: []byte(payload),
		Timestamp: time.UnixMilli(1700000000123),
	}
}

func TestEveryEventReachesTheHandler(t *testing.T) {
	s := &script{}
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	address, _ := serveHandler(t, "", s)
	h := newHandler(t, newClient(t, remote.ClientConfig{Addresses: []string{address}}, a), newDevice("c1"))

	must(t, h.OnSocketCreated(gateway.ConnInfo{
		SocketType: gateway.SocketSSL,
		Peer:       netip.MustParseAddrPort("[::ffff:192.0.2.7]:4000"),
		Local:      netip.MustParseAddrPort("[2001:db8::1]:7993"),
		PeerCert:   &gateway.CertificateInfo{CommonName: "dev\xff", DistinguishedName: "CN=dev,O=Acme"},
	}))
	must(t, h.OnReceivedBytes([]byte("hello\x00")))
	must(t, h.OnTimerTimeout(gateway.TimerKeepalive))
	must(t, h.OnReceivedMessages([]gateway.Message{message("m1", "a/b", "one"), message("m2", "c\xff", "two")}))
	must(t, h.OnSocketClosed(gateway.ReasonKeepaliveTimeout.With("nothing for 30 s")))

	expect(t, "callbacks", s.String(), strings.Join([]string{
		`created c1 SSL 192.0.2.7:4000 2001:db8::1:7993 cn="dev` + "\uFFFD" + `" dn="CN=dev,O=Acme"`,
		`bytes c1 "hello\x00"`,
		`timer c1 KEEPALIVE`,
		"messages c1 [gw1 m1 1 pub a/b one 1700000000123, gw1 m2 1 pub c\uFFFD two 1700000000123]",
		`closed c1 keepalive_timeout`,
	}, "\n"))
}

func TestSocketWithoutAddressesOrCertificate(t *testing.T) {
	s := &script{}
	s.on = func(_ context.Context, e any) error {
		if e.(*exproto.SocketCreatedRequest).GetConninfo().Peercert != nil {
			return status.Error(codes.InvalidArgument, "a certificate that is none")
		}
		return nil
	}
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	address, _ := serveHandler(t, "", s)
	h := newHandler(t, newClient(t, remote.ClientConfig{Addresses: []string{address}}, a), newDevice("c1"))
	must(t, h.OnSocketCreated(gateway.ConnInfo{}))
	expect(t, "callback", s.String(), `created c1 TCP :0 :0 cn="" dn=""`)
}

func TestMaxBatchSplitsMessages(t *testing.T) {
	for _, test := range []struct {
		maxBatch int
		want     string
	}{
		{1, "1 1 1 1 1"},
		{2, "2 2 1"},
		{0, "5"},
	} {
		var sizes []string
		s := &script{on: func(_ context.Context, e any) error {
			sizes = append(sizes, string(rune('0'+len(e.(*exproto.ReceivedMessagesRequest).GetMessages()))))
			return nil
		}}
		a, _ := serveAdapter(t, remote.AdapterConfig{})
		address, _ := serveHandler(t, "", s)
		h := newHandler(t, newClient(t, remote.ClientConfig{Addresses: []string{address}, MaxBatch: test.maxBatch}, a),
			newDevice("c1"))
		var messages []gateway.Message
		for range 5 {
			messages = append(messages, message("m", "t", "p"))
		}
		must(t, h.OnReceivedMessages(messages))
		expect(t, "batch sizes", strings.Join(sizes, " "), test.want)
	}
}

// A batch of the sizes that a gateway queues by default must not exceed the 4 MiB that a gRPC server accepts by
// default.
func TestManyLargeMessagesFitTheHandler(t *testing.T) {
	received := 0
	s := &script{on: func(_ context.Context, e any) error {
		received += len(e.(*exproto.ReceivedMessagesRequest).GetMessages())
		return nil
	}}
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	address, _ := serveHandler(t, "", s)
	h := newHandler(t, newClient(t, remote.ClientConfig{Addresses: []string{address}}, a), newDevice("c1"))
	large := strings.Repeat("x", 700<<10)
	must(t, h.OnReceivedMessages([]gateway.Message{
		message("1", "t", large), message("2", "t", large), message("3", "t", "small"), message("4", "t", large),
		message("5", "t", large), message("6", "t", large), message("7", "t", large),
	}))
	if received != 7 {
		t.Errorf("%d of 7 messages arrived", received)
	}
}

func TestCallbacksCarryADeadline(t *testing.T) {
	var left time.Duration
	s := &script{on: func(ctx context.Context, _ any) error {
		deadline, _ := ctx.Deadline()
		left = time.Until(deadline)
		return nil
	}}
	var agent []string
	stats := grpc.UnaryInterceptor(
		func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			md, _ := metadata.FromIncomingContext(ctx)
			agent = md.Get("user-agent")
			return next(ctx, req)
		})
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	address, _ := serveHandler(t, "", s, stats)
	h := newHandler(t, newClient(t, remote.ClientConfig{Addresses: []string{address}, CallTimeout: time.Hour}, a),
		newDevice("c1"))
	must(t, h.OnReceivedBytes(nil))
	if left <= 50*time.Minute || left > time.Hour {
		t.Errorf("the callback had %v left of an hour", left)
	}
	if len(agent) != 1 || !strings.HasPrefix(agent[0], "exgate") {
		t.Errorf("user agent %q", agent)
	}
}

func TestAddressForms(t *testing.T) {
	s := &script{}
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	address, _ := serveHandler(t, "", s)
	_, port, err := net.SplitHostPort(address)
	must(t, err)
	for _, form := range []string{address, "localhost:" + port, "http://" + address, "http://" + address + "/"} {
		h := newHandler(t, newClient(t, remote.ClientConfig{Addresses: []string{form}}, a), newDevice("c1"))
		must(t, h.OnReceivedBytes(nil))
	}
}

func TestNewClientNamesWhatIsWrong(t *testing.T) {
	a := newAdapter(t, remote.AdapterConfig{})
	good := remote.ClientConfig{Name: "demo", Addresses: []string{"127.0.0.1:9001"}}
	for _, test := range []struct {
		change  func(*remote.ClientConfig)
		adapter *remote.Adapter
		want    string
	}{
		{func(c *remote.ClientConfig) { c.Name = "" }, a, `handler "": no name`},
		{
			func(c *remote.ClientConfig) { c.Addresses = []string{"localhost"} }, a,
			`handler "demo": address "localhost" must be host:port`,
		},
		{func(c *remote.ClientConfig) { c.Addresses = []string{":9001"} }, a, `address ":9001" must be host:port`},
		{func(c *remote.ClientConfig) { c.MaxBatch = -1 }, a, `max batch -1 is negative`},
		{func(c *remote.ClientConfig) { c.CallTimeout = -1 }, a, `call timeout -1ns is negative`},
		{
			func(c *remote.ClientConfig) { c.Dialect = "morse" }, a,
			`unknown dialect "morse"; the dialects are "unary"`,
		},
		{func(*remote.ClientConfig) {}, nil, `no adapter for the calls of the handler`},
	} {
		cfg := good
		test.change(&cfg)
		_, err := remote.NewClient(cfg, test.adapter)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
}
