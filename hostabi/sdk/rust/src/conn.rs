use crate::wire::put;
use crate::{host, Code, Properties, TimerType};

/// The token of calls without an answer.
pub const NO_ANSWER: i64 = 0;

/// What a protocol knows about its device. Only the client id is required.
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientInfo<'a> {
    pub proto_name: &'a str,
    pub proto_ver: &'a str,
    pub clientid: &'a str,
    pub username: &'a str,
    /// Prepended to the topics of this device, unless the gateway's configuration sets one.
    pub mountpoint: &'a str,
}

/// The connection of one device. Its methods do not block and may be called in any event of any connection.
///
/// The broker answers authenticate, publish, subscribe and unsubscribe. If they return Ok,
/// [`Handler::on_result`](crate::Handler::on_result) is called with their token, in a later event. The handler chooses
/// tokens, which need not be unique. An error means that the call was refused at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Conn(pub(crate) i64);

impl Conn {
    /// The host's id of the connection. This instance never sees it again.
    pub fn id(self) -> i64 {
        self.0
    }

    /// Queues bytes for the device. It needs no authentication.
    pub fn send(self, bytes: &[u8]) -> Result<(), Code> {
        host::send(self.0, bytes).accepted()
    }

    /// Closes the connection after sending the queued bytes; why is for the gateway's log.
    pub fn close(self, why: &str) -> Result<(), Code> {
        host::close(self.0, why.as_bytes()).accepted()
    }

    /// Sets or replaces the keepalive: [`Handler::on_timer_timeout`](crate::Handler::on_timer_timeout) is called when
    /// nothing has been received for that many seconds, 1 or more.
    pub fn start_timer(self, seconds: u32) -> Result<(), Code> {
        host::start_timer(self.0, TimerType::KEEPALIVE.0, seconds).accepted()
    }

    /// Sets or replaces the one-shot timer id, 0 to 15: [`Handler::on_alarm`](crate::Handler::on_alarm) is called once,
    /// after ms milliseconds, 10 or more. Negative ms cancels it. Nothing is closed. A module that calls this needs a
    /// gateway with minor version 1 of the contract.
    pub fn set_timer(self, id: u32, ms: i32) -> Result<(), Code> {
        host::set_timer(self.0, id, ms).accepted()
    }

    /// Replaces the state that the gateway keeps for this device and module: at most 4 KiB, unless it is configured
    /// otherwise. It comes back as [`Outcome::state`](crate::Outcome::state) of the device's next authenticate, also after
    /// a restart and for a newer version of the module; an empty one deletes it. Save whenever something has changed: what
    /// is saved within half a second is written once. With a token, the result says when it is durable. A module that
    /// calls this needs a gateway with minor version 1 of the contract; [`Code::UNSUPPORTED`] means that the gateway keeps
    /// no state.
    pub fn save_state(self, token: i64, state: &[u8]) -> Result<(), Code> {
        host::save_state(self.0, token, state).accepted()
    }

    /// Continues reading the socket after [`Action::Pause`](crate::Action::Pause).
    pub fn resume(self) -> Result<(), Code> {
        host::resume(self.0).accepted()
    }

    /// Opens the session at the broker. Return [`Action::Pause`](crate::Action::Pause) after it, and resume at its
    /// result, so that the device's next frames wait.
    pub fn authenticate(self, token: i64, client: &ClientInfo, password: &[u8]) -> Result<(), Code> {
        let mut info = Vec::with_capacity(128);
        let texts = [client.proto_name, client.proto_ver, client.clientid, client.username, client.mountpoint];
        for (number, text) in (1..).zip(texts) {
            put(&mut info, number, text.as_bytes());
        }
        let mut request = Vec::with_capacity(info.len() + password.len() + 16);
        put(&mut request, 2, &info);
        put(&mut request, 3, password);
        let code = host::authenticate(self.0, token, &request);
        request.fill(0);
        code.accepted()
    }

    /// Sends a message to the broker. qos is 0, 1 or 2.
    pub fn publish(self, token: i64, topic: &str, qos: u32, payload: &[u8]) -> Result<(), Code> {
        host::publish(self.0, token, topic.as_bytes(), qos, payload).accepted()
    }

    /// Sends a message with properties to the broker. If the broker keeps no messages, retain is
    /// [`Code::UNSUPPORTED`]. A module that calls this needs a gateway with minor version 1 of the contract.
    pub fn publish_with(self, token: i64, topic: &str, qos: u32, payload: &[u8], properties: &Properties) -> Result<(), Code> {
        host::publish_with(self.0, token, topic.as_bytes(), qos, payload, &properties.encode()).accepted()
    }

    /// Subscribes to the messages that match filter.
    pub fn subscribe(self, token: i64, filter: &str, qos: u32) -> Result<(), Code> {
        host::subscribe(self.0, token, filter.as_bytes(), qos).accepted()
    }

    /// Ends a subscription. It succeeds even if there is none for filter.
    pub fn unsubscribe(self, token: i64, filter: &str) -> Result<(), Code> {
        host::unsubscribe(self.0, token, filter.as_bytes()).accepted()
    }
}
