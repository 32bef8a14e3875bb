package exprototest

import (
	"fmt"
	"strings"

	"github.com/exgate/exgate/hostabi"
	exproto "github.com/exgate/exgate/hostabi/sdk/go"
)

// host is the Gateway as the protocol's Host.
type host Gateway

var _ exproto.Host = (*host)(nil)

func (h *host) gateway() *Gateway { return (*Gateway)(h) }

func (h *host) Send(conn int64, b []byte) exproto.Code {
	d, ok := h.devices[conn]
	if !ok {
		return exproto.ConnProcessNotAlive
	}
	d.sent.Write(b)
	return h.refused["send"]
}

func (h *host) Close(conn int64, why string) exproto.Code {
	return h.gateway().note(conn, 0, "close", "%q", why)
}

func (h *host) Authenticate(conn, token int64, request []byte) exproto.Code {
	a, err := hostabi.ParseAuthenticateRequest(request)
	if err != nil {
		return h.gateway().note(conn, 0, "authenticate", "%v", err)
	}
	return h.gateway().note(conn, token, "authenticate",
		"proto=%q/%q clientid=%q username=%q mountpoint=%q password=%q",
		a.ProtoName, a.ProtoVersion, a.ClientID, a.Username, a.Mountpoint, a.Password)
}

func (h *host) StartTimer(conn int64, t exproto.TimerType, seconds uint32) exproto.Code {
	return h.gateway().note(conn, 0, "start_timer", "type=%d seconds=%d", t, seconds)
}

func (h *host) SetTimer(conn int64, id uint32, ms int32) exproto.Code {
	return h.gateway().note(conn, 0, "set_timer", "id=%d ms=%d", id, ms)
}

func (h *host) SaveState(conn, token int64, state []byte) exproto.Code {
	return h.gateway().note(conn, token, "save_state", "%q", state)
}

func (h *host) Publish(conn, token int64, topic string, qos uint32, payload []byte) exproto.Code {
	return h.gateway().note(conn, token, "publish", "%q qos=%d %q", topic, qos, payload)
}

func (h *host) PublishWith(conn, token int64, topic string, qos uint32, payload, props []byte) exproto.Code {
	p, err := hostabi.ParseProperties(props)
	if err != nil {
		return h.gateway().note(conn, 0, "publish_with", "%v", err)
	}
	return h.gateway().note(conn, token, "publish_with", "%q qos=%d %q%s", topic, qos, payload, text(p))
}

// text describes the properties that are set, each after a space.
func text(p hostabi.Properties) string {
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

func (h *host) Subscribe(conn, token int64, filter string, qos uint32) exproto.Code {
	return h.gateway().note(conn, token, "subscribe", "%q qos=%d", filter, qos)
}

func (h *host) Unsubscribe(conn, token int64, filter string) exproto.Code {
	return h.gateway().note(conn, token, "unsubscribe", "%q", filter)
}

func (h *host) Resume(conn int64) exproto.Code { return h.gateway().note(conn, 0, "resume", "") }

func (h *host) Log(level exproto.Level, text string) {
	h.log = append(h.log, fmt.Sprintf("%d %s", level, text))
}
