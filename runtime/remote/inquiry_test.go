package remote_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/remote"
)

func TestInquiryOfAHandler(t *testing.T) {
	cert, pool := certificate(t)
	for _, dialect := range emqxDialects {
		s := new(script)
		for _, reflects := range []bool{true, false} {
			address, _ := serveOn(t, "", func(server *grpc.Server) {
				registerForm(server, dialect, s)
				if reflects {
					reflection.Register(server)
				}
			}, grpc.Creds(credentials.NewServerTLSFromCert(&cert)))
			got, how, err := remote.Inquiry{Address: address, TLS: &tls.Config{RootCAs: pool}}.Dialects(t.Context())
			want := ""
			switch {
			case reflects && dialect == remote.DialectUnary:
				want = "[unary]"
			case reflects: // unary-v42 is registered here with the file of stream
				want = "[stream]"
			default:
				want = "[]"
			}
			if err != nil || fmt.Sprint(got) != want || reflects != (how != "") || s.String() != "" {
				t.Errorf("%s: found %v by %q, %v; the handler saw %q", dialect, got, how, err, s)
			}
		}
	}
}

func TestInquiryOfAHandlerThatAllowsNoReflection(t *testing.T) {
	guard := grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error { return status.Error(codes.PermissionDenied, "no") })
	address := serveForm(t, remote.DialectUnary, new(script), guard)
	if got, how, err := (remote.Inquiry{Address: address}).Dialects(t.Context()); err != nil || got != nil || how != "" {
		t.Errorf("found %v by %q, %v", got, how, err)
	}
}

func TestInquiryWithAToken(t *testing.T) {
	guard := grpc.StreamInterceptor(func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
		if md, _ := metadata.FromIncomingContext(stream.Context()); strings.Join(md.Get("authorization"), "") != "Bearer s3cret" {
			return status.Error(codes.Unauthenticated, "no")
		}
		return next(srv, stream)
	})
	address, _ := serveOn(t, "", func(s *grpc.Server) {
		exproto.RegisterConnectionHandlerServer(s, exproto.UnimplementedConnectionHandlerServer{})
	}, guard, grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error { return status.Error(codes.Unimplemented, "unknown") }))
	if _, _, err := (remote.Inquiry{Address: address, Token: "s3cret"}).Dialects(t.Context()); err != nil {
		t.Error(err)
	}
	if _, _, err := (remote.Inquiry{Address: address, Token: "wr0ng"}).Dialects(t.Context()); !errors.Is(err, remote.ErrNotAllowed) || strings.Contains(err.Error(), "wr0ng") {
		t.Error(err)
	}
}

func TestInquiryOfAnAdapter(t *testing.T) {
	_, adapter := serveAdapter(t, remote.AdapterConfig{})
	must(t, remote.Inquiry{Address: adapter}.Adapter(t.Context()))
	if _, _, err := (remote.Inquiry{Address: adapter}).Dialects(t.Context()); !errors.Is(err, remote.ErrNoHandler) ||
		!strings.Contains(err.Error(), "emqx.exproto.v1.ConnectionAdapter") {
		t.Error(err)
	}
	if err := (remote.Inquiry{Address: serveForm(t, remote.DialectUnary, new(script))}).Adapter(t.Context()); err == nil {
		t.Error("a handler passes for an adapter")
	}
}
