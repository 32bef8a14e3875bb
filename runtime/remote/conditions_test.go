package remote_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote"
)

// broker is a Connector that accepts every client but "stranger" and every topic but "forbidden".
type broker struct{}

func (broker) Connect(_ context.Context, c gateway.Device, _ string, _ gateway.Downlink) (gateway.Session, error) {
	if c.ClientID == "stranger" {
		return nil, &gateway.ResultError{Result: gateway.Refuse(gateway.CodePermissionDeny, "bad credentials")}
	}
	return session{}, nil
}

func (broker) Close(context.Context) error { return nil }

type session struct{}

func (session) Publish(topic string, _ byte, _ []byte, _ *gateway.Properties, done gateway.Done) {
	answerFor(topic, done)
}

func (session) Subscribe(filter string, _ byte, done gateway.Done) { answerFor(filter, done) }

func (session) Unsubscribe(filter string, done gateway.Done) { answerFor(filter, done) }
func (session) Close()                                       {}

func answerFor(topic string, done gateway.Done) {
	if topic == "forbidden" {
		done(gateway.Refuse(gateway.CodePermissionDeny, "not authorized"))
		return
	}
	done(gateway.OK)
}

// ask makes a call for a conn.
type ask func(context.Context, exproto.ConnectionAdapterClient, string) (*exproto.CodeResponse, error)

// exchange is one line of a conversation: a call of the handler and the code it gets.
type exchange struct {
	ask  ask
	want string
}

func publish(topic string, qos uint32) ask {
	return func(ctx context.Context, a exproto.ConnectionAdapterClient, conn string) (*exproto.CodeResponse, error) {
		return a.Publish(ctx, &exproto.PublishRequest{Conn: conn, Topic: topic, Qos: qos})
	}
}

func subscribe(topic string, qos uint32) ask {
	return func(ctx context.Context, a exproto.ConnectionAdapterClient, conn string) (*exproto.CodeResponse, error) {
		return a.Subscribe(ctx, &exproto.SubscribeRequest{Conn: conn, Topic: topic, Qos: qos})
	}
}

func unsubscribe(topic string) ask {
	return func(ctx context.Context, a exproto.ConnectionAdapterClient, conn string) (*exproto.CodeResponse, error) {
		return a.Unsubscribe(ctx, &exproto.UnsubscribeRequest{Conn: conn, Topic: topic})
	}
}

func authenticate(clientID string) ask {
	return func(ctx context.Context, a exproto.ConnectionAdapterClient, conn string) (*exproto.CodeResponse, error) {
		return a.Authenticate(ctx,
			&exproto.AuthenticateRequest{
				Conn: conn, Clientinfo: &exproto.ClientInfo{Clientid: clientID}, Password: "secret",
			})
	}
}

func startTimer(interval uint32) ask {
	return func(ctx context.Context, a exproto.ConnectionAdapterClient, conn string) (*exproto.CodeResponse, error) {
		return a.StartTimer(ctx, &exproto.TimerRequest{Conn: conn, Interval: interval})
	}
}

// The results that handlers written for EMQX meet, all inside one callback of a device's real connection.
var conversation = []exchange{
	{publish("t", 0), "PERMISSION_DENY"},
	{subscribe("t", 0), "PERMISSION_DENY"},
	{unsubscribe("t"), "PERMISSION_DENY"},
	{authenticate("stranger"), "PERMISSION_DENY"},
	{authenticate("dev1"), "SUCCESS"},
	{authenticate("dev1"), "PERMISSION_DENY"},
	{startTimer(0), "PARAMS_TYPE_ERROR"},
	{startTimer(60), "SUCCESS"},
	{publish("", 0), "REQUIRED_PARAMS_MISSED"},
	{publish("t", 3), "PARAMS_TYPE_ERROR"},
	{publish("t/#", 0), "PARAMS_TYPE_ERROR"},
	{publish("forbidden", 1), "PERMISSION_DENY"},
	{publish("t", 2), "SUCCESS"},
	{subscribe("", 0), "REQUIRED_PARAMS_MISSED"},
	{subscribe("t", 256), "PARAMS_TYPE_ERROR"},
	{subscribe("a#", 0), "PARAMS_TYPE_ERROR"},
	{subscribe("forbidden", 0), "PERMISSION_DENY"},
	{subscribe("$share/g/t/+", 2), "SUCCESS"},
	{unsubscribe(""), "REQUIRED_PARAMS_MISSED"},
	{unsubscribe("never/subscribed"), "SUCCESS"},
}

func TestConditionsOfARealConnection(t *testing.T) {
	adapter, adapterAddress := serveAdapter(t, remote.AdapterConfig{})
	a := exproto.NewConnectionAdapterClient(dialAdapter(t, adapterAddress))
	s := &script{}
	closed := make(chan string, 1)
	s.on = func(ctx context.Context, e any) error {
		switch e := e.(type) {
		case *exproto.ReceivedBytesRequest:
			converse(ctx, t, a, e.GetConn())
		case *exproto.SocketClosedRequest:
			closed <- e.GetReason()
		}
		return nil
	}
	address, _ := serveHandler(t, "", s)
	conn := connectDevice(t, remote.ClientConfig{Name: "demo", Addresses: []string{address}}, adapter)
	expectConversation(t, conn, closed)
}

// expectConversation makes the device begin the conversation, and waits for its end.
func expectConversation(t *testing.T, conn net.Conn, closed <-chan string) {
	t.Helper()
	_, err := conn.Write([]byte("go"))
	must(t, err)
	said, err := io.ReadAll(conn)
	must(t, err)
	expect(t, "what the device read until its end", string(said), "bye")
	expect(t, "reason", <-closed, "normal")
}

// converse makes all calls and says goodbye.
func converse(ctx context.Context, t *testing.T, a exproto.ConnectionAdapterClient, conn string) {
	for i, c := range conversation {
		r, err := c.ask(ctx, a, conn)
		expect(t, fmt.Sprint("call ", i, " ", r.GetMessage(), " ", err), r.GetCode().String(), c.want)
		if strings.Contains(r.GetMessage(), "secret") {
			t.Errorf("call %d tells the password: %s", i, r.GetMessage())
		}
	}
	for _, want := range []string{"SUCCESS", "CONN_PROCESS_NOT_ALIVE"} {
		sent, err := a.Send(ctx, &exproto.SendBytesRequest{Conn: conn, Bytes: []byte("bye")})
		expect(t, fmt.Sprint("Send ", err), sent.GetCode().String(), want)
		left, err := a.Close(ctx, &exproto.CloseSocketRequest{Conn: conn})
		expect(t, fmt.Sprint("Close ", err), left.GetCode().String(), want)
	}
}

// connectDevice runs a gateway with one TCP listener and connects a device to it.
func connectDevice(t *testing.T, cfg remote.ClientConfig, adapter *remote.Adapter) net.Conn {
	t.Helper()
	return connectDeviceTo(t, "gw1", cfg, adapter)
}

func connectDeviceTo(t *testing.T, node string, cfg remote.ClientConfig, adapter *remote.Adapter) net.Conn {
	t.Helper()
	return serveDevicesOf(t, node, cfg, adapter).connect(t)
}
