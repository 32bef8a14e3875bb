package conformance

import (
	"fmt"
	"strings"

	"github.com/exgate/exgate/hostabi"
)

// witness is the host in the checks: it answers calls and records violations.
type witness struct {
	seen    *sightings
	given   map[int64]bool // connections between CREATED and CLOSED; false once the guest has closed it
	lost    map[int64]bool // the most recent connections after CLOSED
	ending  int64          // the connection whose CLOSED event is running
	refusal hostabi.Code   // the result of calls that it could accept
	waiting []ticket
	calls   int
	script  *strings.Builder // nil: no script
	sending bool             // the last call in script is send
}

// ticket is a call whose RESULT is pending.
type ticket struct{ conn, token int64 }

const (
	maxLost    = 50_000
	maxWaiting = 1_000
	maxScript  = 4 << 20
)

var _ hostabi.Host = (*witness)(nil)

func newWitness(seen *sightings) *witness {
	return &witness{seen: seen, given: map[int64]bool{}, lost: map[int64]bool{}}
}

// forget removes a connection: later calls for it are violations.
func (w *witness) forget(conn int64) {
	delete(w.given, conn)
	if len(w.lost) < maxLost {
		w.lost[conn] = true
	}
}

// target returns the result of a call for conn.
func (w *witness) target(call string, conn int64) hostabi.Code {
	w.calls++
	open, given := w.given[conn]
	switch {
	case conn == w.ending && given:
		w.note(&w.seen.inClosed, call, conn)
	case given && open:
		return w.refusal
	case !given && w.lost[conn]:
		w.note(&w.seen.late, call, conn)
	case !given:
		w.note(&w.seen.foreign, call, conn)
	}
	return hostabi.CodeConnProcessNotAlive
}

func (w *witness) note(first *string, call string, conn int64) {
	if *first == "" {
		*first = fmt.Sprintf("it called %s for connection %d", call, conn)
	}
}

// accept is target for calls that have a RESULT, unless token is 0 and wanted is false.
func (w *witness) accept(call string, conn, token int64, wanted bool) hostabi.Code {
	code := w.target(call, conn)
	if code == hostabi.CodeSuccess && wanted {
		if len(w.waiting) == maxWaiting {
			return hostabi.CodeLimit
		}
		w.waiting = append(w.waiting, ticket{conn, token})
	}
	return code
}

// write adds a call to the script. Sends in pieces are joined.
func (w *witness) write(name, format string, args ...any) {
	if w.script == nil || w.script.Len() > maxScript {
		return
	}
	if send := name == "send"; !send || !w.sending {
		fmt.Fprintf(w.script, "\n%s ", name)
		w.sending = send
	}
	fmt.Fprintf(w.script, format, args...)
}

func (w *witness) Send(conn int64, b []byte) hostabi.Code {
	w.write("send", "%x", b)
	return w.target("send", conn)
}

func (w *witness) Close(conn int64, why []byte) hostabi.Code {
	w.write("close", "%q", why)
	code := w.target("close", conn)
	if code == hostabi.CodeSuccess {
		w.given[conn] = false
	}
	return code
}

func (w *witness) Authenticate(conn, token int64, request []byte) hostabi.Code {
	w.write("authenticate", "%x", request)
	if _, err := hostabi.ParseAuthenticateRequest(request); err != nil {
		w.target("authenticate", conn)
		return hostabi.CodeParamsTypeError
	}
	return w.accept("authenticate", conn, token, true)
}

func (w *witness) StartTimer(conn int64, timer, seconds uint32) hostabi.Code {
	w.write("start_timer", "%d %d", timer, seconds)
	code := w.target("start_timer", conn)
	if code == hostabi.CodeSuccess && (timer != 0 || seconds == 0) {
		return hostabi.CodeParamsTypeError
	}
	return code
}

func (w *witness) SetTimer(conn int64, id uint32, ms int32) hostabi.Code {
	w.write("set_timer", "%d %d", id, ms)
	code := w.target("set_timer", conn)
	if code == hostabi.CodeSuccess && (id > 15 || ms >= 0 && ms < 10) {
		return hostabi.CodeParamsTypeError
	}
	return code
}

func (w *witness) SaveState(conn, token int64, value []byte) hostabi.Code {
	w.write("save_state", "%x", value)
	return w.accept("save_state", conn, token, token != 0)
}

func (w *witness) Publish(conn, token int64, topic []byte, qos uint32, payload []byte) hostabi.Code {
	w.write("publish", "%q %d %x", topic, qos, payload)
	return w.accept("publish", conn, token, token != 0)
}

func (w *witness) PublishWith(conn, token int64, topic []byte, qos uint32, payload, props []byte) hostabi.Code {
	w.write("publish_with", "%q %d %x %x", topic, qos, payload, props)
	if _, err := hostabi.ParseProperties(props); err != nil {
		w.target("publish_with", conn)
		return hostabi.CodeParamsTypeError
	}
	return w.accept("publish_with", conn, token, token != 0)
}

func (w *witness) Subscribe(conn, token int64, topic []byte, qos uint32) hostabi.Code {
	w.write("subscribe", "%q %d", topic, qos)
	return w.accept("subscribe", conn, token, token != 0)
}

func (w *witness) Unsubscribe(conn, token int64, topic []byte) hostabi.Code {
	w.write("unsubscribe", "%q", topic)
	return w.accept("unsubscribe", conn, token, token != 0)
}

// Resume is not recorded: its timing depends on how bytes are split.
func (w *witness) Resume(conn int64) hostabi.Code { return w.target("resume", conn) }

func (w *witness) Log(int32, []byte) { w.calls++ }
