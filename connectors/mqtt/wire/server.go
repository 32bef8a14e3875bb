package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"

	"github.com/coder/websocket"
)

// Server is a broker address, parsed from a URL.
type Server struct {
	HostPort  string
	TLS       *tls.Config // nil: no TLS
	WebSocket string      // the URL of MQTT over WebSocket; empty: MQTT over TCP
}

// ParseServers parses the URLs of a broker. Errors name the setting.
func ParseServers(urls []string, secure *tls.Config) ([]Server, error) {
	if len(urls) == 0 {
		return nil, errors.New("upstream.url is missing: want mqtt://HOST:PORT")
	}
	servers := make([]Server, 0, len(urls))
	for _, text := range urls {
		s, err := parseURL(text, secure)
		if err != nil {
			return nil, err
		}
		servers = append(servers, s)
	}
	return servers, nil
}

func parseURL(text string, secure *tls.Config) (Server, error) {
	u, err := url.Parse(text)
	if err != nil {
		return Server{}, fmt.Errorf("upstream.url is not a URL like mqtt://HOST:PORT")
	}
	web := u.Scheme == "ws" || u.Scheme == "wss"
	switch {
	case u.User != nil:
		return Server{}, fmt.Errorf("upstream.url: leave username and password out: each device has its own, and " +
			"upstream.username is the gateway's")
	case u.Hostname() == "" || (!web && u.Path != "" && u.Path != "/"):
		return Server{}, fmt.Errorf("upstream.url %q: want mqtt://HOST:PORT", text)
	}
	s := Server{}
	switch u.Scheme {
	case "mqtt", "tcp":
		s.HostPort = withPort(u, "1883")
	case "mqtts", "ssl":
		s.HostPort, s.TLS = withPort(u, "8883"), tlsFor(secure, u.Hostname())
	case "ws":
		s.HostPort = withPort(u, "80")
	case "wss":
		s.HostPort, s.TLS = withPort(u, "443"), tlsFor(secure, u.Hostname())
		s.TLS.NextProtos = nil // HTTP has no ALPN name of MQTT
	default:
		return Server{}, fmt.Errorf("upstream.url %q: the scheme is neither mqtt, mqtts, ws nor wss", text)
	}
	if web {
		if u.Path == "" {
			u.Path = "/mqtt"
		}
		s.WebSocket = u.String()
	}
	return s, nil
}

func withPort(u *url.URL, port string) string {
	if u.Port() != "" {
		port = u.Port()
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func tlsFor(cfg *tls.Config, host string) *tls.Config {
	if cfg == nil {
		cfg = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	cfg = cfg.Clone()
	if cfg.ServerName == "" {
		cfg.ServerName = host
	}
	return cfg
}

// DialError says that no server could be reached.
type DialError struct {
	hostPort string
	err      error
}

func (e *DialError) Error() string {
	return "dialing the broker " + e.hostPort + " (upstream.url): " + e.err.Error()
}
func (e *DialError) Unwrap() error { return e.err }

// Dial connects to the server. Errors are [DialError]s.
func (s Server) Dial(ctx context.Context) (net.Conn, error) {
	conn, err := s.dial(ctx)
	if err != nil {
		return nil, &DialError{s.HostPort, err}
	}
	return conn, nil
}

func (s Server) dial(ctx context.Context) (net.Conn, error) {
	switch {
	case s.WebSocket != "":
		return s.dialWebSocket(ctx)
	case s.TLS != nil:
		return (&tls.Dialer{Config: s.TLS}).DialContext(ctx, "tcp", s.HostPort)
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", s.HostPort)
}

// dialWebSocket returns a byte stream over WebSocket, MQTT 5, section 6.
func (s Server) dialWebSocket(ctx context.Context) (net.Conn, error) {
	transport := &http.Transport{TLSClientConfig: s.TLS, Proxy: nil, DisableKeepAlives: true}
	ws, answer, err := websocket.Dial(ctx, s.WebSocket, &websocket.DialOptions{
		HTTPClient: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		Subprotocols: []string{"mqtt"},
	})
	if answer != nil && answer.Body != nil {
		_ = answer.Body.Close()
	}
	if err != nil {
		return nil, err
	}
	if ws.Subprotocol() != "mqtt" {
		_ = ws.CloseNow()
		return nil, errors.New("the server speaks WebSocket, but not its subprotocol mqtt")
	}
	ws.SetReadLimit(-1) // packets are bounded by MaxPacketSize, however they are framed
	return webSocketConn{websocket.NetConn(context.Background(), ws, websocket.MessageBinary), ws}, nil
}

// webSocketConn closes at once, without the WebSocket closing handshake.
type webSocketConn struct {
	net.Conn
	ws *websocket.Conn
}

// CloseWrite starts the closing handshake, which the library bounds. Reading continues meanwhile.
func (c webSocketConn) CloseWrite() error {
	go func() { _ = c.ws.Close(websocket.StatusNormalClosure, "") }()
	return nil
}

func (c webSocketConn) Close() error { return c.ws.CloseNow() }
