package remote_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote"
)

// quirk is a handler as found in the field.
type quirk struct {
	script
	adapter exproto.ConnectionAdapterClient
}

// inEachDialect runs a test with a handler in each of EMQX's dialects.
func inEachDialect(t *testing.T, test func(*testing.T, *quirk, *remote.Adapter, remote.ClientConfig)) {
	for _, dialect := range emqxDialects {
		t.Run(string(dialect), func(t *testing.T) {
			adapter, adapterAddress := serveAdapter(t, remote.AdapterConfig{})
			q := &quirk{adapter: exproto.NewConnectionAdapterClient(dialAdapter(t, adapterAddress))}
			address := serveForm(t, dialect, q)
			test(t, q, adapter, remote.ClientConfig{Name: "demo", Addresses: []string{address}, Dialect: dialect})
		})
	}
}

// playIn makes the quirk's calls in the first event of type Event, then closes the connection, and returns what the
// device read until then.
func playIn[Event interface{ GetConn() string }](
	t *testing.T, q *quirk, cfg remote.ClientConfig, adapter *remote.Adapter, calls ...exchange,
) string {
	t.Helper()
	closed := make(chan struct{})
	q.on = func(ctx context.Context, e any) error {
		switch e := e.(type) {
		case Event:
			for i, call := range append(calls, exchange{closeConn, "SUCCESS"}) {
				r, err := call.ask(ctx, q.adapter, e.GetConn())
				expect(t, fmt.Sprint("call ", i, " ", r.GetMessage(), " ", err), r.GetCode().String(), call.want)
			}
		case *exproto.SocketClosedRequest:
			close(closed)
		}
		return nil
	}
	device := connectDevice(t, cfg, adapter)
	if _, waits := any(*new(Event)).(*exproto.ReceivedBytesRequest); waits {
		_, err := device.Write([]byte("x"))
		must(t, err)
	}
	said, err := io.ReadAll(device)
	must(t, err)
	<-closed
	return string(said)
}

func closeConn(ctx context.Context, a exproto.ConnectionAdapterClient, conn string) (*exproto.CodeResponse, error) {
	return a.Close(ctx, &exproto.CloseSocketRequest{Conn: conn})
}

func sendBytes(b []byte) ask {
	return func(ctx context.Context, a exproto.ConnectionAdapterClient, conn string) (*exproto.CodeResponse, error) {
		return a.Send(ctx, &exproto.SendBytesRequest{Conn: conn, Bytes: b})
	}
}

// EMQX's demos in Go and Python only look at messages[0].
func TestHandlerThatLooksAtTheFirstMessage(t *testing.T) {
	inEachDialect(t, func(t *testing.T, q *quirk, adapter *remote.Adapter, cfg remote.ClientConfig) {
		q.on = func(ctx context.Context, e any) error {
			if e, ok := e.(*exproto.ReceivedMessagesRequest); ok {
				_, err := sendBytes(e.GetMessages()[0].GetPayload())(ctx, q.adapter, e.GetConn())
				return err
			}
			return nil
		}
		cfg.MaxBatch = 1
		d := newDevice("c1")
		h := newHandler(t, newClient(t, cfg, adapter), d)
		must(t, h.OnSocketCreated(gateway.ConnInfo{}))
		must(t,
			h.OnReceivedMessages([]gateway.Message{
				message("1", "t", "one"), message("2", "t", "two"), message("3", "t", "three"),
			}))
		expect(t, "what the device got", fmt.Sprintf("%s %s %s", <-d.sent, <-d.sent, <-d.sent), "one two three")
	})
}

// EMQX's demos in Python and Java give only a client id and a user name.
func TestHandlerThatNamesNoProtocol(t *testing.T) {
	inEachDialect(t, func(t *testing.T, q *quirk, adapter *remote.Adapter, cfg remote.ClientConfig) {
		playIn[*exproto.ReceivedBytesRequest](t, q, cfg, adapter, exchange{authenticate("dev1"), "SUCCESS"},
			exchange{subscribe("t", 1), "SUCCESS"})
	})
}

