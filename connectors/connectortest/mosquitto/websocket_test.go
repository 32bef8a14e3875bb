package mosquitto

import (
	"net/http"
	"strings"
	"testing"
)

func TestWebSocket(t *testing.T) {
	b := Start(t, Options{WebSocket: true})
	upgrade(t, new(http.Transport), b.WebSocketURL())
}

func TestSecureWebSocket(t *testing.T) {
	b := Start(t, Options{WebSocket: true, TLS: true})
	upgrade(t, new(http.Transport), b.WebSocketURL())
	upgrade(t, &http.Transport{TLSClientConfig: b.TLSConfig()}, b.SecureWebSocketURL())
}

// upgrade does the opening handshake with the example key and answer of RFC 6455, section 1.3.
func upgrade(t *testing.T, transport *http.Transport, url string) {
	t.Helper()
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, strings.Replace(url, "ws", "http", 1), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
		"Sec-WebSocket-Protocol": "mqtt",
		"Sec-WebSocket-Key":      "dGhlIHNhbXBsZSBub25jZQ==",
	} {
		request.Header.Set(name, value)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusSwitchingProtocols || response.Header.Get("Sec-WebSocket-Protocol") != "mqtt" {
		t.Fatalf("%s: %s with the protocol %q", url, response.Status, response.Header.Get("Sec-WebSocket-Protocol"))
	}
	if accept := response.Header.Get("Sec-WebSocket-Accept"); accept != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Fatalf("%s: Sec-WebSocket-Accept is %q", url, accept)
	}
}
