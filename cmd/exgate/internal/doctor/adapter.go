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

// adapter checks whether handlers can call the gateway back.
func (c *checkup) adapter(ctx context.Context) []Finding {
	if !c.cfg.HasGRPC() {
		return nil
	}
	var findings []Finding
	if remoteHandler, ok := c.handlerElsewhere(ctx); ok && onlyHere(c.cfg.Adapter.Bind) {
		findings = append(findings, c.problem("adapter.bind",
			"%s is reachable from this machine only, but the handler at %s runs on another: bind to an address "+
				"that it can reach",
			c.cfg.Adapter.Bind, remoteHandler))
	}
	if c.gateway.how == "" {
		return findings
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := c.askAdapter(ctx, local(c.cfg.Adapter.Bind)); err != nil {
		return append(findings, c.problem("adapter.bind",
			"the gateway is running, but its adapter does not answer as configured at %s: %v; restart it if the "+
				"configuration has changed",
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

// showsCertificate checks in a TLS handshake that the server has the certificate in file.
func showsCertificate(ctx context.Context, address, file string) error {
	conn, err := dial(ctx, address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	//nolint:gosec // the certificate is compared below
	secured := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err := secured.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("TLS handshake: %w", err)
	}
	text, err := boundedfile.Read(file, maxPEM)
	if err != nil {
		return err
	}
	want, _ := pem.Decode(text)
	if want == nil || !bytes.Equal(want.Bytes, secured.ConnectionState().PeerCertificates[0].Raw) {
		return fmt.Errorf("its certificate is not the one in %s", file)
	}
	return nil
}

// handlerElsewhere returns the address of a handler on another machine.
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

// onlyHere reports whether bind is reachable from this machine only.
func onlyHere(bind string) bool {
	host, _, _ := net.SplitHostPort(bind)
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
