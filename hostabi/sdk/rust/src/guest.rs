use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::wire::{text, Malformed};
use crate::{log, Action, Conn, ConnInfo, Handler, Level, Messages, Outcome, Protocol, TimerType};

/// One running instance of a protocol, and its connections.
pub struct Guest<P: Protocol> {
    protocol: P,
    handlers: HashMap<i64, P::Handler, BuildHasherDefault<IdHasher>>,
}

mod kind {
    pub const CREATED: u32 = 1;
    pub const CLOSED: u32 = 2;
    pub const TIMER: u32 = 3;
    pub const MESSAGES: u32 = 4;
    pub const RESULT: u32 = 5;
    pub const DRAIN: u32 = 6;
    pub const ALARM: u32 = 7;
}

impl<P: Protocol> Guest<P> {
    /// Starts the protocol. A refusal is logged.
    pub fn start(config: &[u8]) -> Option<Self> {
        match P::start(config) {
            Ok(protocol) => Some(Guest { protocol, handlers: HashMap::default() }),
            Err(why) => {
                log(Level::Error, &format!("starting: {why}"));
                None
            }
        }
    }

    /// Delivers bytes from a device.
    pub fn bytes(&mut self, conn: i64, bytes: &[u8]) -> Action {
        match self.handlers.get_mut(&conn) {
            Some(handler) => handler.on_received_bytes(bytes),
            None => Action::Close,
        }
    }

    /// Delivers any other event.
    pub fn event(&mut self, kind: u32, conn: i64, arg: i64, body: &[u8]) -> Action {
        let result = match kind {
            kind::CREATED => self.created(conn, body),
            kind::CLOSED => {
                if let Some(mut handler) = self.handlers.remove(&conn) {
                    handler.on_socket_closed(&text(body));
                }
                Ok(Action::Continue)
            }
            _ => match self.handlers.get_mut(&conn) {
                Some(handler) => deliver(handler, kind, arg, body),
                None => Ok(Action::Close),
            },
        };
        result.unwrap_or_else(|Malformed| {
            log(Level::Error, &format!("the host's event of kind {kind} is malformed"));
            Action::Close
        })
    }

    fn created(&mut self, conn: i64, body: &[u8]) -> Result<Action, Malformed> {
        let info = ConnInfo::parse(body)?;
        if self.handlers.len() >= P::MAX_CONNECTIONS {
            return Ok(Action::Close);
        }
        let mut handler = self.protocol.handler(Conn(conn));
        let action = handler.on_socket_created(&info);
        self.handlers.insert(conn, handler);
        Ok(action)
    }
}

fn deliver<H: Handler>(handler: &mut H, kind: u32, arg: i64, body: &[u8]) -> Result<Action, Malformed> {
    Ok(match kind {
        kind::TIMER => handler.on_timer_timeout(TimerType(arg as u32)),
        kind::MESSAGES => handler.on_received_messages(Messages::parse(body)?),
        kind::RESULT => handler.on_result(arg, Outcome::parse(body)?),
        kind::DRAIN => handler.on_drain(),
        kind::ALARM => handler.on_alarm(arg as u32),
        _ => Action::Continue, // a kind of a later minor version
    })
}

/// The host numbers connections, so devices cannot choose colliding keys.
#[derive(Default)]
pub struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&b| self.write_i64(i64::from(b)));
    }

    fn write_i64(&mut self, id: i64) {
        self.0 = (self.0 ^ id as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
