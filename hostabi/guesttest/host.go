package guesttest

import (
	"fmt"
	"strings"

	"github.com/exgate/exgate/hostabi"
)

// Host records a guest's calls, and accepts them unless told to refuse.
type Host struct {
	calls   []string
	sent    map[int64]*strings.Builder
	refused map[string]hostabi.Code
}

var _ hostabi.Host = (*Host)(nil)

func newHost() *Host {
	return &Host{sent: make(map[int64]*strings.Builder), refused: make(map[string]hostabi.Code)}
}

// Refuse makes later calls of an import return code; 0 accepts them again. Refused calls are recorded too.
func (h *Host) Refuse(call string, code hostabi.Code) { h.refused[call] = code }

// Calls returns the calls made since the last Calls, except send, one per line: name, connection, arguments.
func (h *Host) Calls() string {
	s := strings.Join(h.calls, "\n")
	h.calls = nil
	return s
}

// Sent returns what was sent to the device since the last Sent.
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

// Close is recorded as: close 1 "why".
func (h *Host) Close(conn int64, why []byte) hostabi.Code { return h.note("close", "%d %q", conn, why) }

// Authenticate is recorded with every field of the request.
func (h *Host) Authenticate(conn, token int64, request []byte) hostabi.Code {
	a, err := hostabi.ParseAuthenticateRequest(request)
	if err != nil {
		return h.note("authenticate", "%d token=%d %v", conn, token, err)
	}
	return h.note("authenticate", "%d token=%d proto=%q/%q clientid=%q username=%q mountpoint=%q password=%q", conn,
		token,
		a.ProtoName, a.ProtoVersion, a.ClientID, a.Username, a.Mountpoint, a.Password)
}

// StartTimer is recorded as: start_timer 1 type=0 seconds=30.
func (h *Host) StartTimer(conn int64, timer, seconds uint32) hostabi.Code {
	return h.note("start_timer", "%d type=%d seconds=%d", conn, timer, seconds)
}

// SetTimer is recorded as: set_timer 1 id=3 ms=250.
func (h *Host) SetTimer(conn int64, id uint32, ms int32) hostabi.Code {
	return h.note("set_timer", "%d id=%d ms=%d", conn, id, ms)
}

// SaveState is recorded as: save_state 1 token=7 "state".
func (h *Host) SaveState(conn, token int64, value []byte) hostabi.Code {
	return h.note("save_state", "%d token=%d %q", conn, token, value)
}

// Publish is recorded as: publish 1 token=2 "topic" qos=1 "payload".
func (h *Host) Publish(conn, token int64, topic []byte, qos uint32, payload []byte) hostabi.Code {
	return h.note("publish", "%d token=%d %q qos=%d %q", conn, token, topic, qos, payload)
}

// PublishWith is recorded as: publish_with 1 token=2 "topic" qos=1 "payload" retain=1 user="k"="v". Properties that are
// not set are left out.
func (h *Host) PublishWith(conn, token int64, topic []byte, qos uint32, payload, props []byte) hostabi.Code {
	p, err := hostabi.ParseProperties(props)
	if err != nil {
		return h.note("publish_with", "%d %v", conn, err)
	}
	return h.note("publish_with", "%d token=%d %q qos=%d %q%s", conn, token, topic, qos, payload, PropertiesText(p))
}

// PropertiesText describes the properties that are set, each after a space.
func PropertiesText(p hostabi.Properties) string {
	var b strings.Builder
	add := func(set bool, format string, args ...any) {
		if set {
			fmt.Fprintf(&b, format, args...)
		}
	}
	add(p.Retain, " retain=1")
	add(p.Expiry > 0, " expiry=%d", p.Expiry)
	add(p.ContentType != "", " type=%q", p.ContentType)
	add(p.ResponseTopic != "", " response=%q", p.ResponseTopic)
	add(len(p.Correlation) > 0, " correlation=%q", p.Correlation)
	for _, u := range p.User {
		add(true, " user=%q=%q", u.Name, u.Value)
	}
	return b.String()
}

// Subscribe is recorded as: subscribe 1 token=2 "filter" qos=1.
func (h *Host) Subscribe(conn, token int64, filter []byte, qos uint32) hostabi.Code {
	return h.note("subscribe", "%d token=%d %q qos=%d", conn, token, filter, qos)
}

// Unsubscribe is recorded as: unsubscribe 1 token=2 "filter".
func (h *Host) Unsubscribe(conn, token int64, filter []byte) hostabi.Code {
	return h.note("unsubscribe", "%d token=%d %q", conn, token, filter)
}

// Resume is recorded as: resume 1.
func (h *Host) Resume(conn int64) hostabi.Code { return h.note("resume", "%d", conn) }

// Log is recorded as: log 0 "text".
func (h *Host) Log(level int32, text []byte) { h.note("log", "%d %q", level, text) }
