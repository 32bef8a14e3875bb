package remote_test

import (
	"errors"
	"testing"
	"time"

	handler "github.com/exgate/exgate/proto/sdk/go"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/handlertest"
	"github.com/exgate/exgate/runtime/remote"
)

// TestAlarms plays timers in the only dialect that has them.
func TestAlarms(t *testing.T) {
	handlertest.RunAlarms(t, "session", func(t *testing.T) gateway.HandlerFactory {
		adapter, _ := serveAdapter(t, remote.AdapterConfig{})
		address := serveSDK(t, handler.Config{New: func() handler.Handler { return &alarms{} }, Window: 1})
		client, err := remote.NewClient(remote.ClientConfig{
			Name: "alarms", Addresses: []string{address}, Dialect: remote.DialectSession,
		}, adapter)
		must(t, err)
		return client
	})
}

// alarms is the part of the probe that has timers.
type alarms struct{ handler.Nothing }

func (*alarms) OnReceivedBytes(c *handler.Conn, b []byte) {
	_ = c.Send(handlertest.AnswerAlarms(b, func(id uint32, ms int32) int {
		var refused *handler.Error
		if errors.As(c.SetTimer(id, time.Duration(ms)*time.Millisecond), &refused) {
			return int(refused.Code)
		}
		return 0
	}))
}

func (*alarms) OnAlarm(c *handler.Conn, id uint32) { _ = c.Send(handlertest.AnswerAlarm(id)) }
