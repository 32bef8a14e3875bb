package hostabi

import "context"

// Host is the gateway's side of the imports, one for each instance. Its methods are called on the goroutine that runs
// the guest, one at a time. Slices point into the guest's memory and are valid only during the call. If a method
// panics, the guest's event ends with that panic as its error.
//
// Each method documents the import with its name. In WebAssembly, a slice is a pointer and a length, both i32; conn and
// token are i64, other numbers and the result i32. Every import may also trap: if its pointers are outside the memory,
// or if the event has made too many host calls or taken too long.
type Host interface {
	// Send is send(conn i64, ptr i32, len i32) -> code: queue bytes for the device. It never blocks and needs no
	// authentication.
	//
	//   - 0: they are queued
	//   - 2 CONN_PROCESS_NOT_ALIVE: no such connection, or it is closing
	//   - 16 LIMIT: the event has handed over as many bytes as it may
	//
	// If a device does not read its bytes, it is closed when its send queue is full.
	Send(conn int64, b []byte) Code

	// Close is close(conn i64, why_ptr i32, why_len i32) -> code: close the connection after sending the queued bytes.
	// why is for the operator's log. [KindClosed] follows.
	//
	//   - 0: it is closing
	//   - 2 CONN_PROCESS_NOT_ALIVE: no such connection, or it is closing already
	Close(conn int64, why []byte) Code

	// Authenticate is authenticate(conn i64, token i64, ptr i32, len i32) -> code: open the upstream session for the
	// client described by an AuthenticateRequest message (without conn). A client without a clientid is assigned a
	// unique one. A [KindResult] with token follows, even if token is 0.
	//
	//   - 0: accepted, the outcome follows
	//   - 2 CONN_PROCESS_NOT_ALIVE: no such connection
	//   - 4 PARAMS_TYPE_ERROR: the message is malformed
	//   - 5 PERMISSION_DENY: an authentication is in progress or succeeded
	//   - 16 LIMIT
	Authenticate(conn, token int64, request []byte) Code

	// StartTimer is start_timer(conn i64, type i32, seconds i32) -> code: set or replace a timer. Type 0, the
	// keepalive, fires when nothing has been received for that time.
	//
	//   - 0: it is set
	//   - 2 CONN_PROCESS_NOT_ALIVE: no such connection
	//   - 4 PARAMS_TYPE_ERROR: 0 seconds, or no such type
	StartTimer(conn int64, timer, seconds uint32) Code

	// SetTimer is set_timer(conn i64, id i32, ms i32) -> code: set or replace the one-shot timer id, 0 to 15. After ms
	// milliseconds a [KindAlarm] with id follows, once; nothing is closed. Negative ms cancels the timer, and its
	// [KindAlarm] does not follow even if the time is already over. Since minor 1.
	//
	//   - 0: it is set, or cancelled
	//   - 2 CONN_PROCESS_NOT_ALIVE: no such connection
	//   - 4 PARAMS_TYPE_ERROR: 0 to 9 ms, or no such id
	SetTimer(conn int64, id uint32, ms int32) Code

	// SaveState is save_state(conn i64, token i64, ptr i32, len i32) -> code: replace the state of the device and this
	// module. It comes back with the [KindResult] of the device's next authenticate, also after a restart, from another
	// instance and from a newer version of the module. 0 bytes delete it. Values saved within half a second replace
	// each other, and the last one is also written when the connection closes. With token 0 there is no [KindResult];
	// with another one it follows when this value, or a later one, is durable. Since minor 1.
	//
	//   - 0: accepted
	//   - 2 CONN_PROCESS_NOT_ALIVE: no such connection
	//   - 5 PERMISSION_DENY: not authenticated
	//   - 16 LIMIT: more bytes than the gateway keeps for a device (4 KiB by default), too many calls in progress, or
	//     the event has handed over as many bytes as it may
	//   - 17 UNSUPPORTED: the gateway keeps no state
	SaveState(conn, token int64, value []byte) Code

	// Publish is publish(conn i64, token i64, topic_ptr i32, topic_len i32, qos i32, ptr i32, len i32) -> code. With
	// token 0 there is no [KindResult], and the outcome remains unknown.
	//
	//   - 0: accepted
	//   - 2 CONN_PROCESS_NOT_ALIVE: no such connection
	//   - 3 REQUIRED_PARAMS_MISSED: no topic
	//   - 4 PARAMS_TYPE_ERROR: qos above 2, a topic that has wildcards, control characters or is not UTF-8
	//   - 5 PERMISSION_DENY: not authenticated
	//   - 16 LIMIT: too many calls are in progress, or the event has handed over as many bytes as it may
	Publish(conn, token int64, topic []byte, qos uint32, payload []byte) Code

	// PublishWith is publish_with(conn i64, token i64, topic_ptr i32, topic_len i32, qos i32, ptr i32, len i32,
	// props_ptr i32, props_len i32) -> code: publish with the properties of a Properties message. Codes as for Publish,
	// and:
	//
	//   - 4 PARAMS_TYPE_ERROR: the message is malformed, text is not valid, or the response topic has wildcards or
	//     begins with '$'
	//   - 5 PERMISSION_DENY: the device may not subscribe to the response topic
	//   - 16 LIMIT: more than 64 user properties, or more than 16 KiB in all
	//   - 17 UNSUPPORTED, often in the [KindResult]: the broker keeps no retained messages
	//
	// Since minor 1.
	PublishWith(conn, token int64, topic []byte, qos uint32, payload, props []byte) Code

	// Subscribe is subscribe(conn i64, token i64, topic_ptr i32, topic_len i32, qos i32) -> code. Codes as for Publish.
	Subscribe(conn, token int64, topic []byte, qos uint32) Code

	// Unsubscribe is unsubscribe(conn i64, token i64, topic_ptr i32, topic_len i32) -> code. Codes as for Publish.
	Unsubscribe(conn, token int64, topic []byte) Code

	// Resume is resume(conn i64) -> code: continue reading the socket after [ActionPause]. It has no effect on a
	// connection that is not paused.
	//
	//   - 0: it is read
	//   - 2 CONN_PROCESS_NOT_ALIVE: no such connection
	Resume(conn int64) Code

	// Log is log(level i32, ptr i32, len i32): write a line to the operator's log; level -4 debug, 0 info, 4 warning, 8
	// error. Lines are truncated and limited in rate.
	Log(level int32, text []byte)
}

type hostKey struct{}

// WithHost returns a context that makes the imports call h. The exports of a guest must be called with it.
func WithHost(ctx context.Context, h Host) context.Context {
	return context.WithValue(ctx, hostKey{}, h)
}

func hostOf(ctx context.Context) Host { return ctx.Value(hostKey{}).(Host) }