// EMQX's own ids are base64; any id comes back unchanged.
func TestConnIDsOfAnyText(t *testing.T) {
	inEachDialect(t, func(t *testing.T, q *quirk, adapter *remote.Adapter, cfg remote.ClientConfig) {
		q.on = func(ctx context.Context, e any) error {
			conn := e.(interface{ GetConn() string }).GetConn()
			_, err := sendBytes([]byte(conn))(ctx, q.adapter, conn)
			return err
		}
		const id = "g2gDYQ/+AAx==@gw-1"
		d := newDevice(id)
		h := newHandler(t, newClient(t, cfg, adapter), d)
		must(t, h.OnSocketCreated(gateway.ConnInfo{}))
		must(t, h.OnReceivedBytes([]byte("x")))
		expect(t, "what the device got", fmt.Sprintf("%s %s", <-d.sent, <-d.sent), id+" "+id)
	})
}

// Handlers log in, subscribe and answer before they return from OnSocketCreated.
func TestCallsInsideOnSocketCreated(t *testing.T) {
	inEachDialect(t, func(t *testing.T, q *quirk, adapter *remote.Adapter, cfg remote.ClientConfig) {
		said := playIn[*exproto.SocketCreatedRequest](t, q, cfg, adapter,
			exchange{authenticate("dev1"), "SUCCESS"}, exchange{subscribe("t", 1), "SUCCESS"},
			exchange{startTimer(60), "SUCCESS"},
			exchange{publish("t", 1), "SUCCESS"}, exchange{sendBytes([]byte("welcome")), "SUCCESS"})
		expect(t, "what the device read", said, "welcome")
	})
}

// EMQX's demo in Go closes the connection in OnSocketClosed.
func TestHandlerThatClosesWhatIsClosed(t *testing.T) {
	inEachDialect(t, func(t *testing.T, q *quirk, adapter *remote.Adapter, cfg remote.ClientConfig) {
		answered := make(chan string, 1)
		q.on = func(ctx context.Context, e any) error {
			if e, ok := e.(*exproto.SocketClosedRequest); ok {
				r, err := closeConn(ctx, q.adapter, e.GetConn())
				answered <- fmt.Sprint(r.GetCode(), " ", err)
			}
			return nil
		}
		must(t, connectDevice(t, cfg, adapter).Close())
		expect(t, "the answer", <-answered, "CONN_PROCESS_NOT_ALIVE <nil>")
	})
}

// A client id that is too long for MQTT is refused, and the connection stays.
func TestClientIDsThatAreTooLong(t *testing.T) {
	inEachDialect(t, func(t *testing.T, q *quirk, adapter *remote.Adapter, cfg remote.ClientConfig) {
		playIn[*exproto.ReceivedBytesRequest](t, q, cfg, adapter,
			exchange{authenticate(strings.Repeat("c", 65536)), "PARAMS_TYPE_ERROR"},
			exchange{authenticate(strings.Repeat("c", 65535)), "SUCCESS"})
	})
}

func TestSendsOfEightMiBReachTheDevice(t *testing.T) {
	inEachDialect(t, func(t *testing.T, q *quirk, adapter *remote.Adapter, cfg remote.ClientConfig) {
		firmware := bytes.Repeat([]byte("exgate!\n"), 1<<20)
		said := playIn[*exproto.ReceivedBytesRequest](t, q, cfg, adapter, exchange{sendBytes(firmware), "SUCCESS"})
		if said != string(firmware) {
			t.Errorf("%d bytes came and are not those sent", len(said))
		}
	})
}

// qos is an uint32 on the wire.
func TestQoSOutOfRange(t *testing.T) {
	inEachDialect(t, func(t *testing.T, q *quirk, adapter *remote.Adapter, cfg remote.ClientConfig) {
		playIn[*exproto.ReceivedBytesRequest](t, q, cfg, adapter,
			exchange{authenticate("dev1"), "SUCCESS"},
			exchange{publish("t", math.MaxUint32), "PARAMS_TYPE_ERROR"},
			exchange{subscribe("t", math.MaxUint32), "PARAMS_TYPE_ERROR"},
			exchange{publish("t", 2), "SUCCESS"}, exchange{subscribe("t", 2), "SUCCESS"})
	})
}
