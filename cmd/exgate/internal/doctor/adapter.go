package doctor

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/exgate/exgate/internal/boundedfile"
	"github.com/exgate/exgate/runtime/remote"
)

// adapter says whether handlers can call the gateway back.
func (c *checkup) adapter(ctx context.Context) []Finding {
	if !c.cfg.HasGRPC() {
		return nil
	}
	var findings []Finding
	if remoteHandler, ok := c.handlerElsewhere(ctx); ok && onlyHere(c.cfg.Adapter.Bind) {
		findings = append(findings, c.problem("adapter.bind", "%s cannot be reached from other machines, and the handler at %s is on one: bind to an address that it can call",
			c.cfg.Adapter.Bind, remoteHandler))
	}
	if c.gateway.how == "" {
		return findings
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := c.askAdapter(ctx, local(c.cfg.Adapter.Bind)); err != nil {
		return append(findings, c.problem("adapter.bind", "the gateway runs, and its adapter does not answer as configured at %s: %v; restart it if the configuration has changed",
			c.cfg.Adapter.Bind, cause(err)))
	}
	return append(findings, c.well("adapter.bind", "the adapter answers at %s", c.cfg.Adapter.Bind))
}

func (c *checkup) askAdapter(ctx context.Context, address string) error {
	if !c.cfg.Said("adapter.tls") {
		return remote.Inquiry{Address: address}.Adapter(ctx)
	}
	return showsCertificate(ctx, address, c.cfg.Adapter.TLS.Cert)
}

// showsCertificate makes a TLS handshake and looks whether the server has the certificate in file.
func showsCertificate(ctx context.Context, address, file string) error {
	conn, err := dial(ctx, address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	secured := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}) //nolint:gosec // the certificate is compared below
	if err := secured.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("TLS handshake: %w", err)
	}
	text, err := boundedfile.Read(file, maxPEM)
	if err != nil {
		return err
	}
	want, _ := pem.Decode(text)
	if want == nil || !bytes.Equal(want.Bytes, secured.ConnectionState().PeerCertificates[0].Raw) {
		return fmt.Errorf("it shows another certificate than that in %s", file)
	}
	return nil
}

// handlerElsewhere returns the address of a handler that is not on this machine.
func (c *checkup) handlerElsewhere(ctx context.Context) (string, bool) {
	for _, name := range c.cfg.Names() {
		for _, address := range c.cfg.Listeners[name].Handler.GRPC {
			hostport := address
			if _, rest, ok := strings.Cut(address, "://"); ok {
				hostport = rest
			}
			host, _, _ := net.SplitHostPort(strings.TrimSuffix(hostport, "/"))
			for _, ip := range addresses(ctx, host) {
				if !isLocal(ip) {
					return address, true
				}
			}
		}
	}
	return "", false
}

// onlyHere reports whether only this machine reaches what listens at bind.
func onlyHere(bind string) bool {
	host, _, _ := net.SplitHostPort(bind)
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
