package listener_test

import (
	"net"
	"strings"
	"testing"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/listener"
	"github.com/exgate/exgate/runtime/listener/listenertest"
)

func TestHandlerThatCallsTheDevicePort(t *testing.T) {
	var log gatewaytest.Log
	s := serveStream(t, listener.TCPConfig{Logger: log.Logger()}, listenertest.Send, gateway.Limits{})
	hello := "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	for _, text := range []string{"hello " + hello, "PRI", hello, hello} {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		echoes(t, c, text)
		echoes(t, c, hello) // no more than the first bytes are looked at
		_ = c.Close()
	}
	if n := strings.Count(log.String(), "a gRPC client is connected to the port for devices"); n != 1 {
		t.Errorf("%d warnings, want one:\n%s", n, &log)
	}
	for _, part := range []string{"listener=l", "adapter.bind", "peer=127.0.0.1:"} {
		if !strings.Contains(log.String(), part) {
			t.Errorf("the warning lacks %s: %s", part, &log)
		}
	}
}
