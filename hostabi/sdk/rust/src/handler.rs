use crate::{Conn, ConnInfo, Messages, Outcome};

/// The result of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Action {
    /// Continue.
    Continue = 0,
    /// Stop reading this socket until [`Conn::resume`]. Bytes that were already read are still delivered.
    Pause = 1,
    /// Close the connection after sending the queued bytes.
    Close = 2,
}

/// A timer of a connection, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerType(pub u32);

impl TimerType {
    /// The only timer of [`Conn::start_timer`].
    pub const KEEPALIVE: TimerType = TimerType(0);
}

/// A protocol. Each running instance of the module has one value of it.
pub trait Protocol: Sized + 'static {
    /// The handler of one connection, with its state.
    type Handler: Handler;

    /// The most connections of an instance. Further ones are closed, because exceeding the module's memory limit would
    /// end the instance and all its connections.
    const MAX_CONNECTIONS: usize = 20_000;

    /// Called once, when the instance starts, with the module's configuration. If it returns an error, the instance
    /// logs it and does not start.
    fn start(config: &[u8]) -> Result<Self, String>;

    /// Returns the handler of a new connection. [`Handler::on_socket_created`] follows at once.
    fn handler(&mut self, conn: Conn) -> Self::Handler;
}

/// Handles the events of one connection, which are delivered one at a time and in order. Borrowed data is valid during
/// the call.
///
/// A panic ends the instance and every connection in it, so do not trust input from devices.
pub trait Handler {
    /// The first event. By default it continues.
    fn on_socket_created(&mut self, info: &ConnInfo) -> Action {
        let _ = info;
        Action::Continue
    }

    /// Bytes from the device: a part of a stream, or a datagram.
    fn on_received_bytes(&mut self, bytes: &[u8]) -> Action;

    /// Nothing has been received for the time passed to [`Conn::start_timer`]. The connection is closed afterwards;
    /// bytes sent here still go out.
    fn on_timer_timeout(&mut self, timer: TimerType) -> Action {
        let _ = timer;
        Action::Close
    }

    /// A timer of [`Conn::set_timer`] fired. By default it continues.
    fn on_alarm(&mut self, id: u32) -> Action {
        let _ = id;
        Action::Continue
    }

    /// Messages for the connection's subscriptions. By default they are dropped.
    fn on_received_messages(&mut self, messages: Messages) -> Action {
        let _ = messages;
        Action::Continue
    }

    /// The outcome of a call that was made with a token.
    fn on_result(&mut self, token: i64, outcome: Outcome) -> Action {
        let _ = (token, outcome);
        Action::Continue
    }

    /// A newer version of the module is loaded, or the gateway stops.
    fn on_drain(&mut self) -> Action {
        Action::Continue
    }

    /// The last event: why is one word such as tcp_closed. The handler is dropped afterwards.
    fn on_socket_closed(&mut self, why: &str) {
        let _ = why;
    }
}
