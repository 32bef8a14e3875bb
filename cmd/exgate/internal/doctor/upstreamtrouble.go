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

// statusInstead is what the WebSocket library says of a server that answered otherwise.
var statusInstead = regexp.MustCompile(`status code 101 but got (\d+)`)

// trouble says what kept a client from the broker.
func (v *visitor) trouble(ctx context.Context, err error) Finding {
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return v.problem("upstream.url", "no broker listens at %s: start it, or change the address", v.address)
	case errors.As(err, &dns):
		return v.problem("upstream.url", "the name in %s has no address (%s): change it, or the DNS", v.address, dns.Err)
	case isWebAnswer(err):
		return v.problem("upstream.url", "the server at %s %s", v.address, webTrouble(v.url.Path, err))
	case v.secure():
		return v.tlsTrouble(err)
	case takesTLS(ctx, v.address):
		return v.problem("upstream.url", "the broker at %s speaks TLS: write %ss://", v.address, v.url.Scheme)
	case isTimeout(err):
		return v.problem("upstream.url", "nothing at %s answers as a broker does in %s: change the address, or let the firewall between pass the gateway", v.address, patience)
	case v.url.Scheme == "ws" && endedWithoutAnswer(err):
		return v.problem("upstream.url", "the server at %s speaks no WebSocket: write mqtt:// if it is the port for MQTT", v.address)
	}
	return v.problem("upstream.url", "%v", err)
}

// tlsTrouble says why the TLS connection fails.
func (v *visitor) tlsTrouble(err error) Finding {
	plain := strings.TrimSuffix(v.url.Scheme, "s") + "://"
	if endedWithoutAnswer(err) && v.url.Scheme == "wss" {
		return v.problem("upstream.url", "the server at %s ends the connection: write mqtts:// if it is the port for MQTT, or ws:// if it speaks no TLS", v.address)
	}
	if endedWithoutAnswer(err) {
		return v.problem("upstream.url", "the server at %s ends the TLS handshake: write %s if it speaks no TLS", v.address, plain)
	}
	setting, text := tlsTrouble(err, v.cfg.Upstream.TLS.Client())
	key := "upstream." + setting
	if setting == "tls" || setting == "grpc" {
		key = "upstream.url"
	}
	return v.problem(key, "the TLS connection to the broker at %s fails: %s", v.address, strings.Replace(text, "remove tls", "write "+plain, 1))
}

func (v *visitor) secure() bool { return v.url.Scheme == "mqtts" || v.url.Scheme == "wss" }

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func endedWithoutAnswer(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)
}

// isWebAnswer reports whether a web server answered that speaks no MQTT at the path.
func isWebAnswer(err error) bool {
	return statusInstead.MatchString(err.Error()) || strings.Contains(err.Error(), "subprotocol mqtt")
}

func webTrouble(path string, err error) string {
	if found := statusInstead.FindStringSubmatch(err.Error()); found != nil {
		return "answers " + found[1] + " and no WebSocket at the path " + strings.TrimSuffix(path, "/") + "/: write the path that the broker has for MQTT, mostly /mqtt"
	}
	return "speaks WebSocket and not MQTT over it: write the path that the broker has for MQTT, mostly /mqtt"
}
