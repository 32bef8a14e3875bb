use exproto::framing::{self, Framing};
use exproto::{ClientInfo, Code, Level, Properties, Property, Request, NO_ANSWER};

use crate::words::Words;

/// The tokens of calls that the broker answers.
pub const AUTH: i64 = 1;
const PUB: i64 = 2;
const SUB: i64 = 3;
const UNSUB: i64 = 4;
const SAVE: i64 = 5;

/// The largest frame of a framer chosen by a device, in bytes.
const MAX_FRAME: usize = 4096;

/// A valid line.
pub enum Command<'a> {
    Echo(&'a [u8]),
    Config,
    State,
    Mount(&'a str),
    Auth { clientid: &'a str, username: &'a str, password: &'a [u8] },
    Timer(u32),
    Alarm { id: u32, ms: u32 },
    Save(&'a [u8]),
    Publish { name: &'static str, token: i64, topic: &'a str, qos: u32, payload: &'a [u8] },
    PublishWith { topic: &'a str, qos: u32, properties: Properties<'a>, payload: &'a [u8] },
    Answer { qos: u32, payload: &'a [u8] },
    Subscribe { filter: &'a str, qos: u32 },
    Unsubscribe { filter: &'a str },
    Resume,
    Close(&'a str),
    Log(Level, &'a str),
    Pause,
    Leave,
    Frame(&'a [u8]),
    Trap,
}

/// Why a line is invalid.
pub enum Wrong {
    Command,
    Usage,
}

impl<'a> Command<'a> {
    pub fn parse(line: &'a [u8]) -> Result<Command<'a>, Wrong> {
        let mut words = Words::new(line);
        let w = &mut words;
        let command = match w.word() {
            b"echo" => Command::Echo(w.rest()),
            b"config" => Command::Config,
            b"state" => Command::State,
            b"mount" => {
                let prefix = w.name();
                w.require(prefix.len() <= 64);
                Command::Mount(prefix)
            }
            b"auth" => Command::Auth { clientid: w.name(), username: if w.more() { w.name() } else { "" }, password: w.rest() },
            b"timer" => Command::Timer(w.number()),
            b"alarm" => Command::Alarm { id: w.number(), ms: w.number() },
            b"save" => Command::Save(w.rest()),
            b"pub" => Command::Publish { name: "pub", token: PUB, topic: w.name(), qos: w.number(), payload: w.rest() },
            b"quiet" => Command::Publish { name: "quiet", token: NO_ANSWER, topic: w.name(), qos: w.number(), payload: w.rest() },
            b"pubp" => Command::PublishWith { topic: w.name(), qos: w.number(), properties: properties(w), payload: w.rest() },
            b"answer" => Command::Answer { qos: w.number(), payload: w.rest() },
            b"sub" => Command::Subscribe { filter: w.name(), qos: w.number() },
            b"unsub" => Command::Unsubscribe { filter: w.name() },
            b"resume" => Command::Resume,
            b"close" => Command::Close(w.text()),
            b"log" => Command::Log(level(w), w.text()),
            b"pause" => Command::Pause,
            b"leave" => Command::Leave,
            b"frame" => Command::Frame(w.rest()),
            b"trap" => Command::Trap,
            _ => return Err(Wrong::Command),
        };
        if words.whole() {
            Ok(command)
        } else {
            Err(Wrong::Usage)
        }
    }
}

/// RETAIN EXPIRY TYPE RESPONSE CORRELATION NAME VALUE.
fn properties<'a>(w: &mut Words<'a>) -> Properties<'a> {
    let mut p = Properties { retain: w.number() != 0, expiry: w.number(), ..Properties::default() };
    p.content_type = optional(w).into();
    p.response_topic = optional(w).into();
    p.correlation = optional(w).as_bytes().into();
    let user = Property { name: optional(w).into(), value: optional(w).into() };
    if !user.name.is_empty() || !user.value.is_empty() {
        p.user.push(user);
    }
    p
}

/// The next word; - stands for none.
fn optional<'a>(w: &mut Words<'a>) -> &'a str {
    match w.name() {
        "-" => "",
        word => word,
    }
}

fn level(w: &mut Words) -> Level {
    match w.word() {
        b"debug" => Level::Debug,
        b"info" => Level::Info,
        b"warn" => Level::Warn,
        b"error" => Level::Error,
        _ => {
            w.require(false);
            Level::Debug
        }
    }
}

/// Executes the commands that call the gateway; returns their name, the result of the call, and whether an accepted
/// call is answered at once.
pub fn call(conn: exproto::Conn, mountpoint: &str, request: &Request, command: &Command) -> Option<(&'static str, Result<(), Code>, bool)> {
    Some(match *command {
        Command::Auth { clientid, username, password } => {
            let client = ClientInfo { proto_name: "probe", proto_ver: "1", clientid, username, mountpoint };
            ("auth", conn.authenticate(AUTH, &client, password), false)
        }
        Command::Timer(seconds) => ("timer", conn.start_timer(seconds), true),
        Command::Alarm { id, ms } => ("alarm", conn.set_timer(id, ms as i32), true),
        Command::Save(state) => ("save", conn.save_state(SAVE, state), false),
        Command::Publish { name, token, topic, qos, payload } => (name, conn.publish(token, topic, qos, payload), token == NO_ANSWER),
        Command::PublishWith { topic, qos, ref properties, payload } => ("pubp", conn.publish_with(PUB, topic, qos, payload, properties), false),
        Command::Answer { qos, payload } => ("answer", request.answer(conn, PUB, qos, payload), false),
        Command::Subscribe { filter, qos } => ("sub", conn.subscribe(SUB, filter, qos), false),
        Command::Unsubscribe { filter } => ("unsub", conn.unsubscribe(UNSUB, filter), false),
        Command::Resume => ("resume", conn.resume(), true),
        Command::Close(why) => ("close", conn.close(why), false),
        _ => return None,
    })
}

/// The framer chosen by a device.
pub fn framing(notation: &[u8]) -> Option<Framing> {
    let rules = framing::parse(std::str::from_utf8(notation).ok()?).ok()?;
    if rules.max() > MAX_FRAME {
        return None;
    }
    Framing::new(rules).ok()
}
