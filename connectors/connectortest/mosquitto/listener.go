package mosquitto

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// listener is one of the ports of a Broker, by the scheme of its URL.
type listener string

const (
	overTCP          listener = "mqtt"
	overTLS          listener = "mqtts"
	overWebSocket    listener = "ws"
	overTLSWebSocket listener = "wss"
)

func (o Options) listeners() []listener {
	l := []listener{overTCP}
	if o.TLS {
		l = append(l, overTLS)
	}
	if o.WebSocket {
		l = append(l, overWebSocket)
	}
	if o.TLS && o.WebSocket {
		l = append(l, overTLSWebSocket)
	}
	return l
}

func (b *Broker) choosePorts(t testing.TB) {
	t.Helper()
	b.ports = make(map[listener]string)
	for _, l := range b.options.listeners() {
		_, port, err := net.SplitHostPort(gatewaytest.FreeAddress(t))
		if err != nil {
			t.Fatal(err)
		}
		b.ports[l] = port
	}
}

// addr panics where the Options name no such listener.
func (b *Broker) addr(l listener) string {
	port, ok := b.ports[l]
	if !ok {
		panic("mosquitto: the options have no listener for " + string(l) + "://")
	}
	return net.JoinHostPort("127.0.0.1", port)
}

// Addr is HOST:PORT of the listener that is there always.
func (b *Broker) Addr() string { return b.addr(overTCP) }

// URL is mqtt://HOST:PORT of the listener that is there always.
func (b *Broker) URL() string { return "mqtt://" + b.Addr() }

// TLSURL is mqtts://HOST:PORT. It needs Options.TLS.
func (b *Broker) TLSURL() string { return "mqtts://" + b.addr(overTLS) }

// WebSocketURL is ws://HOST:PORT/mqtt. It needs Options.WebSocket.
func (b *Broker) WebSocketURL() string { return "ws://" + b.addr(overWebSocket) + "/mqtt" }

// SecureWebSocketURL is wss://HOST:PORT/mqtt. It needs Options.TLS and Options.WebSocket.
func (b *Broker) SecureWebSocketURL() string { return "wss://" + b.addr(overTLSWebSocket) + "/mqtt" }

// config raises the limits with which mosquitto would lose acknowledged messages. What a line says of a listener it
// says of the one before it.
func (b *Broker) config() string {
	lines := []string{
		fmt.Sprintf("listener %s 127.0.0.1", b.ports[overTCP]),
		"user root",
		"persistence true",
		"persistence_location " + b.dir + "/",
		"max_queued_messages 0",
		"max_inflight_messages 0",
		"set_tcp_nodelay true",
		"log_type error", "log_type warning", "log_type notice",
	}
	lines = append(lines, b.accessConfig()...)
	lines = append(lines, b.options.Config...)
	for _, l := range b.options.listeners()[1:] {
		lines = append(lines, b.listenerConfig(l)...)
	}
	return strings.Join(lines, "\n") + "\n"
}

func (b *Broker) listenerConfig(l listener) []string {
	lines := []string{fmt.Sprintf("listener %s 127.0.0.1", b.ports[l])}
	if l == overWebSocket || l == overTLSWebSocket {
		lines = append(lines, "protocol websockets")
	}
	if l == overTLS || l == overTLSWebSocket {
		lines = append(lines, "cafile "+b.CAFile(), "certfile "+b.path(serverCert), "keyfile "+b.path(serverKey),
			fmt.Sprintf("require_certificate %v", b.options.ClientCertificates))
	}
	return lines
}
