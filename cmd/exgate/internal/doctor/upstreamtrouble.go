package doctor

import (
	"context"
	"errors"
	"io"
	"net"
	"regexp"
	"strings"
	"syscall"
)

// statusInstead matches the error of the WebSocket library for another HTTP status.
var statusInstead = regexp.MustCompile(`status code 101 but got (\d+)`)

// trouble explains why a client could not connect to the broker.
func (v *visitor) trouble(ctx context.Context, err error) Finding {
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return v.problem("upstream.url", "no broker listens on %s: start it, or change the address", v.address)
	case errors.As(err, &dns):
		return v.problem("upstream.url", "cannot resolve the name in %s (%s): change the name, or fix DNS", v.address,
			dns.Err)
	case isWebAnswer(err):
		return v.problem("upstream.url", "the server at %s %s", v.address, webTrouble(v.url.Path, err))
	case v.secure():
		return v.tlsTrouble(err)
	case takesTLS(ctx, v.address):
		return v.problem("upstream.url", "the broker at %s uses TLS: write %ss://", v.address, v.url.Scheme)
	case isTimeout(err):
		return v.problem("upstream.url",
			"no broker answered at %s within %s: change the address, or check the firewall", v.address, patience)
	case v.url.Scheme == "ws" && endedWithoutAnswer(err):
		return v.problem("upstream.url",
			"the server at %s does not speak WebSocket: write mqtt:// if this is its port for MQTT", v.address)
	}
	return v.problem("upstream.url", "%v", err)
}

// tlsTrouble explains why the TLS connection failed.
func (v *visitor) tlsTrouble(err error) Finding {
	plain := strings.TrimSuffix(v.url.Scheme, "s") + "://"
	if endedWithoutAnswer(err) && v.url.Scheme == "wss" {
		return v.problem("upstream.url",
			"the server at %s closes the connection: write mqtts:// if this is its port for MQTT, or ws:// if it "+
				"does not use TLS", v.address)
	}
	if endedWithoutAnswer(err) {
		return v.problem("upstream.url",
			"the server at %s closes the connection during the TLS handshake: write %s if it does not use TLS",
			v.address, plain)
	}
	setting, text := tlsTrouble(err, v.cfg.Upstream.TLS.Client())
	key := "upstream." + setting
	if setting == "tls" || setting == "grpc" {
		key = "upstream.url"
	}
	return v.problem(key, "the TLS connection to the broker at %s failed: %s", v.address,
		strings.Replace(text, "remove tls", "write "+plain, 1))
}

func (v *visitor) secure() bool { return v.url.Scheme == "mqtts" || v.url.Scheme == "wss" }

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func endedWithoutAnswer(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)
}

// isWebAnswer reports whether a web server without MQTT at the path answered.
func isWebAnswer(err error) bool {
	return statusInstead.MatchString(err.Error()) || strings.Contains(err.Error(), "subprotocol mqtt")
}

func webTrouble(path string, err error) string {
	if found := statusInstead.FindStringSubmatch(err.Error()); found != nil {
		return "answers " + found[1] + " instead of WebSocket at the path " + strings.TrimSuffix(path, "/") +
			"/: set the path of the broker for MQTT, usually /mqtt"
	}
	return "speaks WebSocket but not MQTT: set the path of the broker for MQTT, usually /mqtt"
}
