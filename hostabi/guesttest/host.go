package guesttest

import (
	"fmt"
	"strings"

	"github.com/exgate/exgate/hostabi"
)

// Host writes down what a guest calls, and accepts it unless it was told to refuse.
type Host struct {
	calls   []string
	sent    map[int64]*strings.Builder
	refused map[string]hostabi.Code
}

var _ hostabi.Host = (*Host)(nil)

func newHost() *Host {
	return &Host{sent: make(map[int64]*strings.Builder), refused: make(map[string]hostabi.Code)}
}

// Refuse makes the next calls of an import return code; 0 accepts again. Refused calls are written down too.
func (h *Host) Refuse(call string, code hostabi.Code) { h.refused[call] = code }

// Calls returns the calls since it was asked last, without send, one line each: name, connection, arguments.
func (h *Host) Calls() string {
	s := strings.Join(h.calls, "\n")
	h.calls = nil
	return s
}

// Sent returns what was sent to the device since it was asked last.
func (h *Host) Sent(conn int64) string {
	b, ok := h.sent[conn]
	if !ok {
		return ""
	}
	delete(h.sent, conn)
	return b.String()
}

func (h *Host) note(name, format string, args ...any) hostabi.Code {
	h.calls = append(h.calls, name+" "+fmt.Sprintf(format, args...))
	return h.refused[name]
}

// Send keeps b for Sent.
func (h *Host) Send(conn int64, b []byte) hostabi.Code {
	if h.sent[conn] == nil {
		h.sent[conn] = new(strings.Builder)
	}
	h.sent[conn].Write(b)
	return h.refused["send"]
}

// Close is written down as: close 1 "why".
func (h *Host) Close(conn int64, why []byte) hostabi.Code { return h.note("close", "%d %q", conn, why) }

// Authenticate is written down with every field that the guest gave.
func (h *Host) Authenticate(conn, token int64, request []byte) hostabi.Code {
	a, err := hostabi.ParseAuthenticateRequest(request)
	if err != nil {
		return h.note("authenticate", "%d token=%d %v", conn, token, err)
	}
	return h.note("authenticate", "%d token=%d proto=%q/%q clientid=%q username=%q mountpoint=%q password=%q", conn,
		token,
		a.ProtoName, a.ProtoVersion, a.ClientID, a.Username, a.Mountpoint, a.Password)
}

// StartTimer is written down as: start_timer 1 type=0 seconds=30.
func (h *Host) StartTimer(conn int64, timer, seconds uint32) hostabi.Code {
	return h.note("start_timer", "%d type=%d seconds=%d", conn, timer, seconds)
}

// Publish is written down as: publish 1 token=2 "topic" qos=1 "payload".
func (h *Host) Publish(conn, token int64, topic []byte, qos uint32, payload []byte) hostabi.Code {
	return h.note("publish", "%d token=%d %q qos=%d %q", conn, token, topic, qos, payload)
}

// Subscribe is written down as: subscribe 1 token=2 "filter" qos=1.
func (h *Host) Subscribe(conn, token int64, filter []byte, qos uint32) hostabi.Code {
	return h.note("subscribe", "%d token=%d %q qos=%d", conn, token, filter, qos)
}

// Unsubscribe is written down as: unsubscribe 1 token=2 "filter".
func (h *Host) Unsubscribe(conn, token int64, filter []byte) hostabi.Code {
	return h.note("unsubscribe", "%d token=%d %q", conn, token, filter)
}

// Resume is written down as: resume 1.
func (h *Host) Resume(conn int64) hostabi.Code { return h.note("resume", "%d", conn) }

// Log is written down as: log 0 "text".
func (h *Host) Log(level int32, text []byte) { h.note("log", "%d %q", level, text) }
