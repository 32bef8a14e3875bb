package shadow_test

import (
	"context"
	"testing"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/tap"
	"github.com/exgate/exgate/runtime/tap/capture"
	"github.com/exgate/exgate/runtime/tap/shadow"
	"github.com/exgate/exgate/runtime/tap/taptest"
)

// echoing is a handler that costs nothing.
type echoing struct {
	gateway.ConnectionHandler
	conn gateway.ConnectionAdapter
}

func (echoing) NewHandler(conn gateway.ConnectionAdapter) (gateway.ConnectionHandler, error) {
	return &echoing{conn: conn}, nil
}
func (echoing) Close(context.Context) error               { return nil }
func (*echoing) OnSocketClosed(gateway.CloseReason) error { return nil }
func (h *echoing) OnReceivedBytes(b []byte) error         { h.conn.Send(b); return nil }

// OnSocketCreated logs the device in.
func (h *echoing) OnSocketCreated(gateway.ConnInfo) error {
	h.conn.Authenticate(gateway.ClientInfo{ClientID: "x"}, "s3cret", func(gateway.Result) {})
	return nil
}

// sponge is a connection that costs nothing, and accepts any login.
type sponge struct{ gateway.ConnectionAdapter }

func (sponge) ID() string                 { return "x@n" }
func (sponge) Send([]byte) gateway.Result { return gateway.OK }
func (sponge) Authenticate(_ gateway.ClientInfo, _ string, done gateway.Done) gateway.Result {
	done(gateway.OK)
	return gateway.OK
}

// BenchmarkEvent compares an echoed event of 64 bytes without taps, with taps that skip it, and with each kind of tap.
func BenchmarkEvent(b *testing.B) {
	point := func(sample float64) tap.Tapper {
		p, err := capture.New(capture.Config{
			Listener: "b",
			Folder:   &capture.Folder{Path: b.TempDir(), Sample: sample, MaxBytes: 1 << 30, MaxFiles: 1},
			Logger:   taptest.Quiet,
		})
		taptest.Must(b, err)
		return p
	}
	beside, err := shadow.New(shadow.Config{Name: "b", Factory: echoing{}, Logger: taptest.Quiet})
	taptest.Must(b, err)
	beside.SetBounds(1<<30, 1<<30)
	for _, c := range []struct {
		name    string
		factory gateway.HandlerFactory
	}{
		{"plain", echoing{}},
		{"not sampled", tap.Around(echoing{}, point(1e-12))},
		{"captured", tap.Around(echoing{}, point(100))},
		{"shadowed", tap.Around(echoing{}, beside)},
	} {
		b.Run(c.name, func(b *testing.B) {
			h, err := c.factory.NewHandler(sponge{})
			taptest.Must(b, err)
			taptest.Must(b, h.OnSocketCreated(gateway.ConnInfo{}))
			event := make([]byte, 64)
			b.ReportAllocs()
			for b.Loop() {
				if err := h.OnReceivedBytes(event); err != nil {
					b.Fatal(err)
				}
			}
			taptest.Must(b, h.OnSocketClosed(gateway.ReasonNormal))
		})
		taptest.Must(b, c.factory.Close(context.Background()))
	}
}
