//! Handlers whose stream has frames: [`Frames`] splits it, holds what follows a login until its answer, and keeps what
//! arrives after [`Action::Pause`].
//!
//! ```
//! use exproto::frames::{FrameConn, FrameHandler, Frames};
//! use exproto::framing::{Framing, Length, Rules};
//! use exproto::{Action, ClientInfo, Conn, Protocol};
//!
//! struct Meters(Framing);
//!
//! impl Protocol for Meters {
//!     type Handler = Frames<Meter>;
//!     fn start(_config: &[u8]) -> Result<Self, String> {
//!         let rules = Rules::Length(Length { width: 2, max: 64, ..Length::default() });
//!         Framing::new(rules).map(Meters).map_err(|e| e.to_string())
//!     }
//!     fn handler(&mut self, conn: Conn) -> Frames<Meter> {
//!         Frames::new(conn, &self.0, Meter)
//!     }
//! }
//!
//! struct Meter(FrameConn<Meter>);
//!
//! impl FrameHandler for Meter {
//!     fn on_frame(&mut self, frame: &[u8]) -> Action {
//!         let _ = self.0.send(frame);
//!         self.0.log_in(&ClientInfo { clientid: "meter", ..ClientInfo::default() }, b"")
//!     }
//! }
//!
//! exproto::module!(Meters);
//! ```

use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::rc::Rc;

use crate::framing::{FrameError, Framer, Framing};
use crate::{Action, ClientInfo, Code, Conn, ConnInfo, Handler, Messages, Outcome, TimerType};

/// The most bytes that wait while frames are paused: what one event brings. A device that sends more is closed.
pub const MAX_HELD: usize = 64 << 10;

/// The most frames of one event, because the calls of an event are limited. A device that sends more is closed.
pub const MAX_FRAMES: usize = 4096;

/// The token of [`FrameConn::log_in`]; those of [`FrameConn::call`] follow it. Handlers choose smaller ones.
pub const LOGIN: i64 = 1 << 32;

/// Handles the events of one connection whose stream has frames.
pub trait FrameHandler: Sized {
    /// One frame, which is valid during the call. After [`Action::Pause`], frames wait for [`FrameConn::resume`].
    fn on_frame(&mut self, frame: &[u8]) -> Action;

    /// A frame that is too long or broken. Continue skips it; by default the connection is closed.
    fn on_frame_error(&mut self, error: FrameError) -> Action {
        let _ = error;
        Action::Close
    }

    /// The outcome of [`FrameConn::log_in`]. Frames continue with Continue. By default a refusal closes the connection.
    fn on_login(&mut self, outcome: Outcome) -> Action {
        if outcome.is_ok() {
            Action::Continue
        } else {
            Action::Close
        }
    }

    /// See [`Handler::on_socket_created`].
    fn on_socket_created(&mut self, info: &ConnInfo) -> Action {
        let _ = info;
        Action::Continue
    }

    /// See [`Handler::on_timer_timeout`].
    fn on_timer_timeout(&mut self, timer: TimerType) -> Action {
        let _ = timer;
        Action::Close
    }

    /// See [`Handler::on_alarm`].
    fn on_alarm(&mut self, id: u32) -> Action {
        let _ = id;
        Action::Continue
    }

    /// See [`Handler::on_received_messages`].
    fn on_received_messages(&mut self, messages: Messages) -> Action {
        let _ = messages;
        Action::Continue
    }

    /// The outcome of a call that was made with a token of the handler.
    fn on_result(&mut self, token: i64, outcome: Outcome) -> Action {
        let _ = (token, outcome);
        Action::Continue
    }

    /// See [`Handler::on_drain`].
    fn on_drain(&mut self) -> Action {
        Action::Continue
    }

    /// See [`Handler::on_socket_closed`].
    fn on_socket_closed(&mut self, why: &str) {
        let _ = why;
    }
}

type Callback<H> = Box<dyn FnOnce(&mut H, Outcome) -> Action>;

/// The connection of one device, with what its frames add to a [`Conn`].
pub struct FrameConn<H> {
    conn: Conn,
    shared: Rc<Shared<H>>,
}

/// What a connection shares with its handler.
struct Shared<H> {
    paused: Cell<bool>, // frames wait
    login: Cell<bool>,  // in progress
    closed: Cell<bool>,
    refused: Cell<Option<Code>>, // the login, at once
    token: Cell<i64>,
    pending: RefCell<Vec<(i64, Callback<H>)>>,
}

impl<H> Deref for FrameConn<H> {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        &self.conn
    }
}

impl<H> FrameConn<H> {
    /// Opens the session at the broker. Frames wait until [`FrameHandler::on_login`], which is called with the broker's
    /// answer or the gateway's refusal. Return the action: it is Pause, or Close if a login is in progress.
    pub fn log_in(&self, client: &ClientInfo, password: &[u8]) -> Action {
        if self.shared.login.replace(true) {
            return Action::Close;
        }
        self.shared.paused.set(true);
        if let Err(code) = self.conn.authenticate(LOGIN, client, password) {
            self.shared.refused.set(Some(code));
        }
        Action::Pause
    }

    /// Makes a call whose outcome goes to done: `conn.call(Meter::published, |conn, token| conn.publish(token, ...))`.
    /// done is dropped if the gateway refuses the call.
    pub fn call<D, C>(&self, done: D, call: C) -> Result<(), Code>
    where
        D: FnOnce(&mut H, Outcome) -> Action + 'static,
        C: FnOnce(Conn, i64) -> Result<(), Code>,
    {
        let token = self.shared.token.get() + 1;
        self.shared.token.set(token);
        call(self.conn, token)?;
        self.shared.pending.borrow_mut().push((token, Box::new(done)));
        Ok(())
    }

