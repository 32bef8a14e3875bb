package wasm

import (
	"testing"

	"github.com/exgate/exgate/hostabi"
	"github.com/exgate/exgate/runtime/gateway"
)

// shownCalls counts the sends of a trial instance, and answers them with code.
type shownCalls struct {
	hostabi.Host
	sent int
	code hostabi.Code
}

func (h *shownCalls) Send(int64, []byte) hostabi.Code { h.sent++; return h.code }
func (h *shownCalls) Resume(int64) hostabi.Code       { return h.code }
func (h *shownCalls) Log(int32, []byte)               {}

func trialInstance(t *testing.T, module string, host hostabi.Host) *TrialInstance {
	t.Helper()
	s, err := engine(t, Config{Module: file(t, module), Isolation: IsolationConnection}).TrialInstance(host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestTrialInstancePassesItsCallsAndReportsFuel(t *testing.T) {
	host := &shownCalls{}
	s := trialInstance(t, "echo", host)
	const conn = 1 << 40
	for _, kind := range []hostabi.Kind{hostabi.KindCreated, 99, 1<<32 - 1} {
		if action, err := s.Event(kind, conn, -1, []byte("body")); err != nil || action != hostabi.ActionContinue {
			t.Errorf("kind %d: action %d, %v", kind, action, err)
		}
	}
	if _, err := s.Bytes(conn, []byte("hello")); err != nil || host.sent != 1 {
		t.Errorf("%d sends, %v", host.sent, err)
	}
	if used, allowed := s.Fuel(); used == 0 || allowed != 2_000_000+5*100 || s.Memory() == 0 {
		t.Errorf("fuel %d of %d, memory %d", used, allowed, s.Memory())
	}
	if _, err := s.Event(hostabi.KindMessages, conn, 0, make([]byte, 1<<20)); err != nil {
		t.Errorf("a body that the guest has no buffer for: %v", err)
	}
	if _, err := s.Event(hostabi.KindClosed, conn, 0, nil); err != nil {
		t.Error(err)
	}
	if _, err := s.Bytes(conn, []byte("late")); err != nil || host.sent != 2 {
		t.Errorf("a call for a connection that is gone is not shown: %d sends, %v", host.sent, err)
	}
}

func TestTrialInstanceHasTheLimits(t *testing.T) {
	cases := map[string]gateway.CloseReason{
		"l": gateway.ReasonGuestOutOfFuel, "t": gateway.ReasonGuestTrap, "h": gateway.ReasonGuestCalls,
		"s": gateway.ReasonGuestCalls,
		"m": gateway.ReasonGuestMemory, "p": gateway.ReasonGuestTrap,
	}
	for command, want := range cases {
		s := trialInstance(t, "hostile", &shownCalls{})
		_, _ = s.Event(hostabi.KindCreated, 1, 0, nil)
		for range 2 { // it stays dead
			if _, err := s.Bytes(1, []byte(command)); err == nil || !gateway.ReasonOf(err).Is(want) {
				t.Errorf("%s: got %v, want %v", command, err, want)
			}
		}
	}
}
