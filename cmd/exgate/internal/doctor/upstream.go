package doctor

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"strings"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/cmd/exgate/internal/tlsfiles"
	"github.com/exgate/exgate/connectors/mqtt"
	"github.com/exgate/exgate/runtime/gateway"
)

// upstream checks whether the servers in upstream.url accept clients.
func (c *checkup) upstream(ctx context.Context) []Finding {
	of := c.cfg.Upstream
	v := visitor{checkup: c}
	var err error
	if c.cfg.Said("upstream.tls") {
		if v.tls, err = tlsfiles.Client(of.TLS.Client()); err != nil {
			return []Finding{c.problem("upstream.tls", "%v", err)}
		}
		v.tls.NextProtos = of.TLS.ALPN
	}
	if of.PasswordFile != "" {
		if v.password, err = config.ReadToken(of.PasswordFile); err != nil {
			return []Finding{c.problem("upstream.password_file", "%v", err)}
		}
	}
	var checks []func(context.Context) []Finding
	for _, server := range of.URL {
		checks = append(checks, func(ctx context.Context) []Finding { return v.at(server).examine(ctx) })
	}
	return inOrder(ctx, checks)
}

// visitor connects to one server of the broker and disconnects: with the account of the gateway if it has or needs one,
// else without credentials.
type visitor struct {
	*checkup
	tls      *tls.Config // nil means the system's authorities
	password string
	url      *url.URL
	address  string
}

// at returns v for one server.
func (v visitor) at(server string) *visitor {
	v.url, _ = url.Parse(server) // the configuration has been checked
	v.address = brokerAddress(v.url)
	return &v
}

func (v *visitor) examine(ctx context.Context) []Finding {
	if own, ok := v.ownSocket(ctx, v.address); ok {
		return []Finding{v.problem("upstream.url",
			"%s is an address of exgate itself (%s): set the address of the broker", v.address, own.setting)}
	}
	connector, err := mqtt.New(mqtt.Config{
		URL: v.url.String(), TLS: v.tls, ConnectTimeout: patience, Logger: slog.New(slog.DiscardHandler),
		// the status topic of the gateway belongs to no session; the visitor publishes it
		ControlTopic: "exgate-doctor/" + rand.Text(),
	})
	if err != nil {
		return []Finding{v.problem("upstream.url", "%v", err)}
	}
	defer func() { _ = connector.Close(ctx) }()
	session, err := connector.Connect(ctx, visitingDevice(v.cfg.Upstream.Username), v.password, nobody{})
	if err != nil {
		return []Finding{v.refused(ctx, err)}
	}
	defer session.Close()
	findings := append([]Finding{v.welcome()}, v.retaining(session)...)
	if v.cfg.Upstream.State == config.StateBroker {
		findings = append(findings, v.state(ctx, session)...)
	}
	if v.cfg.HasShared() {
		findings = append(findings, v.control(ctx, session)...)
	}
	return findings
}

// retaining checks whether the broker supports the retained messages that statuses need.
func (v *visitor) retaining(session gateway.Session) []Finding {
	if s, ok := session.(*mqtt.Session); !ok || s.Retains() {
		return nil
	}
	var findings []Finding
	if of := v.cfg.Upstream.DeviceStatus; of.Topic != "" && (of.Retain == nil || *of.Retain) {
		findings = append(findings, v.problem("upstream.device_status.retain",
			"the broker at %s does not support retained messages: set it to false, and subscribe to the status "+
				"before devices connect", v.address))
	}
	if v.cfg.Upstream.GatewayStatus.Topic != "" {
		findings = append(findings, v.warning("upstream.gateway_status",
			"the broker at %s does not support retained messages: later subscribers do not see the status", v.address))
	}
	if v.cfg.Upstream.State == config.StateBroker {
		findings = append(findings, v.problem("upstream.state",
			"the broker at %s does not support retained messages, so it cannot keep the state of devices: use "+
				"state: local", v.address))
	}
	return findings
}

func visitingDevice(username string) gateway.Device {
	return gateway.Device{ClientInfo: gateway.ClientInfo{
		ClientID: "exgate-doctor-" + strings.ToLower(rand.Text()[:10]),
		Username: username,
	}}
}

// nobody is the Downlink of doctor's own test login: it has no device behind it.
type nobody struct{}

func (nobody) Deliver(gateway.Message) bool    { return true }
func (nobody) SessionLost(gateway.CloseReason) {}

func (v *visitor) welcome() Finding {
	if name := v.cfg.Upstream.Username; name != "" {
		return v.well("upstream.url", "the broker at %s speaks MQTT 5 and accepts the gateway's account %s", v.address,
			name)
	}
	return v.well("upstream.url", "the broker at %s speaks MQTT 5 and accepts clients without a password", v.address)
}

// refused explains why the server does not accept the visitor.
func (v *visitor) refused(ctx context.Context, err error) Finding {
	var refused *gateway.ResultError
	of := v.cfg.Upstream
	switch {
	case !errors.As(err, &refused):
		return v.trouble(ctx, err)
	case refused.Result.Code != gateway.CodePermissionDeny:
		return v.problem("upstream.url", "the broker at %s speaks MQTT 5 but accepts no clients now: %s", v.address,
			refused.Result.Message)
	case of.Username != "" && of.PasswordFile == "":
		return v.problem("upstream.username",
			"the broker at %s rejects the gateway's account %s without a password (%s): set password_file, or "+
				"correct the account in the broker",
			v.address, of.Username, refused.Result.Message)
	case of.Username != "":
		return v.problem("upstream.password_file",
			"the broker at %s rejects the gateway's account %s with the password in %s (%s): correct the "+
				"password or the account",
			v.address, of.Username, of.PasswordFile, refused.Result.Message)
	case v.cfg.HasShared():
		return v.problem("upstream.username",
			"the broker at %s requires credentials (%s), and shared connections need an account: set username "+
				"and password_file",
			v.address, refused.Result.Message)
	}
	return v.well("upstream.url", "the broker at %s speaks MQTT 5 and requires credentials (%s)", v.address,
		refused.Result.Message)
}

// brokerPorts holds the default ports of URLs.
var brokerPorts = map[string]string{"mqtt": "1883", "mqtts": "8883", "ws": "80", "wss": "443"}

func brokerAddress(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = brokerPorts[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}
