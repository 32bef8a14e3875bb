package exproto

// Protocol is called once, when the instance starts, with the module's configuration. If it returns an error, the
// instance logs it and does not start.
type Protocol func(config []byte) (NewHandler, error)

// NewHandler returns the handler of a new connection. OnSocketCreated follows at once.
type NewHandler func(conn *Conn) Handler

// Handler handles the events of one connection. Embed [Defaults] for the events that the protocol does not need.
type Handler interface {
	OnSocketCreated(info ConnInfo) Action
	OnReceivedBytes(b []byte) Action
	// OnTimerTimeout is called when nothing has been received for the time passed to StartTimer. The connection is
	// closed afterwards; bytes sent here still go out.
	OnTimerTimeout(t TimerType) Action
	OnReceivedMessages(messages []Message) Action
	// OnSocketClosed is the last event. Pending callbacks of calls are not called.
	OnSocketClosed(reason string)
}

// ResultHandler is implemented by handlers that pass tokens to their calls, with the methods of [Conn.WithToken],
// instead of callbacks.
type ResultHandler interface {
	OnResult(token int64, r Result) Action
}

// Drainer is implemented by handlers that want to know when a newer version of the module is loaded or the gateway
// stops.
type Drainer interface {
	OnDrain() Action
}

// AlarmHandler is implemented by handlers that call [Conn.SetTimer].
type AlarmHandler interface {
	OnAlarm(id uint32) Action
}

// TimerType names a timer.
type TimerType uint32

// TimerKeepalive is the only timer of StartTimer.
const TimerKeepalive TimerType = 0

// Defaults is embedded by handlers for the events that they do not need. OnReceivedBytes and OnTimerTimeout close the
// connection, all others continue.
type Defaults struct{}

// OnSocketCreated continues.
func (Defaults) OnSocketCreated(ConnInfo) Action { return Continue }

// OnReceivedBytes closes the connection.
func (Defaults) OnReceivedBytes([]byte) Action { return Close }

// OnTimerTimeout closes the connection, which the gateway does anyway.
func (Defaults) OnTimerTimeout(TimerType) Action { return Close }

// OnReceivedMessages drops the messages.
func (Defaults) OnReceivedMessages([]Message) Action { return Continue }

// OnSocketClosed does nothing.
func (Defaults) OnSocketClosed(string) {}
