package exproto

// Host is the gateway, as seen by a guest: the imports of module exproto_v1. Slices and strings are copied before a
// method returns.
type Host interface {
	Send(conn int64, b []byte) Code
	Close(conn int64, why string) Code
	Authenticate(conn, token int64, request []byte) Code
	StartTimer(conn int64, t TimerType, seconds uint32) Code
	SetTimer(conn int64, id uint32, ms int32) Code
	SaveState(conn, token int64, state []byte) Code
	Publish(conn, token int64, topic string, qos uint32, payload []byte) Code
	PublishWith(conn, token int64, topic string, qos uint32, payload, props []byte) Code
	Subscribe(conn, token int64, filter string, qos uint32) Code
	Unsubscribe(conn, token int64, filter string) Code
	Resume(conn int64) Code
	Log(level Level, text string)
}

// Level is the severity of a log line. The values are those of log/slog.
type Level int32

// The levels.
const (
	LevelDebug Level = -4
	LevelInfo  Level = 0
	LevelWarn  Level = 4
	LevelError Level = 8
)
