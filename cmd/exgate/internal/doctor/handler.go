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
	key     string // the handler's place in the configuration
	cfg     config.Handler
	address string
	tls     *tls.Config // nil: plain text
}

// handler says of each address of a handler service whether the gateway can work with what is there.
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

// at is s at one address, from which it takes the scheme.
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
		return s.problem(s.key+".grpc", "%s is where exgate itself listens (%s), not where the handler does: write the handler's own address", s.address, own.setting)
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
		return s.problem(s.key+".grpc", "nothing listens at %s: start the handler, or change the address", s.address)
	case errors.As(err, &dns):
		return s.problem(s.key+".grpc", "the name in %s has no address (%s): change it, or the DNS", s.address, dns.Err)
	case errors.As(err, &timeout) && timeout.Timeout():
		return s.problem(s.key+".grpc", "%s does not answer: change the address, or let the firewall between pass the gateway", s.address)
	}
	return s.problem(s.key+".grpc", "%s cannot be reached: %v", s.address, cause(err))
}

// transport says what is wrong below gRPC.
func (s *server) transport(ctx context.Context) (trouble Finding, ok bool) {
	if s.tls != nil {
		return s.secure(ctx)
	}
	switch greeted(ctx, s.address) {
	case saysHTTP2:
		return Finding{}, true
	case saysTLS:
		return s.problem(s.key+".tls", "the handler at %s speaks TLS and the gateway does not: add tls: {ca: FILE} with who signed its certificate", s.address), false
	case saysHTTP1:
		return s.problem(s.key+".grpc", "%s is a web server without HTTP/2, which gRPC needs: change the address to that of the handler", s.address), false
	}
	return s.problem(s.key+".grpc", "%s sends no HTTP/2 settings, so it is no gRPC server but perhaps a port for devices: change the address to that of the handler",
		s.address), false
}

// secure makes a TLS connection and says hello over it.
func (s *server) secure(ctx context.Context) (trouble Finding, ok bool) {
	said, err := s.greetSecurely(ctx)
	switch {
	case err != nil && greeted(ctx, s.address) == saysHTTP2:
		return s.problem(s.key+".tls", "the handler at %s speaks no TLS and the gateway does: remove tls, and https:// from the address", s.address), false
	case err != nil:
		setting, text := tlsTrouble(err, s.cfg.TLS)
		return s.problem(s.key+"."+setting, "%s: %s", s.address, text), false
	case said != saysHTTP2:
		return s.problem(s.key+".grpc", "%s speaks TLS and no HTTP/2, so it is no gRPC server: change the address to that of the handler", s.address), false
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
	return greet(secured) // TLS 1.3 refuses a client's certificate only here
}

// answers is the finding about a gRPC server. It is not called: some handlers end at a method that EMQX never called, reflection included.
func (s *server) answers() Finding {
	if d := remote.Dialect(s.cfg.Dialect); d != "" && d != remote.DialectAuto {
		return s.well(s.key+".grpc", "%s speaks HTTP/2, as gRPC servers do: the first device tells whether it is a handler and speaks %s", s.address, d)
	}
	return s.well(s.key+".grpc", "%s speaks HTTP/2, as gRPC servers do: the first device tells whether it is a handler, and its dialect", s.address)
}
