package doctor_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/cmd/exgate/internal/doctor"
	"github.com/exgate/exgate/proto/exproto"
)

// configured reads a configuration. Addresses that a test does not set are free ones.
func configured(t *testing.T, text string) *config.Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "exgate.yaml")
	if !strings.Contains(text, "upstream:") {
		text += "\nupstream: {embedded: {bind: 127.0.0.1:0}}"
	}
	if !strings.Contains(text, "adapter:") {
		text += "\nadapter: {bind: 127.0.0.1:0}"
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(config.Sources{File: file})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return cfg
}

// handled returns a configuration with one listener and its handler.
func handled(t *testing.T, handler string, args ...any) *config.Config {
	t.Helper()
	return configured(t, fmt.Sprintf("listeners: {a: {bind: 127.0.0.1:0, handler: {"+handler+"}}}", args...))
}

// expect looks for a finding, and for its text in the printed output.
func expect(t *testing.T, cfg *config.Config, state doctor.State, setting, text string) {
	t.Helper()
	findings := doctor.Examine(t.Context(), cfg)
	var printed bytes.Buffer
	if err := doctor.PrintText(&printed, findings); err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		if f.State == state && f.Setting == setting && strings.Contains(f.Text, text) {
			if doctor.Sick(findings) != (state == doctor.Problem) {
				t.Errorf("more is wrong:\n%s", &printed)
			}
			return
		}
	}
	t.Errorf("nothing says: %s %s: %s\n%s", state, setting, text, &printed)
}

// listen opens a loopback port and serves each connection with serve.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serve(c)
			_ = c.Close()
		}
	}()
	return l.Addr().String()
}

// serveGRPC serves what register adds.
func serveGRPC(t *testing.T, register func(*grpc.Server), options ...grpc.ServerOption) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(options...)
	register(server)
	go server.Serve(l)
	t.Cleanup(server.Stop)
	return l.Addr().String()
}

func unaryHandler(s *grpc.Server) {
	exproto.RegisterConnectionUnaryHandlerServer(s, exproto.UnimplementedConnectionUnaryHandlerServer{})
}

func streamHandler(s *grpc.Server) {
	exproto.RegisterConnectionHandlerServer(s, exproto.UnimplementedConnectionHandlerServer{})
}
