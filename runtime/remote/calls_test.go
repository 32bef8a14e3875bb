package remote_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote"
)

// adapterCall makes one call of the adapter for a conn.
type adapterCall struct {
	name string
	make ask
	want string // what the device sees
}

type adapterClient = exproto.ConnectionAdapterClient

var connCalls = []adapterCall{
	{"Send", func(ctx context.Context, a adapterClient, conn string) (*exproto.CodeResponse, error) {
		return a.Send(ctx, &exproto.SendBytesRequest{Conn: conn, Bytes: []byte("hello")})
	}, "Send 5"},
	{"Close", func(ctx context.Context, a adapterClient, conn string) (*exproto.CodeResponse, error) {
		return a.Close(ctx, &exproto.CloseSocketRequest{Conn: conn})
	}, "Close normal"},
	{"StartTimer", func(ctx context.Context, a adapterClient, conn string) (*exproto.CodeResponse, error) {
		return a.StartTimer(ctx, &exproto.TimerRequest{Conn: conn, Interval: 30})
	}, "StartTimer 0 30"},
	{"Authenticate", func(ctx context.Context, a adapterClient, conn string) (*exproto.CodeResponse, error) {
		return a.Authenticate(ctx, &exproto.AuthenticateRequest{
			Conn: conn, Password: "secret",
			Clientinfo: &exproto.ClientInfo{
				ProtoName: "p", ProtoVer: "v1", Clientid: "id", Username: "u", Mountpoint: "m/",
			},
		})
	}, "Authenticate {ProtoName:p ProtoVersion:v1 ClientID:id Username:u Mountpoint:m/} secret"},
	{"Publish", func(ctx context.Context, a adapterClient, conn string) (*exproto.CodeResponse, error) {
		return a.Publish(ctx, &exproto.PublishRequest{Conn: conn, Topic: "t", Qos: 2, Payload: []byte("p")})
	}, "Publish t 2 p"},
	{"Subscribe", func(ctx context.Context, a adapterClient, conn string) (*exproto.CodeResponse, error) {
		return a.Subscribe(ctx, &exproto.SubscribeRequest{Conn: conn, Topic: "t/#", Qos: 1})
	}, "Subscribe t/# 1"},
	{"Unsubscribe", func(ctx context.Context, a adapterClient, conn string) (*exproto.CodeResponse, error) {
		return a.Unsubscribe(ctx, &exproto.UnsubscribeRequest{Conn: conn, Topic: "t/#"})
	}, "Unsubscribe t/#"},
}

var rawPublish = adapterCall{
	"RawPublish",
	func(ctx context.Context, a adapterClient, _ string) (*exproto.CodeResponse, error) {
		return a.RawPublish(ctx, &exproto.RawPublishRequest{Topic: "t", Qos: 1, Payload: []byte("p")})
	}, "RawPublish t 1 p",
}

var resultTable = []struct {
	result gateway.Result
	want   string
}{
	{gateway.OK, "SUCCESS "},
	{gateway.Refuse(gateway.CodeUnknown, "broker is away"), "UNKNOWN broker is away"},
	{gateway.Refuse(gateway.CodeConnProcessNotAlive, "connection closed"), "CONN_PROCESS_NOT_ALIVE connection closed"},
	{gateway.Refuse(gateway.CodeRequiredParamsMiss, "topic is required"), "REQUIRED_PARAMS_MISSED topic is required"},
	{gateway.Refuse(gateway.CodeParamsTypeError,
		"qos must be 0, 1 or 2, not 3"), "PARAMS_TYPE_ERROR qos must be 0, 1 or 2, not 3"},
	{gateway.Refuse(gateway.CodePermissionDeny, "not authorized"), "PERMISSION_DENY not authorized"},
	{gateway.Refuse(gateway.CodeLimit, "1024 calls are under way"), "UNKNOWN 1024 calls are under way"},
	{gateway.Result{Code: gateway.CodeUnsupported}, "UNKNOWN UNSUPPORTED"},
}

func (c adapterCall) expect(t *testing.T, a adapterClient, conn, want string) {
	t.Helper()
	r, err := c.make(t.Context(), a, conn)
	if err != nil {
		t.Errorf("%s failed as an RPC: %v", c.name, err)
		return
	}
	expect(t, c.name, fmt.Sprintf("%s %s", r.GetCode(), r.GetMessage()), want)
}

func TestEveryCallReachesTheConnection(t *testing.T) {
	d := newDevice("c1")
	_, a := opened(t, d, remote.AdapterConfig{RawPublisher: d})
	var want []string
	for _, c := range append(connCalls, rawPublish) {
		c.expect(t, a, "c1", "SUCCESS ")
		want = append(want, c.want)
	}
	expect(t, "calls", d.String(), strings.Join(want, "\n"))
}

func TestEveryResultOfEveryCall(t *testing.T) {
	for _, row := range resultTable {
		refused, settled := newDevice("refused"), newDevice("settled")
		refused.result, settled.settled = row.result, row.result
		_, a := opened(t, refused, remote.AdapterConfig{RawPublisher: refused})
		for _, c := range append(connCalls, rawPublish) {
			c.expect(t, a, "refused", row.want)
		}
		_, a = opened(t, settled, remote.AdapterConfig{RawPublisher: settled})
		for _, c := range append(connCalls[3:], rawPublish) { // the calls that wait for the broker
			c.expect(t, a, "settled", row.want)
		}
	}
}

