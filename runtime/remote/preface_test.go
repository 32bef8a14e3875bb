package remote_test

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/remote"
)

// callOver calls the adapter once, whether or not it answers.
func callOver(t *testing.T, address string, creds credentials.TransportCredentials) {
	t.Helper()
	cc, err := grpc.NewClient(address, grpc.WithTransportCredentials(creds))
	must(t, err)
	defer cc.Close()
	_, _ = exproto.NewConnectionAdapterClient(cc).Send(t.Context(), &exproto.SendBytesRequest{Conn: "c1"})
}

// sayTo connects and sends each text in a write of its own, and reads until the adapter closes.
func sayTo(t *testing.T, address string, texts ...string) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	must(t, err)
	defer c.Close()
	for _, text := range texts {
		_, _ = c.Write([]byte(text))
	}
	for _, err = c.Read(make([]byte, 512)); err == nil; {
		_, err = c.Read(make([]byte, 512))
	}
}

func TestWhoIsNoHandlerIsNamed(t *testing.T) {
	cert, pool := certificate(t)
	secure := credentials.NewTLS(&tls.Config{RootCAs: pool})
	for _, test := range []struct {
		name    string
		adapter *tls.Config
		call    func(t *testing.T, address string)
		want    string
	}{
		{"a device", nil, func(t *testing.T, a string) {
			sayTo(t, a, "login me\n",
				"pub a b\n")
		}, "a device seems to be connected to the adapter's port"},
		{"a device that begins like HTTP/2", nil, func(t *testing.T, a string) {
			sayTo(t, a, "PRI",
				"NT\n")
		}, "a device seems to be connected"},
		{"a device at a secure adapter", &tls.Config{
			Certificates: []tls.Certificate{cert},
		}, func(t *testing.T, a string) { sayTo(t, a, "x", "y") }, "a device seems"},
		{"a handler with TLS", nil, func(t *testing.T, a string) { callOver(t, a, secure) }, "a handler with TLS"},
		{"a handler without TLS", &tls.Config{
			Certificates: []tls.Certificate{cert},
		}, func(t *testing.T, a string) { callOver(t, a, insecure.NewCredentials()) }, "a handler without TLS"},
		{"a handler", nil, func(t *testing.T, a string) { callOver(t, a, insecure.NewCredentials()) }, ""},
		{"a secure handler", &tls.Config{
			Certificates: []tls.Certificate{cert},
		}, func(t *testing.T, a string) { callOver(t, a, secure) }, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log journal
			_, address := serveAdapter(t, remote.AdapterConfig{TLS: test.adapter, Logger: log.logger()})
			test.call(t, address)
			switch got := log.String(); {
			case test.want == "" && strings.Contains(got, "in the wrong way"):
				t.Errorf("logged %s", got)
			case test.want != "":
				gatewaytest.Eventually(t, "the log says "+test.want,
					func() bool { return strings.Contains(log.String(), test.want) })
			}
		})
	}
}

func TestManyDevicesAtTheAdapterAreOneLine(t *testing.T) {
	var log journal
	_, address := serveAdapter(t, remote.AdapterConfig{Logger: log.logger()})
	for range 20 {
		sayTo(t, address, "login me\n")
	}
	if n := strings.Count(log.String(), "a device seems"); n != 1 {
		t.Errorf("%d lines:\n%s", n, &log)
	}
}
