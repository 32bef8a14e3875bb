use crate::{Conn, ConnInfo, Messages, Outcome};

/// What an event returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Action {
    /// Go on.
    Continue = 0,
    /// Read nothing more from this socket until [`Conn::resume`]. What was read before still comes.
    Pause = 1,
    /// Close the connection. What was sent still goes out.
    Close = 2,
}

/// A timer of a connection, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerType(pub u32);

impl TimerType {
    /// The only timer there is.
    pub const KEEPALIVE: TimerType = TimerType(0);
}

/// A protocol: one for each running instance of the module.
pub trait Protocol: Sized + 'static {
    /// The protocol side of one connection, with its state.
    type Handler: Handler;

    /// How many connections an instance takes. Further ones are closed: what a module allocates beyond its memory limit ends the instance and all of them.
    const MAX_CONNECTIONS: usize = 20_000;

    /// Called once, when the instance starts, with the module's configuration. An error refuses to start and is logged.
    fn start(config: &[u8]) -> Result<Self, String>;

    /// Makes the handler of a new connection. [`Handler::on_socket_created`] follows at once.
    fn handler(&mut self, conn: Conn) -> Self::Handler;
}

/// The protocol side of one connection. Events come one at a time and in order. What they borrow is valid during the call.
///
/// A panic ends the instance and every connection in it: everything that a device sends is hostile.
pub trait Handler {
    /// The first event. It continues unless written otherwise.
    fn on_socket_created(&mut self, info: &ConnInfo) -> Action {
        let _ = info;
        Action::Continue
    }

    /// What the device sent: a piece of a stream, or a datagram.
    fn on_received_bytes(&mut self, bytes: &[u8]) -> Action;

    /// Nothing was received for the time given to [`Conn::start_timer`]. The connection is closed after it; what it sends still goes out.
    fn on_timer_timeout(&mut self, timer: TimerType) -> Action {
        let _ = timer;
        Action::Close
    }

    /// Messages of the connection's subscriptions. They are dropped unless written otherwise.
    fn on_received_messages(&mut self, messages: Messages) -> Action {
        let _ = messages;
        Action::Continue
    }

    /// How a call that was made with a token ended.
    fn on_result(&mut self, token: i64, outcome: Outcome) -> Action {
        let _ = (token, outcome);
        Action::Continue
    }

    /// A newer version of the module is loaded, or the gateway stops.
    fn on_drain(&mut self) -> Action {
        Action::Continue
    }

    /// The last event: why is one word such as tcp_closed. The handler is dropped after it.
    fn on_socket_closed(&mut self, why: &str) {
        let _ = why;
    }
}