func TestCallsToNoConnection(t *testing.T) {
	d := newDevice("c1")
	h, a := opened(t, d, remote.AdapterConfig{})
	for _, c := range connCalls {
		c.expect(t, a, "", "REQUIRED_PARAMS_MISSED conn is required")
		c.expect(t, a, "elsewhere", "CONN_PROCESS_NOT_ALIVE no connection of this handler has this conn")
	}
	must(t, h.OnSocketClosed(gateway.ReasonNormal))
	for _, c := range connCalls {
		c.expect(t, a, "c1", "CONN_PROCESS_NOT_ALIVE no connection of this handler has this conn")
	}
	expect(t, "calls that reached the device", d.String(), "")
}

func TestTimerTypesThatDoNotExist(t *testing.T) {
	d := newDevice("c1")
	_, a := opened(t, d, remote.AdapterConfig{})
	for _, timer := range []exproto.TimerType{1, 256, -1} {
		r, err := a.StartTimer(t.Context(), &exproto.TimerRequest{Conn: "c1", Type: timer, Interval: 1})
		must(t, err)
		expect(t, "code", r.GetCode().String(), "PARAMS_TYPE_ERROR")
	}
	expect(t, "calls that reached the device", d.String(), "")
}

func TestAuthenticateWithoutClientInfo(t *testing.T) {
	d := newDevice("c1")
	_, a := opened(t, d, remote.AdapterConfig{})
	_, err := a.Authenticate(t.Context(), &exproto.AuthenticateRequest{Conn: "c1"})
	must(t, err)
	expect(t, "call", d.String(), "Authenticate {ProtoName: ProtoVersion: ClientID: Username: Mountpoint:} ")
}

func TestRawPublishIsOffUnlessConfigured(t *testing.T) {
	_, a := opened(t, newDevice("c1"), remote.AdapterConfig{})
	rawPublish.expect(t, a, "",
		"PERMISSION_DENY RawPublish is off: the gateway's setting adapter.raw_publish allows it")
}

// The protocol of most handlers: it answers a device from inside the callback that brought the device's bytes.
func TestCallsInsideACallback(t *testing.T) {
	d := newDevice("c1")
	s := &script{}
	adapter, adapterAddress := serveAdapter(t, remote.AdapterConfig{RawPublisher: d})
	a := exproto.NewConnectionAdapterClient(dialAdapter(t, adapterAddress))
	s.on = func(ctx context.Context, _ any) error {
		for _, c := range append(connCalls, rawPublish) {
			r, err := c.make(ctx, a, "c1")
			if err != nil || r.GetCode() != exproto.ResultCode_SUCCESS {
				return status.Errorf(codes.Aborted, "%s: %v %v", c.name, r, err)
			}
		}
		return nil
	}
	address, _ := serveHandler(t, "", s)
	h := newHandler(t, newClient(t, remote.ClientConfig{Addresses: []string{address}}, adapter), d)
	must(t, h.OnSocketCreated(gateway.ConnInfo{}))
	must(t, h.OnReceivedBytes([]byte("x")))
	must(t, h.OnTimerTimeout(gateway.TimerKeepalive))
	must(t, h.OnReceivedMessages([]gateway.Message{message("1", "t", "p")}))
	must(t, h.OnSocketClosed(gateway.ReasonNormal))
	if n := strings.Count(d.String(), "\n") + 1; n != 5*8 {
		t.Errorf("%d calls in 5 callbacks of 8", n)
	}
}

func TestCallerThatGivesUp(t *testing.T) {
	d := newDevice("c1")
	d.pending = true
	_, a := opened(t, d, remote.AdapterConfig{RawPublisher: d})
	for _, c := range append(connCalls[3:], rawPublish) {
		ctx, cancel := context.WithCancel(t.Context())
		gaveUp := make(chan error)
		go func() {
			_, err := c.make(ctx, a, "c1")
			gaveUp <- err
		}()
		done := <-d.waiting
		cancel()
		if err := <-gaveUp; status.Code(err) != codes.Canceled {
			t.Errorf("%s: got %v, want Canceled", c.name, err)
		}
		done(gateway.OK) // nothing receives, and this must not block
	}
}

func TestRefusedCallsAreCountedAndLoggedWithoutSecrets(t *testing.T) {
	var log journal
	d := newDevice("c1")
	d.result = gateway.Refuse(gateway.CodePermissionDeny, "not authorized")
	reg := prometheus.NewRegistry()
	_, a := opened(t, d, remote.AdapterConfig{Logger: log.logger(), Metrics: remote.NewMetrics(reg).Adapter})
	for _, c := range connCalls {
		c.expect(t, a, "c1", "PERMISSION_DENY not authorized")
	}
	if s := log.String(); strings.Contains(s, "secret") || strings.Count(s, "adapter call refused") != len(connCalls) {
		t.Errorf("log:\n%s", s)
	}
	if n, err := testutil.GatherAndCount(reg, "exgate_adapter_calls_total"); n != len(connCalls) || err != nil {
		t.Errorf("%d counters for %d methods (%v)", n, len(connCalls), err)
	}
}
