package exproto

import "github.com/exgate/exgate/hostabi/sdk/go/framing"

// FrameHandler handles the events of one connection whose stream has frames. Embed [FrameDefaults] for the events that
// the protocol does not need, and [FrameConn] for its calls. [ResultHandler], [Drainer] and [AlarmHandler] are
// optional, as for a [Handler].
type FrameHandler interface {
	// OnFrame handles one frame, which is valid until it returns. After [Pause], frames wait for [FrameConn.Resume].
	OnFrame(frame []byte) Action
	// OnFrameError handles [framing.ErrTooLong] and [framing.ErrBroken]: Continue skips the frame, Close closes the
	// connection.
	OnFrameError(err error) Action
	// OnLogin handles the outcome of [FrameConn.LogIn]. Frames continue with Continue.
	OnLogin(r Result) Action
	OnSocketCreated(info ConnInfo) Action
	OnTimerTimeout(t TimerType) Action
	OnReceivedMessages(messages []Message) Action
	OnSocketClosed(reason string)
}

// FrameDefaults is embedded by frame handlers for the events that they do not need. Frame errors, timeouts and refused
// logins close the connection, all others continue.
type FrameDefaults struct{}

// OnSocketCreated continues.
func (FrameDefaults) OnSocketCreated(ConnInfo) Action { return Continue }

// OnFrameError closes the connection.
func (FrameDefaults) OnFrameError(error) Action { return Close }

// OnLogin closes the connection if the login was refused.
func (FrameDefaults) OnLogin(r Result) Action {
	if !r.OK() {
		return Close
	}
	return Continue
}

// OnTimerTimeout closes the connection, which the gateway does anyway.
func (FrameDefaults) OnTimerTimeout(TimerType) Action { return Close }

// OnReceivedMessages drops the messages.
func (FrameDefaults) OnReceivedMessages([]Message) Action { return Continue }

// OnSocketClosed does nothing.
func (FrameDefaults) OnSocketClosed(string) {}

// The limits of a connection with frames. A device that exceeds one is closed.
const (
	MaxHeld   = 64 << 10 // bytes that wait while frames are paused: what one event brings
	MaxFrames = 4096     // frames of one event, because the calls of an event are limited
)

// Frames returns the handlers of a protocol whose stream is split by rules. newHandler returns the handler of a new
// connection.
func Frames(rules framing.Rules, newHandler func(*FrameConn) FrameHandler) (NewHandler, error) {
	frames, err := framing.New(rules)
	if err != nil {
		return nil, err
	}
	return func(conn *Conn) Handler {
		f := &framed{FrameConn: FrameConn{Conn: conn}, framer: frames.Framer()}
		f.handler = newHandler(&f.FrameConn)
		conn.after = func() Action { return f.after(Continue) }
		return f
	}, nil
}

// FrameConn is the connection of one device, with what its frames add to a [Conn].
type FrameConn struct {
	*Conn
	paused  bool    // frames wait
	login   bool    // in progress
	outcome *Result // of the login, for OnLogin
	closed  bool
}

// LogIn opens the session at the broker. Frames wait until OnLogin, which is called with the broker's answer or the
// gateway's refusal. Return the action: it is Pause, or Close if a login is in progress.
func (c *FrameConn) LogIn(client ClientInfo, password string) Action {
	if c.login {
		return Close
	}
	c.login, c.paused = true, true
	if code := c.Authenticate(client, password, c.loggedIn); code != Success {
		c.outcome = &Result{Code: code}
	}
	return Pause
}

func (c *FrameConn) loggedIn(r Result) { c.outcome = &r }

// Resume continues with the frames after Pause, and with reading the socket, when the event ends.
func (c *FrameConn) Resume() { c.paused = c.login }

// Close closes the connection after sending the queued bytes, and drops the frames that wait; why is for the gateway's
// log.
func (c *FrameConn) Close(why string) Code {
	c.closed = true
	return c.Conn.Close(why)
}

// framed gives a FrameHandler its frames.
type framed struct {
	FrameConn
	handler FrameHandler
	framer  *framing.Framer
	held    []byte // what waits while frames are paused
	frames  int    // of this event
	stopped bool   // the gateway does not read the socket
}

var (
	_ Handler       = (*framed)(nil)
	_ ResultHandler = (*framed)(nil)
	_ Drainer       = (*framed)(nil)
	_ AlarmHandler  = (*framed)(nil)
)

func (f *framed) OnReceivedBytes(b []byte) Action {
	switch {
	case f.closed:
		return Close
	case f.paused:
		return f.after(f.hold(b))
	}
	return f.after(f.feed(b))
}

// hold keeps what waits.
func (f *framed) hold(b []byte) Action {
	if len(f.held)+len(b) > MaxHeld {
		return f.fault("more than 64 KiB wait for an answer")
	}
	f.held = append(f.held, b...)
	return Continue
}

func (f *framed) fault(why string) Action {
	f.Close(why)
	return Close
}

// feed handles the frames of b, up to one that pauses.
func (f *framed) feed(b []byte) Action {
	for frame, err := range f.framer.Frames(&b) {
		if f.frames++; f.frames > MaxFrames {
			return f.fault("more than 4096 frames at once")
		}
		a := f.frame(frame, err)
		f.paused = f.paused || a == Pause
		switch {
		case a == Close || f.closed:
			return Close
		case f.paused:
			return f.hold(b)
		}
	}
	return Continue
}

func (f *framed) frame(frame []byte, err error) Action {
	if err != nil {
		return f.handler.OnFrameError(err)
	}
	return f.handler.OnFrame(frame)
}

// after ends each event: it handles what the event made ready, and returns the action for the gateway.
func (f *framed) after(a Action) Action {
	for {
		f.paused = f.paused || a == Pause
		switch {
		case a == Close || f.closed:
			f.closed, f.held = true, nil
			return Close
		case f.outcome != nil:
			r := *f.outcome
			f.outcome, f.login, f.paused = nil, false, false
			a = f.handler.OnLogin(r)
		case !f.paused && len(f.held) > 0:
			b := f.held
			f.held = nil
			a = f.feed(b)
		default:
			return f.action()
		}
	}
}

func (f *framed) action() Action {
	f.frames = 0
	if f.paused {
		f.stopped = true
		return Pause
	}
	if f.stopped {
		f.stopped = false
		f.Conn.Resume()
	}
	return Continue
}

func (f *framed) OnSocketCreated(info ConnInfo) Action {
	return f.after(f.handler.OnSocketCreated(info))
}

func (f *framed) OnTimerTimeout(t TimerType) Action { return f.after(f.handler.OnTimerTimeout(t)) }

func (f *framed) OnReceivedMessages(messages []Message) Action {
	return f.after(f.handler.OnReceivedMessages(messages))
}

func (f *framed) OnSocketClosed(reason string) { f.handler.OnSocketClosed(reason) }

func (f *framed) OnResult(token int64, r Result) Action {
	if h, ok := f.handler.(ResultHandler); ok {
		return f.after(h.OnResult(token, r))
	}
	return Continue
}

func (f *framed) OnDrain() Action {
	if d, ok := f.handler.(Drainer); ok {
		return f.after(d.OnDrain())
	}
	return Continue
}

func (f *framed) OnAlarm(id uint32) Action {
	if h, ok := f.handler.(AlarmHandler); ok {
		return f.after(h.OnAlarm(id))
	}
	return Continue
}