    /// Continues with the frames after [`Action::Pause`], and with reading the socket, when the event ends.
    pub fn resume(&self) {
        self.shared.paused.set(self.shared.login.get());
    }

    /// Closes the connection after sending the queued bytes, and drops the frames that wait; why is for the gateway's
    /// log.
    pub fn close(&self, why: &str) -> Result<(), Code> {
        self.shared.closed.set(true);
        self.conn.close(why)
    }
}

/// Gives a [`FrameHandler`] its frames. It is the [`Handler`] of a protocol.
pub struct Frames<H> {
    handler: H,
    conn: FrameConn<H>,
    framer: Framer,
    held: Vec<u8>, // what waits while frames are paused
    frames: usize, // of this event
    stopped: bool, // the gateway does not read the socket
}

impl<H: FrameHandler> Frames<H> {
    /// Returns the handler of a new connection. handler is called with the connection.
    pub fn new(conn: Conn, framing: &Framing, handler: impl FnOnce(FrameConn<H>) -> H) -> Self {
        let shared = Rc::new(Shared {
            paused: Cell::new(false),
            login: Cell::new(false),
            closed: Cell::new(false),
            refused: Cell::new(None),
            token: Cell::new(LOGIN),
            pending: RefCell::default(),
        });
        let handler = handler(FrameConn { conn, shared: Rc::clone(&shared) });
        let conn = FrameConn { conn, shared };
        Frames { handler, conn, framer: framing.framer(), held: Vec::new(), frames: 0, stopped: false }
    }

    /// Keeps what waits.
    fn hold(&mut self, bytes: &[u8]) -> Action {
        if self.held.len() + bytes.len() > MAX_HELD {
            return self.fault("more than 64 KiB wait for an answer");
        }
        self.held.extend_from_slice(bytes);
        Action::Continue
    }

    fn fault(&self, why: &str) -> Action {
        let _ = self.conn.close(why);
        Action::Close
    }

    /// Handles the frames of bytes, up to one that pauses.
    fn feed(&mut self, mut bytes: &[u8]) -> Action {
        while let Some(frame) = self.framer.next(&mut bytes) {
            self.frames += 1;
            if self.frames > MAX_FRAMES {
                return self.fault("more than 4096 frames at once");
            }
            let action = match frame {
                Ok(frame) => self.handler.on_frame(frame),
                Err(error) => self.handler.on_frame_error(error),
            };
            if action == Action::Close || self.conn.shared.closed.get() {
                return Action::Close;
            }
            if action == Action::Pause || self.conn.shared.paused.get() {
                self.conn.shared.paused.set(true);
                return self.hold(bytes);
            }
        }
        Action::Continue
    }

    fn logged_in(&mut self, outcome: Outcome) -> Action {
        self.conn.shared.login.set(false);
        self.conn.shared.paused.set(false);
        self.handler.on_login(outcome)
    }

    /// Ends each event: handles what the event made ready, and returns the action for the gateway.
    fn after(&mut self, mut action: Action) -> Action {
        loop {
            if action == Action::Pause {
                self.conn.shared.paused.set(true);
            }
            if action == Action::Close || self.conn.shared.closed.get() {
                self.conn.shared.closed.set(true);
                self.held = Vec::new();
                return Action::Close;
            }
            action = if let Some(code) = self.conn.shared.refused.take() {
                self.logged_in(Outcome { code, message: "".into(), state: &[] })
            } else if !self.conn.shared.paused.get() && !self.held.is_empty() {
                let held = std::mem::take(&mut self.held);
                self.feed(&held)
            } else {
                return self.action();
            };
        }
    }

    fn action(&mut self) -> Action {
        self.frames = 0;
        if self.conn.shared.paused.get() {
            self.stopped = true;
            return Action::Pause;
        }
        if std::mem::take(&mut self.stopped) {
            let _ = self.conn.conn.resume();
        }
        Action::Continue
    }

    /// Takes the callback of a token.
    fn callback(&mut self, token: i64) -> Option<Callback<H>> {
        let mut pending = self.conn.shared.pending.borrow_mut();
        let i = pending.iter().position(|(t, _)| *t == token)?;
        Some(pending.swap_remove(i).1)
    }
}

impl<H: FrameHandler> Handler for Frames<H> {
    fn on_socket_created(&mut self, info: &ConnInfo) -> Action {
        let action = self.handler.on_socket_created(info);
        self.after(action)
    }

    fn on_received_bytes(&mut self, bytes: &[u8]) -> Action {
        if self.conn.shared.closed.get() {
            return Action::Close;
        }
        let action = if self.conn.shared.paused.get() { self.hold(bytes) } else { self.feed(bytes) };
        self.after(action)
    }

    fn on_timer_timeout(&mut self, timer: TimerType) -> Action {
        let action = self.handler.on_timer_timeout(timer);
        self.after(action)
    }

    fn on_alarm(&mut self, id: u32) -> Action {
        let action = self.handler.on_alarm(id);
        self.after(action)
    }

    fn on_received_messages(&mut self, messages: Messages) -> Action {
        let action = self.handler.on_received_messages(messages);
        self.after(action)
    }

    fn on_result(&mut self, token: i64, outcome: Outcome) -> Action {
        let action = if token == LOGIN && self.conn.shared.login.get() {
            self.logged_in(outcome)
        } else if let Some(done) = self.callback(token) {
            done(&mut self.handler, outcome)
        } else {
            self.handler.on_result(token, outcome)
        };
        self.after(action)
    }

    fn on_drain(&mut self) -> Action {
        let action = self.handler.on_drain();
        self.after(action)
    }

    fn on_socket_closed(&mut self, why: &str) {
        self.handler.on_socket_closed(why);
    }
}
