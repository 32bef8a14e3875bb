//! Echoes what a device sends.

use exproto::{Action, Conn, Handler, Protocol};

struct Echo;

impl Protocol for Echo {
    type Handler = Device;

    fn start(_config: &[u8]) -> Result<Self, String> {
        Ok(Echo)
    }

    fn handler(&mut self, conn: Conn) -> Device {
        Device(conn)
    }
}

struct Device(Conn);

impl Handler for Device {
    fn on_received_bytes(&mut self, bytes: &[u8]) -> Action {
        match self.0.send(bytes) {
            Ok(()) => Action::Continue,
            Err(_) => Action::Close,
        }
    }
}

exproto::module!(Echo);
