package mqtt

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
)

// server is where one URL leads.
type server struct {
	hostPort  string
	tls       *tls.Config // nil: no TLS
	webSocket string      // the URL of MQTT over WebSocket; empty: MQTT over TCP
}

func parseServers(cfg Config) ([]server, error) {
	urls := cfg.URLs
	if cfg.URL != "" {
		urls = append([]string{cfg.URL}, urls...)
	}
	if len(urls) == 0 {
		return nil, errors.New("upstream.url is missing: want mqtt://HOST:PORT")
	}
	servers := make([]server, 0, len(urls))
	for _, text := range urls {
		s, err := parseURL(text, cfg.TLS)
		if err != nil {
			return nil, err
		}
		servers = append(servers, s)
	}
	return servers, nil
}

func parseURL(text string, secure *tls.Config) (server, error) {
	u, err := url.Parse(text)
	if err != nil {
		return server{}, fmt.Errorf("upstream.url is not a URL like mqtt://HOST:PORT")
	}
	web := u.Scheme == "ws" || u.Scheme == "wss"
	switch {
	case u.User != nil:
		return server{}, fmt.Errorf("upstream.url: leave username and password out: each device has its own, and upstream.username is the gateway's")
	case u.Hostname() == "" || (!web && u.Path != "" && u.Path != "/"):
		return server{}, fmt.Errorf("upstream.url %q: want mqtt://HOST:PORT", text)
	}
	s := server{}
	switch u.Scheme {
	case "mqtt", "tcp":
		s.hostPort = withPort(u, "1883")
	case "mqtts", "ssl":
		s.hostPort, s.tls = withPort(u, "8883"), tlsFor(secure, u.Hostname())
	case "ws":
		s.hostPort = withPort(u, "80")
	case "wss":
		s.hostPort, s.tls = withPort(u, "443"), tlsFor(secure, u.Hostname())
		s.tls.NextProtos = nil // an ALPN name of MQTT is none of HTTP
	default:
		return server{}, fmt.Errorf("upstream.url %q: the scheme is neither mqtt, mqtts, ws nor wss", text)
	}
	if web {
		if u.Path == "" {
			u.Path = "/mqtt"
		}
		s.webSocket = u.String()
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
