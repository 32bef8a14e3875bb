package doctor

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"syscall"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/connectors/mqtt"
	"github.com/exgate/exgate/runtime/gateway"
)

// upstream says whether the broker of upstream.url takes clients.
func (c *checkup) upstream(ctx context.Context) []Finding {
	var findings []Finding
	for _, server := range c.cfg.Upstream.URL {
		u, err := url.Parse(server)
		if err != nil {
			return []Finding{c.problem("upstream.url", "is no URL")}
		}
		findings = append(findings, c.broker(ctx, u))
	}
	return findings
}

// broker comes and goes as a client without credentials.
func (c *checkup) broker(ctx context.Context, u *url.URL) Finding {
	const setting = "upstream.url"
	address := brokerAddress(u)
	if own, ok := c.ownSocket(ctx, address); ok {
		return c.problem(setting, "%s is where exgate itself listens (%s), not a broker: write the broker's address", address, own.setting)
	}
	err := visit(ctx, u.String())
	var refused *gateway.ResultError
	switch {
	case err == nil:
		return c.well(setting, "the broker at %s speaks MQTT 5 and takes clients without a password", address)
	case errors.As(err, &refused):
		return c.well(setting, "the broker at %s speaks MQTT 5, and wants clients to log in (%s)", address, refused.Result.Message)
	}
	return c.problem(setting, "%s", brokerTrouble(ctx, u, address, err))
}

// visit connects and disconnects.
func visit(ctx context.Context, broker string) error {
	connector, err := mqtt.New(mqtt.Config{URL: broker, ConnectTimeout: patience, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer func() { _ = connector.Close(ctx) }()
	s, err := connector.Connect(ctx, gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: "exgate-doctor-" + strings.ToLower(rand.Text()[:10])}}, "", nobody{})
	if err != nil {
		return err
	}
	s.Close()
	return nil
}

// nobody is a device that is not there.
type nobody struct{}

func (nobody) Deliver(gateway.Message) bool    { return true }
func (nobody) SessionLost(gateway.CloseReason) {}

// brokerTrouble says what kept a client from the broker.
func brokerTrouble(ctx context.Context, u *url.URL, address string, err error) string {
	var dns *net.DNSError
	var timeout net.Error
	secure := u.Scheme == "mqtts" || u.Scheme == "ssl"
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "no broker listens at " + address + ": start it, or change the address"
	case errors.As(err, &dns):
		return "the name in " + address + " has no address (" + dns.Err + "): change it, or the DNS"
	case secure && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)):
		return "the server at " + address + " ends the TLS handshake: write mqtt:// if it speaks no TLS"
	case secure:
		_, text := tlsTrouble(err, config.ClientTLS{})
		return "the TLS connection to the broker at " + address + " fails: " + strings.Replace(text, "remove tls", "write mqtt://", 1)
	case takesTLS(ctx, address):
		return "the broker at " + address + " speaks TLS: write mqtts://"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "nothing at " + address + " answers as a broker does in " + patience.String() + ": change the address, or let the firewall between pass the gateway"
	}
	return err.Error()
}

func brokerAddress(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"mqtts": "8883", "ssl": "8883"}[u.Scheme]
	}
	if port == "" {
		port = "1883"
	}
	return net.JoinHostPort(u.Hostname(), port)
}
