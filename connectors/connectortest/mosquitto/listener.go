package mosquitto

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// listener identifies a port of a Broker by its URL scheme.
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

// addr panics if the Options have no such listener.
func (b *Broker) addr(l listener) string {
	port, ok := b.ports[l]
	if !ok {
		panic("mosquitto: the options have no listener for " + string(l) + "://")
	}
	return net.JoinHostPort("127.0.0.1", port)
}

// Addr returns HOST:PORT of the plain MQTT listener, which always exists.
func (b *Broker) Addr() string { return b.addr(overTCP) }

// URL returns mqtt://HOST:PORT of the plain MQTT listener.
func (b *Broker) URL() string { return "mqtt://" + b.Addr() }

// TLSURL returns mqtts://HOST:PORT. It requires Options.TLS.
func (b *Broker) TLSURL() string { return "mqtts://" + b.addr(overTLS) }

// WebSocketURL returns ws://HOST:PORT/mqtt. It requires Options.WebSocket.
func (b *Broker) WebSocketURL() string { return "ws://" + b.addr(overWebSocket) + "/mqtt" }

// SecureWebSocketURL returns wss://HOST:PORT/mqtt. It requires Options.TLS and Options.WebSocket.
func (b *Broker) SecureWebSocketURL() string { return "wss://" + b.addr(overTLSWebSocket) + "/mqtt" }

// config raises the limits above which mosquitto would drop acknowledged messages. Listener settings apply to the
// listener line before them.
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
