//! The calls of `exproto_v1`: on wasm32 the module's imports, natively those of the fake gateway in
//! [`testing`](crate::testing).

/// The severity of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
#[allow(missing_docs)]
pub enum Level {
    Debug = -4,
    Info = 0,
    Warn = 4,
    Error = 8,
}

#[cfg(not(target_arch = "wasm32"))]
pub use crate::testing::host::*;

#[cfg(target_arch = "wasm32")]
pub use imports::*;

#[cfg(target_arch = "wasm32")]
mod imports {
    use super::Level;
    use crate::Code;

    mod exproto_v1 {
        #[link(wasm_import_module = "exproto_v1")]
        extern "C" {
            pub fn send(conn: i64, bytes: *const u8, n: usize) -> u32;
            pub fn close(conn: i64, why: *const u8, n: usize) -> u32;
            pub fn authenticate(conn: i64, token: i64, request: *const u8, n: usize) -> u32;
            pub fn start_timer(conn: i64, timer: u32, seconds: u32) -> u32;
            pub fn set_timer(conn: i64, id: u32, ms: i32) -> u32;
            pub fn save_state(conn: i64, token: i64, state: *const u8, n: usize) -> u32;
            pub fn publish(conn: i64, token: i64, topic: *const u8, topic_n: usize, qos: u32, payload: *const u8, n: usize) -> u32;
            pub fn publish_with(
                conn: i64,
                token: i64,
                topic: *const u8,
                topic_n: usize,
                qos: u32,
                payload: *const u8,
                n: usize,
                props: *const u8,
                props_n: usize,
            ) -> u32;
            pub fn subscribe(conn: i64, token: i64, filter: *const u8, n: usize, qos: u32) -> u32;
            pub fn unsubscribe(conn: i64, token: i64, filter: *const u8, n: usize) -> u32;
            pub fn resume(conn: i64) -> u32;
            pub fn log(level: i32, text: *const u8, n: usize);
        }
    }

    // SAFETY of all calls below: the host copies the data of a pointer and length before it returns, and does not enter
    // the module meanwhile.

    pub fn send(conn: i64, bytes: &[u8]) -> Code {
        Code(unsafe { exproto_v1::send(conn, bytes.as_ptr(), bytes.len()) })
    }

    pub fn close(conn: i64, why: &[u8]) -> Code {
        Code(unsafe { exproto_v1::close(conn, why.as_ptr(), why.len()) })
    }

    pub fn authenticate(conn: i64, token: i64, request: &[u8]) -> Code {
        Code(unsafe { exproto_v1::authenticate(conn, token, request.as_ptr(), request.len()) })
    }

    pub fn start_timer(conn: i64, timer: u32, seconds: u32) -> Code {
        Code(unsafe { exproto_v1::start_timer(conn, timer, seconds) })
    }

    pub fn set_timer(conn: i64, id: u32, ms: i32) -> Code {
        Code(unsafe { exproto_v1::set_timer(conn, id, ms) })
    }

    pub fn save_state(conn: i64, token: i64, state: &[u8]) -> Code {
        Code(unsafe { exproto_v1::save_state(conn, token, state.as_ptr(), state.len()) })
    }

    pub fn publish(conn: i64, token: i64, topic: &[u8], qos: u32, payload: &[u8]) -> Code {
        Code(unsafe { exproto_v1::publish(conn, token, topic.as_ptr(), topic.len(), qos, payload.as_ptr(), payload.len()) })
    }

    pub fn publish_with(conn: i64, token: i64, topic: &[u8], qos: u32, payload: &[u8], props: &[u8]) -> Code {
        let (body, n) = (payload.as_ptr(), payload.len());
        Code(unsafe { exproto_v1::publish_with(conn, token, topic.as_ptr(), topic.len(), qos, body, n, props.as_ptr(), props.len()) })
    }

    pub fn subscribe(conn: i64, token: i64, filter: &[u8], qos: u32) -> Code {
        Code(unsafe { exproto_v1::subscribe(conn, token, filter.as_ptr(), filter.len(), qos) })
    }

    pub fn unsubscribe(conn: i64, token: i64, filter: &[u8]) -> Code {
        Code(unsafe { exproto_v1::unsubscribe(conn, token, filter.as_ptr(), filter.len()) })
    }

    pub fn resume(conn: i64) -> Code {
        Code(unsafe { exproto_v1::resume(conn) })
    }

    /// Writes a line to the gateway's log, which limits the rate.
    pub fn log(level: Level, text: &str) {
        unsafe { exproto_v1::log(level as i32, text.as_ptr(), text.len()) }
    }
}
