package service_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/exgate/exgate/cmd/exgate/internal/service"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/connectors/mqtt"
	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway"
)

// observer is another client of the broker.
type observer struct {
	t        *testing.T
	session  gateway.Session
	messages chan gateway.Message
}

func (o *observer) Deliver(m gateway.Message) bool  { o.messages <- m; return true }
func (o *observer) SessionLost(gateway.CloseReason) {}

// observe subscribes to filters as me.
func observe(t *testing.T, url string, filters ...string) *observer {
	t.Helper()
	connector, err := mqtt.New(mqtt.Config{URL: url, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	o := &observer{t: t, messages: make(chan gateway.Message, 100)}
	o.session, err = connector.Connect(ctx, gateway.Device{ClientInfo: gateway.ClientInfo{
		ClientID: "observer",
		Username: "me",
	}}, "s3cret", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = connector.Close(ctx)
	})
	for _, filter := range filters {
		done := make(chan gateway.Result, 1)
		o.session.Subscribe(filter, 1, func(r gateway.Result) { done <- r })
		if r := <-done; !r.Ok() {
			t.Fatal(r)
		}
	}
	return o
}

// sees waits for a message, and reports whether it was retained.
func (o *observer) sees(topic, payload string) {
	o.t.Helper()
	select {
	case m := <-o.messages:
		if m.Topic != topic || string(m.Payload) != payload {
			o.t.Errorf("saw %s %q, want %s %q", m.Topic, m.Payload, topic, payload)
		}
	case <-time.After(patience):
		o.t.Errorf("%s %q was not seen", topic, payload)
	}
}

// account is the setting of the account me, whose password is in a file.
func account(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return "username: me, password_file: " + file
}

// running is a service at a broker elsewhere.
type running struct {
	*service.Service
	t *testing.T
}

// runAt starts a service with settings of upstream, a line for each, and of others.
func runAt(t *testing.T, upstream, others string) *running {
	t.Helper()
	text := "upstream: {" + upstream + "}\n" + others
	if !strings.Contains(others, "node: ") {
		text = "node: n1\n" + text
	}
	s, err := service.Start(t.Context(), configured(t, text), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	r := &running{s, t}
	t.Cleanup(r.stop)
	return r
}

func (r *running) stop() {
	if r.Service == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := r.Stop(ctx); err != nil {
		r.t.Error(err)
	}
	r.Service = nil
}

func (r *running) addr(name string) net.Addr {
	r.t.Helper()
	for _, s := range r.Sockets() {
		if s.Name == name {
			return s.Addr
		}
	}
	r.t.Fatalf("no socket %s", name)
	return nil
}

const oneListener = "listeners: {a: {bind: 127.0.0.1:0, handler: {wasm: builtin:line}}}\n"

func TestStatuses(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{Users: map[string]string{"me": "s3cret"}, TLS: true})
	o := observe(t, b.URL(), "+/+/status")
	r := runAt(t, fmt.Sprintf("url: %s, tls: {ca: %s}, %s, device_status: {topic: 'd/${clientid}/status', "+
		"offline: away}, "+
		"gateway_status: {topic: 'g/${node}/status', online: up}", b.TLSURL(), b.CAFile(), account(t)), oneListener)
	o.sees("g/n1/status", "up")
	term := openTerminal(t, r.addr("a"), "m7 me s3cret")
	o.sees("d/m7/status", "online")
	term.says("quit", "bye")
	o.sees("d/m7/status", "away")
	r.stop()
	o.sees("g/n1/status", "offline")
}

func TestSpoolOfAService(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{Users: map[string]string{"me": "s3cret"}})
	o := observe(t, b.URL(), "up")
	folder := filepath.Join(t.TempDir(), "new", "spool")
	r := runAt(t, fmt.Sprintf("url: %s, %s, spool: {folder: %s}", b.URL(), account(t), folder), oneListener)
	term := openTerminal(t, r.addr("a"), "m7 me s3cret")
	b.Pause(t)
	for i := range 3 {
		term.says(fmt.Sprintf("pub1 up %d", i), "ok")
	}
	b.Resume(t)
	for i := range 3 {
		o.sees("up", fmt.Sprint(i))
	}
	if files, err := os.ReadDir(folder); err != nil || len(files) == 0 {
		t.Errorf("nothing is in %s: %v", folder, err)
	}
}

func TestSpoolThatCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := configured(t, "upstream: {url: mqtt://127.0.0.1:1, spool: {folder: "+file+"/spool}}\n"+oneListener)
	_, err := service.Start(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "exgate.yaml:1: upstream.spool.folder: making "+file+"/spool: ") {
		t.Error(err)
	}
}

func TestRawPublishHasTheGatewaysAccount(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{Users: map[string]string{"me": "s3cret"}})
	o := observe(t, b.URL(), "raw")
	r := runAt(t, fmt.Sprintf("url: %s, %s", b.URL(), account(t)),
		"adapter: {bind: 127.0.0.1:0, raw_publish: true}\nlisteners: {a: {bind: 127.0.0.1:0, handler: {grpc: "+
			"127.0.0.1:1}}}\n")
	conn, err := grpc.NewClient(r.addr("adapter").String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	request := &exproto.RawPublishRequest{Topic: "raw", Qos: 1, Payload: []byte("x")}
	answer, err := exproto.NewConnectionAdapterClient(conn).RawPublish(t.Context(), request)
	if err != nil || answer.GetCode() != exproto.ResultCode_SUCCESS {
		t.Fatal(answer, err)
	}
	o.sees("raw", "x")
}

func TestWhoMayStay(t *testing.T) {
	for settings, want := range map[string]bool{
		"upstream: {url: mqtt://127.0.0.1:1}":                                       true,
		"upstream: {url: mqtt://127.0.0.1:1, device_status: {topic: a}}":            true,
		"upstream: {url: mqtt://127.0.0.1:1, gateway_status: {topic: a}}":           false,
		"upstream: {url: mqtt://127.0.0.1:1, spool: {folder: " + t.TempDir() + "}}": false,
		"upstream: {embedded: {bind: 127.0.0.1:0}}":                                 false,
	} {
		s, err := service.Start(t.Context(), configured(t, settings+"\n"+oneListener), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if got := s.DevicesMayStay(); got != want {
			t.Errorf("%s: %t", settings, got)
		}
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
