//! A fake gateway for native tests of handlers.
//!
//! ```
//! # use exproto::{Action, Conn, Handler, Protocol};
//! # struct Echo;
//! # impl Protocol for Echo {
//! #     type Handler = Device;
//! #     fn start(_: &[u8]) -> Result<Self, String> { Ok(Echo) }
//! #     fn handler(&mut self, conn: Conn) -> Device { Device(conn) }
//! # }
//! # struct Device(Conn);
//! # impl Handler for Device {
//! #     fn on_received_bytes(&mut self, bytes: &[u8]) -> Action { self.0.send(bytes).unwrap(); Action::Continue }
//! # }
//! use exproto::{testing::Gateway, ConnInfo};
//!
//! let mut gateway = Gateway::<Echo>::start(b"").unwrap();
//! gateway.created(1, &ConnInfo::default());
//! assert_eq!(gateway.bytes(1, b"hello"), Action::Continue);
//! assert_eq!(gateway.sent(1), b"hello");
//! ```
//!
//! Calls of a handler are accepted and recorded, separately for each thread; [`Gateway::refuse`] refuses them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write;

use crate::guest::Guest;
use crate::wire::{fields, put};
use crate::{Action, Code, ConnInfo, Message, Protocol};

thread_local! {
    static DOUBLE: RefCell<Double> = RefCell::default();
}

#[derive(Default)]
struct Double {
    calls: Vec<String>,
    sent: HashMap<i64, Vec<u8>>,
    refused: HashMap<&'static str, Code>,
}

/// An instance of a protocol in a fake gateway. A thread has one at a time.
pub struct Gateway<P: Protocol>(Guest<P>);

impl<P: Protocol> Gateway<P> {
    /// Starts the protocol. The error contains the lines of its log.
    pub fn start(config: &[u8]) -> Result<Self, String> {
        DOUBLE.with(|d| *d.borrow_mut() = Double::default());
        Guest::start(config).map(Gateway).ok_or_else(calls)
    }

    /// Connects a device.
    pub fn created(&mut self, conn: i64, info: &ConnInfo) -> Action {
        self.0.event(1, conn, 0, &encode::conn_info(info))
    }

    /// Delivers bytes from a device.
    pub fn bytes(&mut self, conn: i64, bytes: &[u8]) -> Action {
        self.0.bytes(conn, bytes)
    }

    /// Disconnects a device.
    pub fn closed(&mut self, conn: i64, why: &str) {
        self.0.event(2, conn, 0, why.as_bytes());
    }

    /// Delivers the keepalive timeout of a connection.
    pub fn timer(&mut self, conn: i64) -> Action {
        self.0.event(3, conn, 0, &[])
    }

    /// Delivers the alarm of a timer of a connection.
    pub fn alarm(&mut self, conn: i64, id: u32) -> Action {
        self.0.event(7, conn, i64::from(id), &[])
    }

    /// Delivers messages for a connection's subscriptions.
    pub fn messages(&mut self, conn: i64, messages: &[Message]) -> Action {
        self.0.event(4, conn, messages.len() as i64, &encode::messages(messages))
    }

    /// Delivers the outcome of a call made with token.
    pub fn result(&mut self, conn: i64, token: i64, code: Code, message: &str) -> Action {
        self.0.event(5, conn, token, &encode::outcome(code, message))
    }

    /// Delivers the outcome of an authenticate that succeeded, with the state that the gateway keeps for the device.
    pub fn logged_in(&mut self, conn: i64, token: i64, state: &[u8]) -> Action {
        let mut body = Vec::new();
        put(&mut body, 3, state);
        self.0.event(5, conn, token, &body)
    }

    /// Announces that the gateway stops, or that a newer version of the module is loaded.
    pub fn drain(&mut self, conn: i64) -> Action {
        self.0.event(6, conn, 0, &[])
    }

    /// Makes later calls with a name, such as publish, return code; [`Code::SUCCESS`] accepts them again. Refused calls
    /// are recorded too.
    pub fn refuse(&mut self, call: &'static str, code: Code) {
        DOUBLE.with(|d| d.borrow_mut().refused.insert(call, code));
    }

    /// The calls since the last `calls`, without send, one per line: name, connection, arguments.
    pub fn calls(&mut self) -> String {
        calls()
    }

    /// What was sent to the device since the last `sent`.
    pub fn sent(&mut self, conn: i64) -> Vec<u8> {
        DOUBLE.with(|d| d.borrow_mut().sent.remove(&conn)).unwrap_or_default()
    }
}

fn calls() -> String {
    DOUBLE.with(|d| std::mem::take(&mut d.borrow_mut().calls)).join("\n")
}

fn note(name: &'static str, arguments: String) -> Code {
    DOUBLE.with(|d| {
        let mut double = d.borrow_mut();
        double.calls.push(format!("{name} {arguments}"));
        double.refused.get(name).copied().unwrap_or(Code::SUCCESS)
    })
}

/// Bytes in quotes; everything but printable ASCII as \xNN.
fn quoted(bytes: &[u8]) -> String {
    let mut text = String::from('"');
    for &b in bytes {
        match b {
            b'"' | b'\\' => text.extend(['\\', char::from(b)]),
            b' '..=b'~' => text.push(char::from(b)),
            _ => write!(text, "\\x{b:02x}").expect("a String takes all"),
        }
    }
    text + "\""
}

pub(crate) mod host {
    use super::{fields, note, quoted, HashMap, DOUBLE};
    use crate::{Code, Level, Properties};

