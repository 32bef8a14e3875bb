use std::fmt::Write;

use exproto::framing::{FrameError, Framer, Framing};
use exproto::{log, Action, Conn, ConnInfo, Handler, Level, Messages, Outcome, Properties, Request, TimerType};

use crate::command::{call, framing, Command, Wrong, AUTH};

/// A connection and its state.
pub struct Device {
    conn: Conn,
    config: Vec<u8>,
    lines: Framing,
    framer: Option<Framer>,
    in_lines: bool, // frames are lines
    count: u64,
    mountpoint: String,
    out: Vec<u8>,
    action: Action,
    request: Request, // of the last message that was one
}

impl Device {
    pub fn new(conn: Conn, config: Vec<u8>, lines: Framing) -> Self {
        let framer = Some(lines.framer());
        Device {
            conn,
            config,
            lines,
            framer,
            in_lines: true,
            count: 0,
            mountpoint: String::new(),
            out: Vec::new(),
            action: Action::Continue,
            request: Request::default(),
        }
    }

    /// Adds an answer to those sent by flush.
    fn say(&mut self, answer: impl AsRef<[u8]>) {
        self.out.extend_from_slice(answer.as_ref());
        self.out.push(b'\n');
    }

    fn flush(&mut self) -> Action {
        if !self.out.is_empty() {
            let _ = self.conn.send(&std::mem::take(&mut self.out));
        }
        std::mem::replace(&mut self.action, Action::Continue)
    }

    /// Executes a line.
    fn line(&mut self, line: Result<&[u8], FrameError>) {
        self.count += 1;
        match line {
            Err(_) => self.say("error long"),
            Ok(b"") => {}
            Ok(line) => match Command::parse(line) {
                Err(Wrong::Command) => self.say("error command"),
                Err(Wrong::Usage) => self.say("error usage"),
                Ok(command) => self.carry_out(command),
            },
        }
    }

    fn carry_out(&mut self, command: Command) {
        if let Some((name, result, answered)) = call(self.conn, &self.mountpoint, &self.request, &command) {
            return match result {
                Err(code) => self.say(format!("refused {name} {}", code.0)),
                Ok(()) if answered => self.say("ok"),
                Ok(()) if name == "auth" => self.action = Action::Pause,
                Ok(()) => {}
            };
        }
        match command {
            Command::Echo(text) => self.say(text),
            Command::Config => self.say([b"config ", self.config.as_slice()].concat()),
            Command::State => self.say(format!("state {}", self.count)),
            Command::Mount(prefix) => {
                self.mountpoint = prefix.into();
                self.say("ok");
            }
            Command::Log(level, text) => {
                log(level, text);
                self.say("ok");
            }
            Command::Pause => self.action = Action::Pause,
            Command::Leave => self.action = Action::Close,
            Command::Frame(notation) => self.reframe(notation),
            _ => panic!("the device wants it"),
        }
    }

    /// Adds the properties of a message that are set.
    fn properties(&mut self, p: &Properties) {
        if p.retain {
            self.out.extend_from_slice(b" retain=1");
        }
        if p.expiry > 0 {
            self.out.extend_from_slice(format!(" expiry={}", p.expiry).as_bytes());
        }
        for (name, value) in [(" type=", p.content_type.as_bytes()), (" response=", p.response_topic.as_bytes()), (" correlation=", &p.correlation)] {
            if !value.is_empty() {
                self.out.extend_from_slice(name.as_bytes());
                self.out.extend_from_slice(value);
            }
        }
        for user in &p.user {
            self.out.extend_from_slice(format!(" {}={}", user.name, user.value).as_bytes());
        }
    }

    /// Switches to another framer.
    fn reframe(&mut self, notation: &[u8]) {
        match framing(notation) {
            Some(other) => {
                self.framer = Some(other.framer());
                self.in_lines = false;
                self.say("ok");
            }
            None => self.say("error framing"),
        }
    }

    /// Answers a frame or error of a framer other than that of lines.
    fn frame(&mut self, frame: Result<&[u8], FrameError>) {
        match frame {
            Err(FrameError::TooLong) => self.say("frame error too_long"),
            Err(FrameError::Broken) => self.say("frame error broken"),
            Ok(b"lines") => {
                self.framer = Some(self.lines.framer());
                self.in_lines = true;
                self.say("ok");
            }
            Ok(frame) => {
                let mut answer = String::from("frame ");
                frame.iter().for_each(|b| write!(answer, "{b:02x}").expect("a String takes all"));
                self.say(answer);
            }
        }
    }
}

impl Handler for Device {
    fn on_socket_created(&mut self, info: &ConnInfo) -> Action {
        let cert = info.peer_cert.clone().unwrap_or_default();
        let (peer, local) = (&info.peer, &info.local);
        let mut line = format!(
            "created type={} peer={}:{} local={}:{} cn={} dn={}",
            info.socket_type.0, peer.host, peer.port, local.host, local.port, cert.cn, cert.dn
        );
        info.properties.iter().for_each(|p| write!(line, " {}={}", p.name, p.value).expect("a String takes all"));
        self.say(line);
        self.flush()
    }

    fn on_received_bytes(&mut self, mut bytes: &[u8]) -> Action {
        while self.action != Action::Close {
            // A frame borrows its framer, which is moved out of the device meanwhile. The frame may install another
            // one.
            let mut framer = self.framer.take().expect("there is a framer between frames");
            let frame = framer.next(&mut bytes);
            let done = frame.is_none();
            match frame {
                Some(line) if self.in_lines => self.line(line),
                Some(frame) => self.frame(frame),
                None => {}
            }
            self.framer.get_or_insert(framer);
            if done {
                break;
            }
        }
        self.flush()
    }

    fn on_timer_timeout(&mut self, timer: TimerType) -> Action {
        self.say(format!("timer {}", timer.0));
        self.flush()
    }

    fn on_alarm(&mut self, id: u32) -> Action {
        self.say(format!("alarm {id}"));
        self.flush()
    }

    fn on_received_messages(&mut self, messages: Messages) -> Action {
        for m in messages {
            let head = format!("message node={} id={} qos={} from={} topic={} at={} payload=", m.node, m.id, m.qos, m.from, m.topic, m.timestamp);
            self.out.extend_from_slice(head.as_bytes());
            self.out.extend_from_slice(m.payload);
            self.properties(&m.properties);
            self.say("");
            if let Some(request) = Request::of(&m) {
                self.request = request;
            }
        }
        self.flush()
    }

    fn on_result(&mut self, token: i64, outcome: Outcome) -> Action {
        let space = if outcome.message.is_empty() { "" } else { " " };
        self.say(format!("result {token} {}{space}{}", outcome.code.0, outcome.message));
        if !outcome.state.is_empty() {
            self.say([b"kept ", outcome.state].concat());
        }
        if token == AUTH {
            let _ = self.conn.resume();
        }
        self.flush()
    }

    fn on_drain(&mut self) -> Action {
        self.say("drain");
        self.flush()
    }

    fn on_socket_closed(&mut self, why: &str) {
        log(Level::Info, &format!("closed {why}"));
    }
}
