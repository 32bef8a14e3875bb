package gateway

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/exgate/exgate/internal/lograte"
)

// refusalLog limits the log lines about refused calls of one listener. Each kind of call and result has its own rate,
// so that none hides another.
type refusalLog struct {
	mu   sync.Mutex
	sets map[refusalKind]*lograte.Set // guarded by mu
}

type refusalKind struct {
	call string
	code ResultCode
}

// allow reports whether a refusal is to be logged, and how many of its kind were not since the last line.
func (l *refusalLog) allow(kind refusalKind, about string) (suppressed int, ok bool) {
	l.mu.Lock()
	set := l.sets[kind]
	if set == nil {
		if l.sets == nil {
			l.sets = make(map[refusalKind]*lograte.Set)
		}
		set = new(lograte.Set)
		l.sets[kind] = set
	}
	l.mu.Unlock()
	return set.Allow(about, time.Now())
}

// refused logs a refused call of the handler and returns its result. The caller must not hold mu.
func (c *Conn) refused(call, topic string, r Result) Result {
	c.mu.Lock()
	client, closing := c.login.client, c.closing.Load()
	c.mu.Unlock()
	if !closing {
		c.logRefusal(client, call, topic, r)
	}
	return r
}

// logRefusal logs a refused call: one line for each client id and cause. Failed logins are told apart by address
// instead, since a client id may be made up.
func (c *Conn) logRefusal(client ClientInfo, call, topic string, r Result) {
	if r.Ok() || r.Code == CodeConnProcessNotAlive {
		return
	}
	about := client.ClientID
	if call == callLogin && c.info.Peer.IsValid() {
		about = c.info.Peer.Addr().String()
	}
	suppressed, ok := c.metrics.refusalLines.allow(refusalKind{call, r.Code}, about+"\x00"+sentence(r.Message))
	if !ok {
		return
	}
	attrs := c.deviceAttrs(client)
	if topic != "" {
		attrs = append(attrs, slog.String("topic", clip(topic)))
	}
	attrs = append(attrs, slog.String("result", r.Code.String()), slog.String("cause", clip(r.Message)),
		slog.Int("suppressed", suppressed))
	c.gw.log.LogAttrs(context.Background(), slog.LevelWarn, call+" refused", attrs...)
}

// sentence strips from a cause the values that a device may choose: quoted texts and digits.
func sentence(cause string) string {
	quoted, escaped := false, false
	return strings.Map(func(r rune) rune {
		switch {
		case escaped:
			escaped = false
			return -1
		case quoted && r == '\\':
			escaped = true
			return -1
		case r == '"':
			quoted = !quoted
			return -1
		case quoted || r >= '0' && r <= '9':
			return -1
		}
		return r
	}, cause)
}

// callLogin is the authenticate call in log lines.
const callLogin = "login"

// deviceAttrs returns the attributes that identify a device in log lines.
func (c *Conn) deviceAttrs(client ClientInfo) []slog.Attr {
	attrs := []slog.Attr{
		slog.String("listener", c.metrics.name), slog.String("conn", c.id),
		slog.String("client_id", clip(client.ClientID)), slog.Any("peer", c.info.Peer),
	}
	if client.Username != "" {
		attrs = append(attrs, slog.String("username", clip(client.Username)))
	}
	return attrs
}

// maxLogText bounds a device's text in a log line, in bytes.
const maxLogText = 256

// clip returns a device's or handler's text for a log line, shortened if it is long.
func clip(text string) string {
	if len(text) > maxLogText {
		text = strings.ToValidUTF8(text[:maxLogText], "") + "..."
	}
	return text
}