    pub fn send(conn: i64, bytes: &[u8]) -> Code {
        DOUBLE.with(|d| {
            let mut double = d.borrow_mut();
            double.sent.entry(conn).or_default().extend_from_slice(bytes);
            double.refused.get("send").copied().unwrap_or(Code::SUCCESS)
        })
    }

    pub fn close(conn: i64, why: &[u8]) -> Code {
        note("close", format!("{conn} {}", quoted(why)))
    }

    pub fn authenticate(conn: i64, token: i64, request: &[u8]) -> Code {
        let parts = texts(request);
        let client = parts.get(&2).map(|info| texts(info)).unwrap_or_default();
        let of = |n: u64| quoted(client.get(&n).copied().unwrap_or_default());
        let password = quoted(parts.get(&3).copied().unwrap_or_default());
        note(
            "authenticate",
            format!("{conn} token={token} proto={}/{} clientid={} username={} mountpoint={} password={password}", of(1), of(2), of(3), of(4), of(5)),
        )
    }

    fn texts(message: &[u8]) -> HashMap<u64, &[u8]> {
        fields(message).filter_map(Result::ok).map(|f| (f.number, f.bytes)).collect()
    }

    pub fn start_timer(conn: i64, timer: u32, seconds: u32) -> Code {
        note("start_timer", format!("{conn} type={timer} seconds={seconds}"))
    }

    pub fn set_timer(conn: i64, id: u32, ms: i32) -> Code {
        note("set_timer", format!("{conn} id={id} ms={ms}"))
    }

    pub fn save_state(conn: i64, token: i64, state: &[u8]) -> Code {
        note("save_state", format!("{conn} token={token} {}", quoted(state)))
    }

    pub fn publish(conn: i64, token: i64, topic: &[u8], qos: u32, payload: &[u8]) -> Code {
        note("publish", format!("{conn} token={token} {} qos={qos} {}", quoted(topic), quoted(payload)))
    }

    pub fn publish_with(conn: i64, token: i64, topic: &[u8], qos: u32, payload: &[u8], props: &[u8]) -> Code {
        let p = Properties::parse(props).unwrap_or_default();
        let mut line = format!("{conn} token={token} {} qos={qos} {}", quoted(topic), quoted(payload));
        if p.retain {
            line += " retain=1";
        }
        if p.expiry > 0 {
            line += &format!(" expiry={}", p.expiry);
        }
        for (name, value) in [("type", p.content_type.as_bytes()), ("response", p.response_topic.as_bytes()), ("correlation", &p.correlation)] {
            if !value.is_empty() {
                line += &format!(" {name}={}", quoted(value));
            }
        }
        for user in &p.user {
            line += &format!(" user={}={}", quoted(user.name.as_bytes()), quoted(user.value.as_bytes()));
        }
        note("publish_with", line)
    }

    pub fn subscribe(conn: i64, token: i64, filter: &[u8], qos: u32) -> Code {
        note("subscribe", format!("{conn} token={token} {} qos={qos}", quoted(filter)))
    }

    pub fn unsubscribe(conn: i64, token: i64, filter: &[u8]) -> Code {
        note("unsubscribe", format!("{conn} token={token} {}", quoted(filter)))
    }

    pub fn resume(conn: i64) -> Code {
        note("resume", conn.to_string())
    }

    /// Writes a line to the gateway's log, which limits the rate.
    pub fn log(level: Level, text: &str) {
        note("log", format!("{} {}", level as i32, quoted(text.as_bytes())));
    }
}

/// Encodes what the gateway writes.
mod encode {
    use super::{put, Code, ConnInfo, Message};
    use crate::wire::put_number as number;
    use crate::Address;

    pub fn conn_info(info: &ConnInfo) -> Vec<u8> {
        let mut message = Vec::new();
        number(&mut message, 1, u64::from(info.socket_type.0));
        put(&mut message, 2, &address(&info.peer));
        put(&mut message, 3, &address(&info.local));
        if let Some(cert) = &info.peer_cert {
            let mut inner = Vec::new();
            put(&mut inner, 1, cert.cn.as_bytes());
            put(&mut inner, 2, cert.dn.as_bytes());
            put(&mut message, 4, &inner);
        }
        for property in &info.properties {
            put(&mut message, 5, &property.encode());
        }
        message
    }

    fn address(a: &Address) -> Vec<u8> {
        let mut message = Vec::new();
        put(&mut message, 1, a.host.as_bytes());
        number(&mut message, 2, u64::from(a.port));
        message
    }

    pub fn messages(all: &[Message]) -> Vec<u8> {
        let mut body = Vec::new();
        for m in all {
            let mut inner = Vec::new();
            put(&mut inner, 1, m.node.as_bytes());
            put(&mut inner, 2, m.id.as_bytes());
            number(&mut inner, 3, u64::from(m.qos));
            put(&mut inner, 4, m.from.as_bytes());
            put(&mut inner, 5, m.topic.as_bytes());
            put(&mut inner, 6, m.payload);
            number(&mut inner, 7, m.timestamp);
            put(&mut inner, 8, &m.properties.encode());
            if inner.is_empty() {
                body.extend([2 << 3 | 2, 0]);
            }
            put(&mut body, 2, &inner);
        }
        body
    }

    pub fn outcome(code: Code, message: &str) -> Vec<u8> {
        let mut body = Vec::new();
        number(&mut body, 1, u64::from(code.0));
        put(&mut body, 2, message.as_bytes());
        body
    }
}
