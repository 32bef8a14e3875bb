//! The protocol of hostabi/conformance/probe.md. It uses all of the SDK; wasm-examples/build.sh builds it.

mod command;
mod device;
mod words;

use device::Device;
use exproto::framing::{Delimiter, Framing, Rules, Strip};
use exproto::{Conn, Protocol};

struct Probe {
    config: Vec<u8>,
    lines: Framing,
}

impl Protocol for Probe {
    type Handler = Device;

    fn start(config: &[u8]) -> Result<Self, String> {
        if config.starts_with(b"refuse") {
            return Err("the configuration says so".into());
        }
        let rules = Rules::Delimiter(Delimiter { bytes: b"\n".to_vec(), max: 1024, strip: Strip::Line });
        let lines = Framing::new(rules).map_err(|e| e.to_string())?;
        Ok(Probe { config: config.to_vec(), lines })
    }

    fn handler(&mut self, conn: Conn) -> Device {
        Device::new(conn, self.config.clone(), self.lines.clone())
    }
}

exproto::module!(Probe);

#[cfg(test)]
mod tests {
    use super::Probe;
    use exproto::{testing::Gateway, Action, Code, ConnInfo};

    fn connected() -> Gateway<Probe> {
        let mut gateway = Gateway::start(b"").unwrap();
        gateway.created(1, &ConnInfo::default());
        assert_eq!(gateway.sent(1), b"created type=0 peer=:0 local=:0 cn= dn=\n");
        gateway
    }

    #[test]
    fn a_refusal_is_logged() {
        let why = Gateway::<Probe>::start(b"refuse").err().unwrap();
        assert_eq!(why, r#"log 8 "starting: the configuration says so""#);
    }

    #[test]
    fn a_device_logs_in() {
        let mut gateway = connected();
        assert_eq!(gateway.bytes(1, b"auth bus driv"), Action::Continue);
        assert_eq!(gateway.bytes(1, b"er secret\r\n"), Action::Pause);
        let call = r#"authenticate 1 token=1 proto="probe"/"1" clientid="bus" username="driver" mountpoint="" password="secret""#;
        assert_eq!(gateway.calls(), call);
        assert_eq!(gateway.result(1, 1, Code::PERMISSION_DENY, "no"), Action::Continue);
        assert_eq!((gateway.calls().as_str(), gateway.sent(1).as_slice()), ("resume 1", &b"result 1 5 no\n"[..]));
    }

    #[test]
    fn a_timer_is_set_cancelled_and_fires() {
        let mut gateway = connected();
        gateway.bytes(1, b"alarm 3 250\nalarm 3 4294967295\n");
        assert_eq!(gateway.calls(), "set_timer 1 id=3 ms=250\nset_timer 1 id=3 ms=-1");
        assert_eq!(gateway.alarm(1, 3), Action::Continue);
        assert_eq!(gateway.sent(1), b"ok\nok\nalarm 3\n");
    }

    #[test]
    fn state_is_saved_and_comes_back() {
        let mut gateway = connected();
        gateway.bytes(1, b"save a b\nsave\n");
        assert_eq!(gateway.calls(), "save_state 1 token=5 \"a b\"\nsave_state 1 token=5 \"\"");
        gateway.bytes(1, b"auth bus\n");
        assert_eq!(gateway.logged_in(1, 1, b"\xff7"), Action::Continue);
        assert_eq!(gateway.sent(1), b"result 1 0\nkept \xff7\n");
    }

    #[test]
    fn a_refused_call_is_told() {
        let mut gateway = connected();
        gateway.refuse("publish", Code::LIMIT);
        gateway.bytes(1, b"pub t 1 x\nstate\n");
        assert_eq!(gateway.sent(1), b"refused pub 16\nstate 2\n");
    }

    #[test]
    fn a_connection_that_is_gone_has_no_events() {
        let mut gateway = connected();
        gateway.closed(1, "tcp_closed");
        assert_eq!(gateway.calls(), r#"log 0 "closed tcp_closed""#);
        assert_eq!((gateway.bytes(1, b"echo a\n"), gateway.timer(1), gateway.drain(1)), (Action::Close, Action::Close, Action::Close));
        assert!(gateway.sent(1).is_empty());
    }
}
