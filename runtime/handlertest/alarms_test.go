package handlertest_test

import (
	"context"
	"testing"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/handlertest"
)

// TestNativeAlarms plays timers with a plain Go value, the reference for the other kinds.
func TestNativeAlarms(t *testing.T) {
	handlertest.RunAlarms(t, "native", func(*testing.T) gateway.HandlerFactory { return nativeAlarms{} })
}

type nativeAlarms struct{}

func (nativeAlarms) NewHandler(conn gateway.ConnectionAdapter) (gateway.ConnectionHandler, error) {
	return &alarmDevice{conn: conn}, nil
}

func (nativeAlarms) Close(context.Context) error { return nil }

// alarmDevice is the part of the probe that has timers.
type alarmDevice struct{ conn gateway.ConnectionAdapter }

func (d *alarmDevice) OnSocketCreated(gateway.ConnInfo) error { return nil }

func (d *alarmDevice) OnReceivedBytes(b []byte) error {
	d.conn.Send(handlertest.AnswerAlarms(b, func(id uint32, ms int32) int {
		return int(d.conn.SetTimer(id, ms).Code)
	}))
	return nil
}

func (d *alarmDevice) OnAlarm(id uint32) error {
	d.conn.Send(handlertest.AnswerAlarm(id))
	return nil
}

func (d *alarmDevice) OnTimerTimeout(gateway.TimerType) error          { return nil }
func (d *alarmDevice) OnReceivedMessages([]gateway.Message) error      { return nil }
func (d *alarmDevice) OnSocketClosed(reason gateway.CloseReason) error { return nil }
