package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"syscall"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/cmd/exgate/internal/tlsfiles"
	"github.com/exgate/exgate/runtime/remote"
)

// server is one address of a handler service.
type server struct {
	*checkup
	key     string // the handler's key in the configuration
	cfg     config.Handler
	address string
	tls     *tls.Config // nil means plain text
}

// handler checks for each address of a handler service whether a usable server listens there.
func (c *checkup) handler(ctx context.Context, key string, h config.Handler) []Finding {
	s := server{checkup: c, key: key, cfg: h}
	var err error
	switch {
	case c.cfg.Said(key + ".tls"):
		s.tls, err = tlsfiles.Client(h.TLS)
	case strings.HasPrefix(h.GRPC[0], "https://"):
		s.tls = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if err == nil && h.TokenFile != "" {
		_, err = config.ReadToken(h.TokenFile)
	}
	if err != nil {
		return []Finding{c.problem(key, "%v", err)}
	}
	var checks []func(context.Context) []Finding
	for _, address := range h.GRPC {
		checks = append(checks, func(ctx context.Context) []Finding { return []Finding{s.at(address).examine(ctx)} })
	}
	return inOrder(ctx, checks)
}

// at returns s for one address. It removes the scheme from the address.
func (s server) at(address string) *server {
	if _, rest, ok := strings.Cut(address, "://"); ok {
		address = strings.TrimSuffix(rest, "/")
	}
	s.address = address
	if host, _, err := net.SplitHostPort(address); s.tls != nil && s.tls.ServerName == "" && err == nil {
		s.tls = s.tls.Clone()
		s.tls.ServerName = host
	}
	return &s
}

func (s *server) examine(ctx context.Context) Finding {
	if own, ok := s.ownSocket(ctx, s.address); ok {
		return s.problem(s.key+".grpc", "%s is an address of exgate itself (%s): set the address of the handler",
			s.address, own.setting)
	}
	conn, err := dial(ctx, s.address)
	if err != nil {
		return s.unreachable(err)
	}
	_ = conn.Close()
	if trouble, ok := s.transport(ctx); !ok {
		return trouble
	}
	return s.answers()
}

func (s *server) unreachable(err error) Finding {
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return s.problem(s.key+".grpc", "nothing listens on %s: start the handler, or change the address", s.address)
	case errors.As(err, &dns):
		return s.problem(s.key+".grpc", "cannot resolve the name in %s (%s): change the name, or fix DNS", s.address,
			dns.Err)
	case errors.As(err, &timeout) && timeout.Timeout():
		return s.problem(s.key+".grpc", "%s does not answer: change the address, or check the firewall", s.address)
	}
	return s.problem(s.key+".grpc", "cannot reach %s: %v", s.address, cause(err))
}

// transport checks the layers below gRPC.
func (s *server) transport(ctx context.Context) (trouble Finding, ok bool) {
	if s.tls != nil {
		return s.secure(ctx)
	}
	switch greeted(ctx, s.address) {
	case saysHTTP2:
		return Finding{}, true
	case saysTLS:
		return s.problem(s.key+".tls",
			"the handler at %s uses TLS and the gateway does not: add tls: {ca: FILE} with the authority that signed "+
				"its certificate", s.address), false
	case saysHTTP1:
		return s.problem(s.key+".grpc",
			"%s is a web server without HTTP/2, which gRPC requires: set the address of the handler", s.address), false
	}
	return s.problem(s.key+".grpc", "%s does not speak HTTP/2, so it is not a gRPC server; it may be a port for "+
		"devices: set the address of the handler",
		s.address), false
}

// secure opens a TLS connection and sends hello over it.
func (s *server) secure(ctx context.Context) (trouble Finding, ok bool) {
	said, err := s.greetSecurely(ctx)
	switch {
	case err != nil && greeted(ctx, s.address) == saysHTTP2:
		return s.problem(s.key+".tls",
			"the handler at %s does not use TLS and the gateway does: remove tls, and https:// from the address",
			s.address), false
	case err != nil:
		setting, text := tlsTrouble(err, s.cfg.TLS)
		return s.problem(s.key+"."+setting, "%s: %s", s.address, text), false
	case said != saysHTTP2:
		return s.problem(s.key+".grpc",
			"%s uses TLS without HTTP/2, so it is not a gRPC server: set the address of the handler", s.address), false
	}
	return Finding{}, true
}

func (s *server) greetSecurely(ctx context.Context) (speech, error) {
	conn, err := dial(ctx, s.address)
	if err != nil {
		return saysNothing, err
	}
	defer func() { _ = conn.Close() }()
	cfg := s.tls.Clone()
	cfg.NextProtos = []string{"h2"}
	secured := tls.Client(conn, cfg)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := secured.HandshakeContext(ctx); err != nil {
		return saysNothing, err
	}
	if secured.ConnectionState().NegotiatedProtocol != "h2" {
		return saysOther, nil
	}
	return greet(secured) // with TLS 1.3 a server rejects the client's certificate only now
}

// answers is the finding for a gRPC server. It calls no method: some handlers exit at methods that EMQX never called,
// including reflection.
func (s *server) answers() Finding {
	if d := remote.Dialect(s.cfg.Dialect); d != "" && d != remote.DialectAuto {
		return s.well(s.key+".grpc", "%s speaks HTTP/2, as gRPC servers do; whether it is a handler that speaks %s "+
			"shows with the first device", s.address, d)
	}
	return s.well(s.key+".grpc", "%s speaks HTTP/2, as gRPC servers do; whether it is a handler, and its dialect, "+
		"shows with the first device", s.address)
}
