package remote_test

import (
	"context"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote"
)

// tenants is an adapter behind several handlers, each with a device.
type tenants struct {
	adapter *remote.Adapter
	call    exproto.ConnectionAdapterClient
	log     journal
	metrics *prometheus.Registry
}

func newTenants(t *testing.T) *tenants {
	w := &tenants{metrics: prometheus.NewRegistry()}
	a, address := serveAdapter(t, remote.AdapterConfig{
		Logger: w.log.logger(), Metrics: remote.NewMetrics(w.metrics).Adapter, RawPublisher: newDevice("raw"),
	})
	w.adapter, w.call = a, exproto.NewConnectionAdapterClient(dialAdapter(t, address))
	return w
}

// add opens a device of a handler with a token.
func (w *tenants) add(t *testing.T, token, id string) (*device, *remote.Client) {
	t.Helper()
	address, _ := serveHandler(t, "", &script{})
	c, err := remote.NewClient(remote.ClientConfig{Name: "of-" + id, Addresses: []string{address}, AdapterToken: token},
		w.adapter)
	must(t, err)
	d := newDevice(id)
	must(t, newHandler(t, c, d).OnSocketCreated(gateway.ConnInfo{}))
	return d, c
}

func bearing(ctx context.Context, authorization string) context.Context {
	if authorization == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", authorization)
}

// outcome returns the common result of all calls for a conn, with the given authorization.
func (w *tenants) outcome(t *testing.T, authorization, conn string) string {
	t.Helper()
	outcomes := make(map[string]bool)
	var last string
	for _, c := range connCalls {
		r, err := c.make(bearing(t.Context(), authorization), w.call, conn)
		last = r.GetCode().String()
		if err != nil {
			last = status.Code(err).String()
		}
		outcomes[last] = true
	}
	if len(outcomes) != 1 {
		t.Errorf("conn %s with %q: %v", conn, authorization, outcomes)
	}
	return last
}

func TestTokensAreScopes(t *testing.T) {
	w := newTenants(t)
	devices := make(map[string]*device)
	for id, token := range map[string]string{"a1": "alpha", "a2": "alpha", "b1": "beta", "open": ""} {
		d, c := w.add(t, token, id)
		defer func() { must(t, c.Close(context.Background())) }()
		devices[id] = d
	}
	const foreign, unknown = "CONN_PROCESS_NOT_ALIVE", "Unauthenticated"
	for _, test := range []struct{ authorization, a1, a2, b1, open string }{
		{"Bearer alpha", "SUCCESS", "SUCCESS", foreign, foreign},
		{"bearer beta", foreign, foreign, "SUCCESS", foreign},
		{"", foreign, foreign, foreign, "SUCCESS"},
		{"Bearer gamma", unknown, unknown, unknown, unknown},
		{"Bearer ", unknown, unknown, unknown, unknown},
		{"Basic alpha", unknown, unknown, unknown, unknown},
		{"alpha", unknown, unknown, unknown, unknown},
		{"Bearer " + strings.Repeat("x", 5000), unknown, unknown, unknown, unknown},
	} {
		for id, want := range map[string]string{"a1": test.a1, "a2": test.a2, "b1": test.b1, "open": test.open} {
			devices[id].clear()
			expect(t, id+" with "+shortened(test.authorization), w.outcome(t, test.authorization, id), want)
			if reached := devices[id].String() != ""; reached != (want == "SUCCESS") {
				t.Errorf("%s with %s: calls reached the device: %v", id, shortened(test.authorization), reached)
			}
		}
	}
}

func shortened(s string) string { return s[:min(len(s), 20)] }

func TestForeignConnectionsLookLikeNone(t *testing.T) {
	w := newTenants(t)
	_, a := w.add(t, "alpha", "a1")
	_, b := w.add(t, "", "b1")
	defer func() { must(t, a.Close(context.Background())); must(t, b.Close(context.Background())) }()
	said := func(conn string) string {
		r, err := w.call.Send(t.Context(), &exproto.SendBytesRequest{Conn: conn})
		must(t, err)
		return r.String()
	}
	expect(t, "a foreign connection", said("a1"), said("none"))
}

// If every handler has a token, a caller without one has forgotten it.
func TestMissingTokenIsSaid(t *testing.T) {
	w := newTenants(t)
	_, a := w.add(t, "alpha", "a1")
	expect(t, "without a token", w.outcome(t, "", "a1"), "Unauthenticated")
	_, err := rawPublish.make(t.Context(), w.call, "")
	expect(t, "RawPublish without a token", status.Code(err).String(), codes.Unauthenticated.String())
	_, err = rawPublish.make(bearing(t.Context(), "Bearer alpha"), w.call, "")
	must(t, err)
	must(t, a.Close(context.Background()))
	expect(t, "a token whose handler has gone", w.outcome(t, "Bearer alpha", "none"), "CONN_PROCESS_NOT_ALIVE")
}

// Handlers for EMQX may send any header, which nothing has read so far.
func TestWithoutTokensTheHeaderIsNotLookedAt(t *testing.T) {
	w := newTenants(t)
	_, c := w.add(t, "", "c1")
	defer func() { must(t, c.Close(context.Background())) }()
	expect(t, "with somebody's header", w.outcome(t, "Basic aGVsbG8=", "c1"), "SUCCESS")
}

// A handler that is replaced keeps its token for the remaining connections.
func TestTokenOfAReplacedHandler(t *testing.T) {
	w := newTenants(t)
	_, older := w.add(t, "alpha", "a1")
	_, newer := w.add(t, "alpha", "a2")
	must(t, older.Close(context.Background()))
	expect(t, "the newer's connection", w.outcome(t, "Bearer alpha", "a2"), "SUCCESS")
	must(t, newer.Close(context.Background()))
}

func TestRefusedCallersAreCountedAndLoggedOnceAndTokensNever(t *testing.T) {
	w := newTenants(t)
	_, a := w.add(t, "alpha", "a1")
	_, b := w.add(t, "beta", "b1")
	defer func() { must(t, a.Close(context.Background())); must(t, b.Close(context.Background())) }()
	for range 3 {
		w.outcome(t, "Bearer gamma", "a1")
		w.outcome(t, "Bearer beta", "a1")
	}
	w.outcome(t, "Bearer beta", "b1")
	if s := w.log.String(); strings.Count(s, "level=WARN") != 2 || strings.Contains(s, "gamma") ||
		strings.Contains(s, "beta") {
		t.Errorf("log:\n%s", s)
	}
	must(t, testutil.GatherAndCompare(w.metrics, strings.NewReader(`
# HELP exgate_adapter_refused_total Refused calls to ConnectionAdapter, by reason.
# TYPE exgate_adapter_refused_total counter
exgate_adapter_refused_total{reason="foreign_conn"} 21
exgate_adapter_refused_total{reason="token"} 21
# HELP exgate_adapter_calls_total Calls to ConnectionAdapter, by handler (empty if unknown), method and result.
# TYPE exgate_adapter_calls_total counter
`+callCounts("", "CONN_PROCESS_NOT_ALIVE", 3)+callCounts("of-b1", "SUCCESS", 1)), "exgate_adapter_refused_total",
		"exgate_adapter_calls_total"))
}

// callCounts is the metric after n calls of each method.
func callCounts(handler, result string, n int) string {
	var lines strings.Builder
	for _, c := range connCalls {
		lines.WriteString("exgate_adapter_calls_total{handler=\"" + handler + "\",method=\"" + c.name + "\",result=\"" +
			result + "\"} " +
			string(rune('0'+n)) + "\n")
	}
	return lines.String()
}
