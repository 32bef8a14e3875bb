package exproto

// Protocol is called once, when the instance starts, with the module's configuration. An error refuses to start and is
// logged.
type Protocol func(config []byte) (NewHandler, error)

// NewHandler makes the handler of a new connection. OnSocketCreated follows at once.
type NewHandler func(conn *Conn) Handler

// Handler is the protocol side of one connection. The embedded [Defaults] has a method for each event that a protocol
// does not care about.
type Handler interface {
	OnSocketCreated(info ConnInfo) Action
	OnReceivedBytes(b []byte) Action
	// OnTimerTimeout says that nothing was received for the time given to StartTimer. The connection is closed after
	// it; what it sends still goes out.
	OnTimerTimeout(t TimerType) Action
	OnReceivedMessages(messages []Message) Action
	// OnSocketClosed is the last event. Callbacks of calls that are under way are not called any more.
	OnSocketClosed(reason string)
}

// ResultHandler is met by handlers that give their calls tokens, with the methods of [Conn.WithToken], instead of
// callbacks.
type ResultHandler interface {
	OnResult(token int64, r Result) Action
}

// Drainer is met by handlers that want to know that a newer version of the module is loaded or that the gateway stops.
type Drainer interface {
	OnDrain() Action
}

// TimerType names a timer.
type TimerType uint32

// TimerKeepalive is the only timer there is.
const TimerKeepalive TimerType = 0

// Defaults is embedded by handlers for the events that they do not care about. All continue; OnReceivedBytes closes.
type Defaults struct{}

// OnSocketCreated continues.
func (Defaults) OnSocketCreated(ConnInfo) Action { return Continue }

// OnReceivedBytes closes the connection.
func (Defaults) OnReceivedBytes([]byte) Action { return Close }

// OnTimerTimeout closes the connection, which the gateway does anyway.
func (Defaults) OnTimerTimeout(TimerType) Action { return Close }

// OnReceivedMessages drops them.
func (Defaults) OnReceivedMessages([]Message) Action { return Continue }

// OnSocketClosed does nothing.
func (Defaults) OnSocketClosed(string) {}
